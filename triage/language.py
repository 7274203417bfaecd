"""Which of the shop's languages a text is written in, or none of them.

Made for short mails with and without diacritics ("gdzie moja paczka"): frequent words, the stems of
complaints, letters that only one language has, and a few endings, each worth some points. Other
languages of the neighbourhood are known by their frequent words, so that Slovak is not called Czech
and Russian not Ukrainian. The words are in ``language.toml``. No model, no download, and the same
answer every time.
"""

import re
import tomllib
from collections import Counter
from functools import lru_cache
from pathlib import Path

MAX_CHARACTERS = 20_000  # the beginning of a mail says enough
MAX_WORDS = 500
MIN_POINTS = 3
MIN_LEAD = 1.25  # the winner's points over those of the second

SUPPORTED = ("pl", "en", "de", "cs", "uk")

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")

_FILE = Path(__file__).with_suffix(".toml")
_WORDS = tomllib.loads(_FILE.read_text(encoding="utf-8"))
_FREQUENT = {language: frozenset(words.split()) for language, words in _WORDS["frequent"].items()}
_STEMS = {language: tuple(stems.split()) for language, stems in _WORDS["stems"].items()}
_ENDINGS = {language: tuple(endings.split()) for language, endings in _WORDS["endings"].items()}
_LETTERS: dict[str, str] = _WORDS["letters"]
_SHARED_LETTERS: dict[str, str] = _WORDS["shared_letters"]


def detect(text: str) -> str | None:
    """ISO 639-1 code of the language, one of SUPPORTED, or None where another or none is likely."""
    tokens = text[:MAX_CHARACTERS].lower().split()
    prose = " ".join(token for token in tokens if "@" not in token and "://" not in token)
    points: Counter[str] = Counter()
    for word in _WORD.findall(prose)[:MAX_WORDS]:
        for language, worth in _points(word):
            points[language] += worth
    ranked = points.most_common(2)
    if not ranked or ranked[0][1] < MIN_POINTS:
        return None
    best, most = ranked[0]
    if len(ranked) > 1 and most < MIN_LEAD * ranked[1][1]:
        return None
    return best if best in SUPPORTED else None


@lru_cache(maxsize=20_000)
def _points(word: str) -> tuple[tuple[str, int], ...]:
    """What a lower-case word speaks for, and how much."""
    points: Counter[str] = Counter()
    for language, words in _FREQUENT.items():
        points[language] += 2 * (word in words)
    for language, stems in _STEMS.items():
        points[language] += 2 * word.startswith(stems)
    for language, endings in _ENDINGS.items():
        points[language] += len(word) > 4 and word.endswith(endings)
    if not word.isascii():
        for language, letters in _LETTERS.items():
            points[language] += 3 * any(letter in letters for letter in word)
        for letter, languages in _SHARED_LETTERS.items():
            if letter in word:
                points.update(languages.split())
    return tuple((language, worth) for language, worth in points.items() if worth)
