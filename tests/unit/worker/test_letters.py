"""The charset in which a text has real words; here and not in a word list, words of complaints."""

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.charset import decode
from worker.letters import cheapest

WORDS = {
    "pl": """
        dzień dobry proszę o zwrot pieniędzy za paczkę która przyszła pęknięta łóżko żółte świeżo
        źle uszkodzone zamówienie część gwarancja reklamację złożyłam wczoraj odpowiedź kurier
        zgubił przesyłkę półka śruba spódnica rękaw żądam naprawy wymiany są będą mają książka
        pościel kołdra ślad ręcznik wieszak mąż córka śnieg źródło później jeszcze sprzęt działa
        państwa sklep ponieważ również właściwy błąd numer konta telefon całość stół krzesło
        ZAMÓWIENIE SPÓŁKA PÓŁROCZE KSIĘŻYC Łódź Kraków Wrocław Poznań Gdańsk Częstochowa
    """,
    "cs": """
        dobrý den prosím o vrácení peněz balík přišel poškozený žlutý kůň úpěl ďábelské ódy zboží
        nefunguje děkuji objednávka číslo reklamace stížnost měl jsem dostat tři kusy chybí šroub
        náš dům židle stůl kávovar příliš pozdě už druhý týden čekám bohužel nikdo neodpověděl
        může být vaše naše řešení škoda rozbitá šálek tričko velikost doručení zásilky pondělí
        květen září říjen ještě teď většina člověk nejsem spokojený rozešli ťuká Plzeň Praha
    """,
    "de": """
        guten tag ich möchte mein geld zurück das paket ist beschädigt angekommen größe straße
        lieferung fehlt für über schön tür stühle hässlich bestätigung müll größer rückgabe öl
        käufer verkäufer grüße maß weiß heiß lösung ärger übermorgen zwölf fünf gemäß schraube
    """,
}
CODECS = {"pl": ["iso8859-2", "cp1250"], "cs": ["iso8859-2", "cp1250"], "de": ["cp1252", "cp1250"]}
LABELS = {"iso8859-2": "iso-8859-2", "cp1250": "windows-1250", "cp1252": "iso-8859-1"}
CASES = (str.lower, str.upper, str.title, str)
WRONG = (None, "utf-8", "us-ascii", "x-unknown", "iso-8859-1", "iso-8859-2", "windows-1250")


def said(words: list[str], cases: list[int]) -> str:
    return " ".join(CASES[case](word) for word, case in zip(words, cases, strict=True))


def enough(text: str) -> bool:
    return sum(c.isalpha() for c in text) >= 20 and sum(c > "\x7f" for c in text) >= 3


@st.composite
def texts(draw: st.DrawFn, language: str) -> str:
    words = draw(st.lists(st.sampled_from(WORDS[language].split()), min_size=3, max_size=30))
    one = draw(st.sampled_from([None, 0, 1, 2, 3]))
    case = st.integers(0, 3) if one is None else st.just(one)
    return said(words, draw(st.lists(case, min_size=len(words), max_size=len(words))))


@pytest.mark.parametrize(
    ("language", "codec"), [(language, codec) for language in CODECS for codec in CODECS[language]]
)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_right_label_is_always_believed(language, codec, data):
    text = data.draw(texts(language).filter(enough))
    assert decode(text.encode(codec), LABELS[codec]).text == text
    assert decode(text.encode(), "utf-8").text == text


@pytest.mark.parametrize(("language", "declared"), list(product(WORDS, WRONG)))
def test_99_of_100_texts_are_read_right_under_a_wrong_label_or_none(language, declared):
    dice = random.Random(f"{language} {declared}")
    words = WORDS[language].split()
    right = total = 0
    while total < 200:
        some = [dice.choice(words) for _ in range(dice.randint(4, 20))]
        one = dice.choice([None, 0, 1, 2, 3])
        text = said(some, [dice.randrange(4) if one is None else one for _ in some])
        if enough(text):
            for codec in CODECS[language]:
                right += decode(text.encode(codec), declared).text == text
                total += 1
    assert right / total >= 0.99


@pytest.mark.parametrize("codec", ["cp1250", "iso8859-2"])
@pytest.mark.parametrize("declared", [None, "iso-8859-1", "iso-8859-2", "windows-1250"])
@pytest.mark.parametrize(
    "text",
    [
        "ŻĄDAMY ŹLE OSADZONEJ OŚCIEŻNICY",
        "Zamówiłem u Państwa Škodę na prąd, přišla rozbitá. Proszę o zwrot.",
        "Die Größe paßt nicht, proszę o wymianę na większą.",
        "Wysokość 3 m, temperatura 20°C, § 12 ust. 1, źródło światła",
    ],
)
def test_capitals_mixed_languages_and_units_are_read_right(codec, declared, text):
    assert decode(text.encode(codec), declared).text == text


@pytest.mark.parametrize("label", ["windows-1252", "iso-8859-1", None])
def test_a_cubic_metre_is_no_letter(label):
    text = "10 m³ piasku w cenie 5 £, powierzchnia 12 m²"
    assert decode(text.encode("cp1252"), label).text == text


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Où est mon colis, déjà payé à Paris?", "cp1252"),
        ("Dov'è il mio pacco? È già più di una settimana", "cp1252"),
        ("Jeg ønsker at få pengene tilbage for den ødelagte stol", "cp1252"),
        ("¿Dónde está mi paquete? Señor Muñoz, año pasado", "cp1252"),
        ("Добрий день, де моя посилка за номером 12", "cp1251"),
        ("Добрый день, верните деньги", "koi8-u"),
    ],
)
def test_other_languages_are_not_made_polish(text, codec):
    assert cheapest(text.encode(codec), ("cp1250", "iso8859-2", "cp1252", "cp1251", "koi8-u")) == (
        codec
    )


def test_a_word_of_accents_only_is_not_cyrillic():
    assert decode("test äöüßÄÖÜß".encode("cp1252"), "iso-8859-1").text == "test äöüßÄÖÜß"


@pytest.mark.parametrize(
    "data", [b"", b"\xa0", b"\xff" * 1000, bytes(range(256)) * 99, b"\x80 " * 99]
)
def test_what_is_no_text_gives_some_codec(data):
    assert cheapest(data, ("cp1250", "iso8859-2")) in ("cp1250", "iso8859-2")
