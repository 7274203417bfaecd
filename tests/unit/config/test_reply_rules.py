import tomllib
from itertools import product

import pytest

from config.replies import KINDS, LANGUAGES
from config.reply_rules import lint
from config.reply_templates import SHIPPED

PLAIN = (SHIPPED / "received.pl.txt").read_text(encoding="utf-8")


def saying(sentence: str) -> str:
    """A template that breaks no rule, with one more sentence."""
    return PLAIN.replace("Z poważaniem", f"{sentence}\n\nZ poważaniem")


@pytest.mark.parametrize(("kind", "language"), list(product(KINDS, LANGUAGES)))
def test_every_shipped_template_keeps_the_rules(kind, language):
    text = (SHIPPED / f"{kind}.{language}.txt").read_text(encoding="utf-8")
    assert lint(text, language, links=()) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_shipped_phrase_keeps_the_rules(language):
    phrases = tomllib.loads((SHIPPED / "phrases.toml").read_text(encoding="utf-8"))[language]
    texts = [*phrases["received"].values(), *phrases["withdrawal"].values()]
    for text in [*texts, phrases["privacy_mention"]]:
        assert lint(saying(text), "pl", links=()) == []


# The word list of A.4, as it stands there.
@pytest.mark.parametrize(
    "words",
    [
        "uznajemy",
        "uznaliśmy",
        "uwzględniamy",
        "przyznajemy",
        "zasadna",
        "ponosimy winę",
        "wadliwy towar",
        "zwrócimy",
        "wymienimy",
        "naprawimy",
        "gwarantujemy",
        "odrzucamy",
        "bezzasadna",
        "po terminie",
        "nie podlega",
        "30 dni",
        "dni roboczych",
        "od otrzymania towaru",
        "po dostarczeniu towaru rozpatrzymy",
        "bieg terminu zostaje zawieszony",
        "warunkiem",
        "tylko z paragonem",
        "oryginalne opakowanie",
        "na własny koszt",
        "bez protokołu",
        "przepraszamy za wadę",
        "ec.europa.eu/consumers/odr",
        "https://ec.europa.eu/odr",
        "platforma ODR",
        "polecamy",
    ],
)
@pytest.mark.parametrize("written", [str, str.upper, lambda w: w.replace(" ", "\n")])
def test_a_forbidden_phrase_is_found_however_it_is_written(words, written):
    assert any(p.startswith("says ") for p in lint(saying(f"Otóż {written(words)}."), "pl"))


@pytest.mark.parametrize(
    "words",
    [
        "uznalismy",
        "ponosimy wine",
        "zwro\u0301cimy",
        "u\u00adznajemy",
        "bez protokolu",
        "ＵＺＮＡＪＥＭＹ",
    ],
)
def test_missing_accents_and_invisible_characters_hide_nothing(words):
    assert any(p.startswith("says ") for p in lint(saying(words), "pl"))


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "We will refund the full price."),
        ("en", "Please send it back within 30 days."),
        ("en", "a 14-day period"),
        ("de", "Wir erstatten Ihnen den Kaufpreis."),
        ("de", "innerhalb von zwei Wochen"),
        ("de", "14-tägige Frist"),
        ("cs", "Reklamaci uznáváme."),
        ("cs", "do třiceti dnů"),
        ("uk", "Ми повернемо гроші."),
        ("uk", "протягом 30 днів"),
        ("pl", "w terminie czternastu dni roboczych"),
        ("pl", "14-dniowy termin"),
        ("pl", "Brak odpowiedzi oznacza uznanie reklamacji."),
        ("pl", "Zgłoszenie zaklasyfikowaliśmy jako wada."),
        ("pl", "Prosimy o kontakt z producentem."),
        ("pl", "Kod rabatowy: LATO"),
        ("pl", '<img src="//x.example/p.gif">'),
    ],
)
def test_other_languages_and_kinds_of_promise_are_found(language, words):
    assert any(p.startswith("says ") for p in lint(saying(words), language))


@pytest.mark.parametrize(
    "words",
    [
        "Przykro nam, że mają Państwo kłopot z zamówieniem.",
        "Nasz adres: bezzasadna@polecamy.example",
        "Biuro: ul. Zasadnicza 14, 30-001 Kraków",
    ],
)
def test_neutral_words_are_allowed(words):
    assert lint(saying(words), "pl") == []


@pytest.mark.parametrize(
    ("gone", "problem"),
    [
        ("automatycznie", "does not say that it was sent automatically"),
        ("wyłącznie", "does not say that it concerns only the receipt"),
        ("nie później niż ", "does not say the conditional sentence about the 14 days"),
        ("odpowiadając", "does not say how to send more information"),
        ("danych osobowych", "does not say who is the controller"),
        ("[$reference]", "does not say the reference in the subject"),
    ],
)
def test_what_must_be_said_is_missed(gone, problem):
    assert [p for p in lint(PLAIN.replace(gone, ""), "pl") if p.startswith(problem)]


def test_a_reference_in_the_subject_alone_is_not_enough():
    subject, body = PLAIN.split("\n", 1)
    text = subject + "\n" + body.replace("$reference", "")
    assert lint(text, "pl") == ["does not say the reference in the body"]


def test_the_term_must_stay_conditional():
    text = PLAIN.replace("Jeżeli Państwa wiadomość jest reklamacją, odpowiemy", "Odpowiemy")
    problems = lint(text, "pl")
    assert any("conditional sentence" in p for p in problems)
    assert any(p.startswith('says "dni"') for p in problems)


def test_the_sentence_names_the_phrase_and_the_reason():
    assert lint(saying("Wymienimy towar."), "pl") == ['says "wymienimy", which promises a remedy']


def test_the_shop_may_be_named_as_it_likes():
    text = saying("Polecamy Sklep sp. z o.o.")
    assert lint(text, "pl", ours=["Polecamy Sklep sp. z o.o."]) == []
    assert lint(text, "pl") != []


def test_an_order_number_14_does_not_break_the_term():
    assert lint(PLAIN, "pl", ours=["14"]) == []


@pytest.mark.parametrize(
    ("link", "allowed", "ok"),
    [
        ("https://sklep.example/rodo", "https://sklep.example/rodo", True),
        ("https://sklep.example/rodo.", "https://sklep.example/rodo", True),
        ("https://sklep.example/rodo/x", "https://sklep.example/rodo", False),
        ("http://evil.example", "https://sklep.example/rodo", False),
        ("WWW.evil.example", "", False),
    ],
)
def test_only_configured_links_are_allowed(link, allowed, ok):
    problems = lint(saying(f"Więcej: {link}"), "pl", links=(allowed,))
    assert (problems == []) is ok
