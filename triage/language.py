"""Which of the shop's languages a text is written in, or none of them.

Made for short mails with and without diacritics ("gdzie moja paczka"): frequent words, the stems of
complaints, letters that only one language has, and a few endings, each worth some points. Other
languages of the neighbourhood are known by their frequent words, so that Slovak is not called Czech
and Russian not Ukrainian. The words are in ``language.toml``. No model, no download, and the same
answer every time.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from pathlib import Path

MAX_CHARACTERS = 20_000  # the beginning of a mail says enough
MAX_WORDS = 500
MIN_POINTS = 3
MIN_LEAD = 1.25  # the winner's points over those of the second

SUPPORTED = ("pl", "en", "de", "cs", "uk")

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")

_FILE = Path(__file__).with_suffix(".toml")
_WORDS = tomllib.loads(_FILE.read_text(encoding="utf-8"))


def _languages(table: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Each sign of a table of signs by language, to the languages it speaks for."""
    found: dict[str, tuple[str, ...]] = {}
    for language, signs in table.items():
        for sign in dict.fromkeys(signs):
            found[sign] = (*found.get(sign, ()), language)
    return found


def _split(table: Mapping[str, str]) -> dict[str, list[str]]:
    return {language: words.split() for language, words in table.items()}


_FREQUENT = _languages(_split(_WORDS["frequent"]))
_STEMS = _languages(_split(_WORDS["stems"]))
_STEM_LENGTHS = sorted({len(stem) for stem in _STEMS})
_ENDINGS = _languages(_split(_WORDS["endings"]))
_ENDING_LENGTHS = sorted({len(ending) for ending in _ENDINGS})
_LETTERS = _languages(_WORDS["letters"])
_SHARED_LETTERS = {letter: words.split() for letter, words in _WORDS["shared_letters"].items()}


def detect(text: str) -> str | None:
    """ISO 639-1 code of the language, one of SUPPORTED, or None where another or none is likely."""
    prose = text[:MAX_CHARACTERS].lower()
    if "@" in prose or "://" in prose:
        tokens = prose.split()
        prose = " ".join(token for token in tokens if "@" not in token and "://" not in token)
    points: dict[str, int] = {}
    for word in _WORD.findall(prose)[:MAX_WORDS]:
        for language, worth in _points(word):
            points[language] = points.get(language, 0) + worth
    ranked = sorted(points.items(), key=itemgetter(1), reverse=True)
    if not ranked or ranked[0][1] < MIN_POINTS:
        return None
    best, most = ranked[0]
    if len(ranked) > 1 and most < MIN_LEAD * ranked[1][1]:
        return None
    return best if best in SUPPORTED else None


@lru_cache(maxsize=20_000)
def _points(word: str) -> tuple[tuple[str, int], ...]:
    """What a lower-case word speaks for, and how much; a language once for each kind of sign."""
    points: dict[str, int] = {}

    def add(languages: Iterable[str], worth: int) -> None:
        for language in languages:
            points[language] = points.get(language, 0) + worth

    add(_FREQUENT.get(word, ()), 2)
    add(_speaking_for(_STEMS, [word[:length] for length in _STEM_LENGTHS]), 2)
    if len(word) > 4:
        add(_speaking_for(_ENDINGS, [word[-length:] for length in _ENDING_LENGTHS]), 1)
    if not word.isascii():
        add(_speaking_for(_LETTERS, word), 3)
        for letter in set(word):
            add(_SHARED_LETTERS.get(letter, ()), 1)
    return tuple(points.items())


def _speaking_for(table: Mapping[str, Sequence[str]], signs: Iterable[str]) -> set[str]:
    return {language for sign in signs if sign in table for language in table[sign]}
