import time
from pathlib import Path

import pytest

from triage.classifier import Classifier
from triage.evidence import MOST_PARTS, explain, parts_of
from triage.triager import Triager

LONG = (
    "Dzień dobry, zamówiłam u Państwa komplet talerzy na prezent. Kurier przywiózł go wczoraj. "
    "Po otwarciu kartonu zobaczyłam, że trzy talerze są stłuczone, a pudełko było zgniecione. "
    "Poza tym sklep bardzo mi się podoba. Proszę o informację, co dalej."
)


@pytest.fixture(scope="module")
def triager(encoder) -> Triager:
    return Triager(encoder, Classifier.load(Path("models/default")))


def test_the_sentence_that_tells_the_event_weighs_most(triager):
    [first, *_] = [e for e in explain(triager, "Zamówienie", LONG) if e.of == "cause"]
    assert "stłuczone" in first.text
    assert first.weight > 0


def test_weights_are_shares_of_one_prediction(triager):
    found = explain(triager, "Zamówienie", LONG)
    for of in ("cause", "urgency"):
        weights = [e.weight for e in found if e.of == of]
        assert weights
        assert sum(map(abs, weights)) <= 1.001
        assert weights == sorted(weights, key=lambda weight: -abs(weight))


def test_a_short_mail_is_explained_word_by_word(triager):
    words = {e.text for e in explain(triager, "", "Gdzie moja paczka??")}
    assert words <= {"Gdzie", "moja", "paczka??"}
    assert words


@pytest.mark.parametrize(("subject", "text"), [("", ""), ("", "Halo"), ("", " \n \n")])
def test_what_cannot_be_taken_apart_has_no_evidence(triager, subject, text):
    assert explain(triager, subject, text) == ()


def test_no_mail_has_too_many_parts():
    parts = parts_of("Reklamacja", " ".join(f"To jest zdanie {n}." for n in range(400)))
    assert len(parts) == MOST_PARTS
    assert parts[0] == (True, "Reklamacja")
    assert parts[-1][1].endswith("zdanie 399.")


def test_it_is_quick_enough_for_a_page(triager):
    explain(triager, "Zamówienie", LONG)
    start = time.perf_counter()
    explain(triager, "Zamówienie", LONG * 4)
    assert time.perf_counter() - start < 5  # under 1 s when the machine does nothing else
