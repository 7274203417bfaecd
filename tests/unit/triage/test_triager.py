import dataclasses
from pathlib import Path

import pytest

from triage.classifier import Classifier
from triage.triager import EncoderMismatchError, Triager

DEFAULT = Path("models/default")
MAILS = [
    ("Stłuczony wazon", "Wazon przyszedł w kawałkach, karton był zgnieciony. Proszę o nowy."),
    ("Pytanie", "Czy macie ten kubek w kolorze zielonym?"),
    ("Ładowarka", "Z ładowarki poszedł dym i przypalił się stół. Proszę o zwrot 99 zł."),
]


@pytest.fixture(scope="module")
def results(encoder):
    return Triager(encoder, Classifier.load(DEFAULT)).triage(MAILS)


def test_plain_mails_get_their_causes(results):
    assert [result.cause for result in results[:2]] == ["damaged_in_transit", "question"]


def test_a_fire_is_critical_whatever_the_classifier_says(results):
    assert (results[2].urgency, [fact.name for fact in results[2].facts]) == ("critical", ["fire"])


def test_the_named_cause_and_urgency_are_the_likeliest(results):
    for result in results:
        assert result.causes[result.cause] == max(result.causes.values())
        assert result.urgencies[result.urgency] == result.urgency_confidence
        assert sum(result.causes.values()) == pytest.approx(1, abs=1e-4)
        assert sum(result.urgencies.values()) == pytest.approx(1, abs=1e-4)
        assert result.cause not in result.secondary


def test_results_say_which_classifier_made_them(results):
    assert {result.classifier for result in results} == {Classifier.load(DEFAULT).version}


def test_a_classifier_of_another_encoder_is_refused(tmp_path):
    other = dataclasses.replace(Classifier.load(DEFAULT), encoder_hash="0" * 64)
    other.save(tmp_path)
    with pytest.raises(EncoderMismatchError, match="was trained on encoder 000000000000"):
        Triager.load(tmp_path, encoder_folder=DEFAULT)


def test_a_version_without_an_encoder_uses_the_shipped_one(tmp_path):
    Classifier.load(DEFAULT).save(tmp_path)
    [result] = Triager.load(tmp_path, encoder_folder=DEFAULT).triage(MAILS[:1])
    assert result.cause == "damaged_in_transit"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "12345 67890",
        "a" * 1_000_000,
        "paczka " * 10_000,
        "我的包裹在哪里?我已经等了两个星期,请回复我。",
        "أين طردي؟ أنا أنتظر منذ أسبوعين",
        "\x00\x01\u202e\ufffd",
    ],
    ids=["empty", "mark", "numbers", "1 MB of a", "one word", "Chinese", "Arabic", "control"],
)
def test_what_nobody_can_read_goes_to_a_person(encoder, text):
    [result] = Triager(encoder, Classifier.load(DEFAULT)).triage([("", text)])
    assert result.needs_review
    assert result.level == "suggest"
    assert sum(result.causes.values()) == pytest.approx(1, abs=1e-4)
