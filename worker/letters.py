"""Which charset a text without a trustworthy label is in: the one whose reading has real words.

A reading costs something for every letter that is rare or unknown in a language of our customers,
for a letter where that language never has it, and for a symbol inside a word; the cheapest charset
wins. Only the words that hold a byte above 0x7F are looked at, and of them the first ones.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

MAX_WORDS = 100  # distinct words with a byte above 0x7F that are weighed

# Letters beyond ASCII of each language and what they cost, as hexadecimal digits: minus the binary
# logarithm of how often such a letter is this one in this place, in the word lists of wordfreq 3.1.
# The nine digits: first in a word before a vowel, before a consonant, before no letter; after a
# vowel and before these; after a consonant and before these. One digit: the same in every place,
# and three bits dearer than counted, because in that alphabet every letter counts.
_LETTERS = {
    "pl": (
        "łe8d54684a ęeff4f54f5 ąeff7f64f4 że5f655d8d óefcff9ff3 śef66f4af8 ćefc4fb6ed "
        "ńfff7f6cff źfeabf89fa"
    ),
    "cs": (
        "íefdafd3f3 áefeff85e3 ěffffff4f4 ře7d969b4b že6c656a8a éffdffa4f5 čc68966a7a "
        "še88866d6a ýffffff5d5 ůfffeff6f6 úef7ffcefb ňfef9baead ťfef9ddbae ďfef9ccddd "
        "óeffffdef9"
    ),
    "sk": (
        "áeebcf75b3 íefb9fc5f4 ýefffff5d4 ča58955d7a že5b656d89 šd86866d58 éefdffa4f5 "
        "úef6dfc5f5 ťe9f48b68d ľe7e876f7e ôffdfffff6 ďe8f79ac9f ňfaf89be8f óeffff9ef7 "
        "äffffffaf7 ĺffffffff9 ŕffffffffb"
    ),
    "de": ("ücf4ffbcf1 äc96fc9c52 öcf6df9ac3 ßfff474fff"),
    "hu": (
        "éde4ef78b2 áde6ee6892 ödf7ff9ee4 óce88c8595 ő9f8df9585 íef7ff9ee5 üef8ff9df5 "
        "úef7afa8d6 űffcbfa7a7"
    ),
    "ro": ("ăddb8fa273 ţe7fa3ea4e şe47855d8b îd93ffbdd9 âeffffcf94"),
    "hr": ("čd46534a57 šd55543c56 žd49845a59 ćd6f649f8f đeafd5cf9f"),
    "fr": (
        "édc3676332 à3fffff7ff èefcff5ff4 êff6ff9ff5 çd6ff8ff7f ôdfdffddf6 âdf9ffbff7 "
        "îffaff7ffb ûfffff8af8 ùfff7fffff ïfffbb8fff œf9fffff9e ëfffdfafff üffffffffd"
    ),
    "es": ("ócf95f34f4 ídf9786534 ácf7fd7593 édf66d5684 ñdfff4ffff úff7ff8895 üfffffff9d"),
    "it": ("àaff6ff2ff è2ff7ff5bf òfff5ff4ff ùfff3ff7ff é8fabff4b8 ìfff9ff4fa"),
    "pt": (
        "ãddfb7d82a çeeff3ff5f é4f9cc7684 ácb7cf74a4 ífd98a6c84 ócf8cf9794 êdfbaf76a5 "
        "õffff9ff5f úff7cf8cf6 à6f8ffffff âffaffbfe6 ôdfbfff9c7"
    ),
    "da": ("å4c5cca263 øc95fd8862 æcf7ffba92 éef9fff9ba"),
    "sv": ("äd84594332 öcc6ab6773 åce6bcd494 éefffffabb"),
    "nl": ("ëfff352fff éa36ff3465 ïfff973fff èffaff67f6 üff8ff8ff6 öfffff6af9"),
    "ru": (
        "о6 е7 а7 и7 т7 н7 с7 в7 р7 л8 к8 д8 м8 п8 у8 я9 ы9 ь9 г9 б9 з9 ч9 й9 жa хa шa юa цb эb щb "
        "фb ёb ъc"
    ),
    "uk": (
        "о6 а7 н7 і7 и7 в7 т7 е7 р7 с8 к8 у8 д8 л8 м8 п8 з8 я9 б9 ь9 г9 й9 ч9 цa хa жa їa юa шa щa "
        "єa фb ґc"
    ),
}
_TABLES = [{entry[0]: (entry[1:] * 9)[:9] for entry in text.split()} for text in _LETTERS.values()]
_STARTS = [{"pl": 0, "cs": 2, "de": 2, "uk": 2}.get(language, 5) for language in _LETTERS]
_NOTHING = (0,) * len(_TABLES)
_UNKNOWN = 16  # a letter that the language has not
_OTHER_LANGUAGE = 12  # a word in another language than the text
_CASE = 8  # a capital after a small letter; a consonant that is a word of its own
_CLEAR = 40  # a lead after which nothing changes
_SYMBOL = 16  # a symbol in a word
_BROKEN = 30  # a control character, or no character at all
# Quotation marks, dashes, dots: beside words they cost nothing.
_PUNCTUATION = "‚„“”‘’‹›–—…•€™\u00ad"
_JOINING = "’–—„“”\u00ad"  # of them, those that stand between letters where a space is missing
_SYMBOLS = re.compile(r"(?:[^\w\x00-\x7f]|[¹²³¼½¾])+")
_DIGITS = "0123456789"
_ALONE = "àáâäåæèéêëìíîòóôöøùúüœ"  # letters that are words, or nearly
_VOWELS = frozenset("aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýąęěůőűăœ")
_LETTERS_OF_ASCII = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CYRILLIC_CODECS = ("cp1251", "koi8-u")
_CYRILLIC = re.compile("[\u0400-\u04ff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u017f]")

_HIGH = re.compile(rb"[\x80-\x9f\xa1-\xff]")
_RUN = re.compile(rb"[0-9A-Za-z\x80-\x9f\xa1-\xff]{0,60}")  # a space in every charset: 0xA0
_RUN_BEFORE = re.compile(rb"[0-9A-Za-z]{0,40}")


def cheapest(data: bytes, codecs: Sequence[str], *, head_start: int = 0) -> str:
    """The codec in which ``data`` reads best; the first codec is ahead by ``head_start`` bits.

    Of equal ones the earlier wins. More words are weighed only while none is far ahead.
    """
    words = _words(data)
    best = codecs[0]
    for limit in (MAX_WORDS // 6, MAX_WORDS):
        sample = b" ".join(words[:limit])
        # Text in another alphabet has few Latin letters among its own.
        latin = 2 * len(sample.translate(None, _LETTERS_OF_ASCII)) < len(sample)
        readings: dict[str, str] = {}
        for codec in codecs:
            if not (latin and codec in _CYRILLIC_CODECS):
                readings.setdefault(sample.decode(codec, "replace"), codec)
        if len(readings) > 1:
            costs = [cost(text) for text in readings]
            costs[0] -= head_start
            first, second = sorted(costs)[:2]
            best = list(readings.values())[costs.index(first)]
            if second - first > _CLEAR:
                break
        if len(words) <= limit:
            break
    return best


def _words(data: bytes) -> list[bytes]:
    """The first distinct words that hold a byte above 0x7F."""
    found: dict[bytes, None] = {}
    position = 0
    for _ in range(4 * MAX_WORDS):
        high = _HIGH.search(data, position)
        if high is None or len(found) >= MAX_WORDS:
            break
        start = high.start()
        before = _RUN_BEFORE.match(data[max(start - 40, position) : start][::-1])
        run = _RUN.match(data, start)
        position = max(run.end() if run else start, start + 1)
        found[data[start - (before.end() if before else 0) : position]] = None
    return list(found)


@lru_cache(4096)
def _letter_costs(three: str) -> tuple[int, ...]:
    """What a character above 0x7F between two others costs in each language; symbols nothing."""
    letter, place = three[1].lower(), 3 * _kind(three[0]) + _kind(three[2])
    if not letter.isalpha():
        return _NOTHING
    return tuple(
        int(letters[letter][place], 16) if letter in letters else _UNKNOWN for letters in _TABLES
    )


def _kind(neighbour: str) -> int:
    """0 for no letter, 1 for a vowel, 2 for a consonant."""
    return (1 if neighbour.lower() in _VOWELS else 2) if neighbour.isalpha() else 0


def cost(text: str) -> int:
    """What it costs, in bits, to take words for text in one language, some for words of others."""
    total = sum(_symbol_cost(text, run.start(), run.end()) for run in _SYMBOLS.finditer(text))
    mixed = _CYRILLIC.search(text) is not None
    table: list[list[int]] = []
    for word in text.split(" "):
        total += _shape_cost(word, mixed=mixed)
        padded = f" {word} "
        costs = [_letter_costs(padded[i - 1 : i + 2]) for i, c in enumerate(padded) if c > "\x7f"]
        table.append([sum(column) for column in zip(*costs, strict=True)])
    others = [min(row) + _OTHER_LANGUAGE for row in table]
    by_language = zip(zip(*table, strict=True), _STARTS, strict=True)
    cheapest_language: int = min(sum(map(min, column, others), s) for column, s in by_language)
    return total + cheapest_language


def _shape_cost(word: str, *, mixed: bool) -> int:
    """What lonely consonants, mixed cases and mixed alphabets in a word cost."""
    if word.islower() and len(word) > 1 and not mixed:
        return 0
    cost = 0
    letters = word.strip(_PUNCTUATION + _DIGITS)
    if not (letters.islower() or letters.istitle() or letters.isupper()):
        cost += _CASE * sum(a.islower() and b.isupper() for a, b in pairwise(letters))
    if len(letters) == 1 and letters > "\x7f" and letters.lower() not in _ALONE:
        cost += _CASE
    if mixed and _CYRILLIC.search(letters) and _LATIN.search(letters):
        cost += _UNKNOWN
    return cost


def _symbol_cost(text: str, start: int, end: int) -> int:
    """What a run of symbols in or beside a word costs."""
    symbols = text[start:end]
    broken = sum(c < "\xa0" or c == "\ufffd" for c in symbols)
    if broken:
        return _BROKEN * broken
    before, after = text[max(start - 1, 0) : start].isalpha(), text[end : end + 1].isalpha()
    if before and after:
        return 2 if any(c in _JOINING for c in symbols) else _SYMBOL * len(symbols)
    metres = symbols in "²³" and " " in f" {text[max(start - 3, 0) : start]}"[-3:]  # m², cm³
    each = _SYMBOL if after or (before and not metres) else 1
    return each * sum(c not in _PUNCTUATION for c in symbols)
