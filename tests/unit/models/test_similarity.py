import pytest

from models.corpus import DATA, corpus
from models.dataset import CAUSES
from models.similarity import near_duplicates

ORDERED = "Zamówiłem kubek ceramiczny i przyszedł pęknięty na pół"


def test_the_same_words_with_other_numbers_and_diacritics_are_one_text():
    texts = [f"{ORDERED}, nr 123", "Pytanie o rower", f"{ORDERED.upper()}: nr 9987!"]
    assert near_duplicates(texts) == [(0, 2, 1.0)]


def test_texts_that_share_a_greeting_are_two():
    assert near_duplicates([f"Dzień dobry, {ORDERED}", "Dzień dobry, gdzie jest moja paczka"]) == []


def test_many_copies_are_each_found():
    pairs = near_duplicates([ORDERED] * 60)
    assert {index for pair in pairs for index in pair[:1]} == set(range(59))


@pytest.mark.parametrize("texts", [[], [""], ["", ""], ["123", "456"]])
def test_texts_without_words_are_like_nothing(texts):
    assert near_duplicates(texts) == []


def test_the_corpus_has_no_near_duplicates():
    examples = [*corpus("train"), *corpus("validation"), *corpus("test")]
    pairs = near_duplicates([example.text for example in examples])
    assert [(examples[i].id, examples[j].id) for i, j, _ in pairs] == []


def test_the_corpus_is_as_large_and_as_mixed_as_promised():
    train, validation, test = corpus("train"), corpus("validation"), corpus("test")
    everything = [*train, *validation, *test]
    assert len(everything) >= 5000
    for code in CAUSES:
        assert sum(e.cause == code for e in everything) >= 250
        assert sum(e.cause == code for e in test) >= 40
    assert sum(e.urgency == "critical" for e in everything) >= 450
    assert len(test) >= 1000
    assert sum(e.urgency == "critical" for e in test) >= 120
    assert 0.6 < sum(e.language == "pl" for e in everything) / len(everything) < 0.7


def test_no_mail_and_no_pass_is_in_two_parts():
    files = [path.name for path in DATA.glob("*/*.jsonl")]
    assert len(files) == len(set(files))
    ids = [e.id for part in ("train", "validation", "test") for e in corpus(part)]
    assert len(ids) == len(set(ids))
