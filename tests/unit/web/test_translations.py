import gettext
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from web.translations import choose_language, load_catalogues

WEB = Path(__file__).parents[3] / "web"
JINJA = {
    "extensions": "jinja2.ext.i18n",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
    "silent": "false",
    "newstyle_gettext": "true",
}


@pytest.fixture(scope="module")
def polish() -> Catalog:
    with (WEB / "translations" / "pl.po").open("rb") as file:
        return read_po(file, locale="pl")


def messages_in_code() -> set[str | tuple[str, ...]]:
    found: set[str | tuple[str, ...]] = set()
    for path in sorted((WEB / "templates").glob("*.html")):
        with path.open("rb") as file:
            found |= {m for _, m, _, _ in extract("jinja2.ext:babel_extract", file, options=JINJA)}
    for path in sorted(WEB.glob("*.py")):
        with path.open("rb") as file:
            words = {"gettext": None, "ngettext": (1, 2), "plural": (1, 2)}
            found |= {m for _, m, _, _ in extract("python", file, keywords=words)}
    return found


def test_every_text_of_the_page_is_in_the_catalogue_and_nothing_else(polish):
    known = {message.id if isinstance(message.id, str) else tuple(message.id) for message in polish}
    assert messages_in_code() == known - {""}


def test_every_text_is_translated_whole(polish):
    for message in polish:
        if message.id:
            strings = [message.string] if isinstance(message.string, str) else message.string
            assert all(strings), message.id
            assert not message.fuzzy
            assert list(message.check(polish)) == []


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 inne zgłoszenie"),
        (2, "2 inne zgłoszenia"),
        (4, "4 inne zgłoszenia"),
        (5, "5 innych zgłoszeń"),
        (12, "12 innych zgłoszeń"),
        (21, "21 innych zgłoszeń"),
        (22, "22 inne zgłoszenia"),
        (112, "112 innych zgłoszeń"),
    ],
)
def test_polish_plurals_are_right(count, words):
    catalogue = load_catalogues()["pl"]
    form = catalogue.ngettext("%(num)d other ticket", "%(num)d other tickets", count)
    assert form % {"num": count} == words


def test_english_is_what_the_code_says():
    english = load_catalogues()["en"]
    assert isinstance(english, gettext.NullTranslations)
    assert english.gettext("Queue") == "Queue"


@pytest.mark.parametrize(
    ("wishes", "header", "language"),
    [
        (("en",), "pl", "en"),
        ((None, "en"), "pl", "en"),
        (("uk", None), "en-GB,en;q=0.9", "en"),
        ((), "de-DE,de;q=0.9", "pl"),
        ((), "en;q=0.4, pl-PL;q=0.5", "pl"),
        ((), "en;q=0", "pl"),
        ((), "en;q=nonsense,;;=,", "pl"),
        ((), "", "pl"),
        (("../../etc/passwd",), "EN", "en"),
    ],
)
def test_the_language_is_a_persons_then_the_browsers_then_polish(wishes, header, language):
    assert choose_language(*wishes, accept_language=header) == language
