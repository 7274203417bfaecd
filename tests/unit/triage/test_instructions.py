"""E-50, E-51, E-79: a mail that gives orders, shouts or says nothing is scored, nothing else."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from config.taxonomy import Taxonomy
from tests.bad_input.content import INJECTIONS
from triage.classifier import Classifier
from triage.text import prepare
from triage.triager import Triager

DEFAULT = Path("models/default")
ROOT = Path(__file__).parents[3]
CALM = ("Pytanie", "Czy macie ten kubek w kolorze zielonym?")
LOUD = "PILNE!!! SĄD!!! UOKiK "


@pytest.fixture(scope="module")
def triager(encoder):
    return Triager(encoder, Classifier.load(DEFAULT))


@pytest.fixture(scope="module")
def ordered(triager):
    """A calm question, alone and with each order behind it."""
    return triager.triage([CALM, *((CALM[0], f"{CALM[1]} {order}") for order in INJECTIONS)])


def test_e50_an_order_is_scored_like_any_other_words(ordered):
    taxonomy = Taxonomy.load()
    causes = {cause.code for cause in taxonomy.active_causes}
    alone = ordered[0]
    for result in ordered:
        assert {field.name for field in fields(result)} == {field.name for field in fields(alone)}
        assert result.cause in causes
        assert result.urgency in {urgency.code for urgency in taxonomy.urgencies}
        assert set(result.causes) == set(alone.causes)
        assert sum(result.causes.values()) == pytest.approx(1, abs=1e-4)
        assert sum(result.urgencies.values()) == pytest.approx(1, abs=1e-4)
        assert result.classifier == alone.classifier


def test_e50_no_order_makes_a_calm_question_critical(ordered):
    assert {result.urgency for result in ordered} & {"critical"} == set()


def test_e50_no_code_of_ours_pays_or_answers_by_itself():
    """The only mail that goes out by itself is the acknowledgement of a new ticket."""
    written = [
        path
        for package in ("worker", "web", "odzew", "triage")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"\bput_in_outbox\(|\bOutboxMessage\(", path.read_text("utf-8"))
    ]
    assert [path.name for path in written] == ["acknowledge.py"]


def test_e51_shouting_longer_does_not_shout_louder(triager):
    once, often, endless = triager.triage([("Skarga", LOUD * times) for times in (30, 200, 5000)])
    assert often.urgencies == pytest.approx(endless.urgencies, abs=1e-6)
    assert once.urgencies == pytest.approx(often.urgencies, abs=0.1)


@pytest.mark.parametrize(
    "text", ["paczka " * 200_000, "i w na z do że się to nie " * 40, "", "\u200b" * 999, "😡😡"]
)
def test_e79_words_that_say_nothing_go_to_a_person(triager, text):
    """Cut at a fixed place, so that more of the same changes nothing."""
    [result] = triager.triage([("", text)])
    assert result.level == "suggest"
    assert len(prepare("", text)) <= 4000
