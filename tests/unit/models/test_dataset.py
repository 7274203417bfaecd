import json

import numpy as np
import pytest

from models.dataset import (
    CAUSES,
    BadExampleError,
    Example,
    dataset_hash,
    examples_from_rows,
    folds,
    read_examples,
)

ROW = {
    "id": "a-1",
    "subject": "Re: Wazon",
    "body": "Pękł.",
    "cause": "defective",
    "secondary": ["no_response"],
    "urgency": "normal",
    "language": "pl",
    "entities": {"order_no": None},
}


def an_example(number: int, *, group: str = "") -> Example:
    cause = CAUSES[number % 13]
    return Example(id=str(number), text=f"mail {number}", cause=cause, urgency="low", group=group)


def test_a_line_becomes_an_example_with_the_text_of_triage(tmp_path):
    path = tmp_path / "pass.jsonl"
    path.write_text(json.dumps(ROW, ensure_ascii=False) + "\n\n", "utf-8")
    [example] = read_examples([path])
    assert example.text == "Wazon. Pękł."
    assert (example.cause, example.urgency, example.language) == ("defective", "normal", "pl")
    assert example.secondary == ("no_response",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"pass\.jsonl line 2: not JSON"),
        ("[]", r"line 2: expected an object"),
        (json.dumps(ROW | {"cause": "bad luck"}), r"line 2: cause is 'bad luck', allowed: damaged"),
        (json.dumps(ROW | {"urgency": None}), r"line 2: urgency is None"),
        (json.dumps(ROW | {"subject": "", "body": " "}), r"line 2: subject and body are empty"),
        (json.dumps(ROW | {"body": 7}), r"line 2: subject and body must be texts"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = tmp_path / "pass.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + line + "\n", "utf-8")
    with pytest.raises(BadExampleError, match=message):
        read_examples([path])


def test_plain_rows_keep_their_group():
    [example] = examples_from_rows([ROW | {"group": "ticket-7"}])
    assert example.group == "ticket-7"


def test_a_text_that_comes_again_counts_once_with_its_last_label():
    examples = examples_from_rows([ROW, ROW | {"cause": "other"}])
    assert [example.cause for example in examples] == ["other"]


def test_the_hash_ignores_the_order_and_sees_every_label():
    one, two = an_example(1), an_example(2)
    assert dataset_hash([one, two]) == dataset_hash([two, one])
    other = Example(id="1", text=one.text, cause="other", urgency="low")
    assert dataset_hash([other, two]) != dataset_hash([one, two])


def test_no_group_is_in_two_folds():
    examples = [an_example(n, group=f"ticket-{n // 3}") for n in range(90)]
    parts = folds(examples)
    assert all(len(set(parts[n : n + 3])) == 1 for n in range(0, 90, 3))


def test_each_cause_is_spread_over_the_folds():
    examples = [an_example(n) for n in range(130)]
    parts = folds(examples, count=5)
    for cause in CAUSES:
        mine = [part for part, e in zip(parts, examples, strict=True) if e.cause == cause]
        assert np.bincount(mine, minlength=5).tolist() == [2, 2, 2, 2, 2]


def test_the_same_seed_gives_the_same_folds():
    examples = [an_example(n) for n in range(60)]
    np.testing.assert_array_equal(folds(examples, seed=1), folds(examples, seed=1))
    assert (folds(examples, seed=1) != folds(examples, seed=2)).any()
