import pytest

from triage.text import MAX_CHARACTERS, is_readable, prepare, without_diacritics, without_runs


@pytest.mark.parametrize(
    "subject",
    [
        "Re: Stłuczony wazon",
        "ODP: Re: Stłuczony wazon",
        "Fwd: Odp: Stłuczony wazon",
        "AW: Stłuczony wazon",
        "Re[2]: Stłuczony wazon",
        "Re: [ODZ-2026-000123] Stłuczony wazon",
        "[ODZ-2026-000123] Stłuczony wazon",
        "  Stłuczony \t wazon ",
    ],
)
def test_a_reply_reads_like_the_first_mail(subject):
    assert prepare(subject, "Proszę o nowy.") == "Stłuczony wazon. Proszę o nowy."


def test_a_word_that_begins_like_a_prefix_stays():
    assert prepare("Reklamacja: wazon", "Pękł.") == "Reklamacja: wazon. Pękł."


def test_white_space_and_control_characters_are_folded():
    assert prepare("", "a\r\n\n b\x00\u00a0c\u200bd") == "a b cd"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        pytest.param("rekl\u0430macja", "reklamacja", id="E-20: a Cyrillic letter"),
        pytest.param("Ｒｅｋｌａｍａｃｊａ １２３", "Reklamacja 123", id="E-20: wide letters"),
        pytest.param("скарга на посилку", "скарга на посилку", id="Ukrainian"),
        pytest.param("rekla\u00admacja", "reklamacja", id="E-21: a soft hyphen"),
        pytest.param("\u202ereklamacja\u200b\u2069", "reklamacja", id="E-21: marks of direction"),
        pytest.param("u\u200dsz\u200bkodzone", "uszkodzone", id="E-21: zero width"),
    ],
)
def test_a_classifier_reads_what_a_person_sees(sent, read):
    assert prepare("", sent) == read


def test_a_mail_without_a_subject_is_its_text():
    assert (prepare("", "Wazon"), prepare("Re:", "Wazon"), prepare("", "")) == (
        "Wazon",
        "Wazon",
        "",
    )


def test_a_long_text_is_cut():
    assert len(prepare("Wazon", "a" * 100_000)) == MAX_CHARACTERS


def test_folded_letters_are_plain():
    assert without_diacritics("Żółć Straße PŘÍLIŠ") == "zolc strasse prilis"


@pytest.mark.parametrize(
    "text", ["gdzie paczka", "Де моя посилка?", "ŁATWO MNIE ZNALEŹĆ", "help me"]
)
def test_few_words_of_a_known_alphabet_can_be_read(text):
    assert is_readable(text)


@pytest.mark.parametrize(
    "text", ["", "...", "tak", "tak tak tak", "a b c", "荷物はどこですか いつ"]
)
def test_no_words_or_another_alphabet_cannot(text):
    assert not is_readable(text)


@pytest.mark.parametrize(
    ("text", "shorter"),
    [
        ("Dzień dobry,\n\n\nproszę o zwrot...", "Dzień dobry,\n\n\nproszę o zwrot..."),
        ("a" + " " * 500 + "b", "a" + " " * 8 + "b"),
        ("a" + "\n" * 500 + "b", "a\n\n\nb"),
        ("a" + "\n \t" * 500 + "\nb", "a\n\n\nb"),
        ("-" * 500 + " x", "-" * 8 + " x"),
        ("x" * 500, "x" * 500),
    ],
)
def test_e_48_long_runs_are_cut_short(text, shorter):
    assert without_runs(text) == shorter
