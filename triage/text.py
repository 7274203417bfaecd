"""What a classifier sees of a message: the same in training and at run time."""

import re
import unicodedata

# Beyond this the encoder, which stops at 256 tokens, sees nothing anyway.
MAX_CHARACTERS = 4000

_PREFIX = re.compile(
    r"^\s*(?:(?:re|odp|fw|fwd|pd|aw|wg|antw|sv|tr|rv|vs|dot|betreff)\s*(?:\[\d+\])?\s*:\s*)+",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\[?\bODZ-\d{4}-\d{4,12}\b\]?", re.IGNORECASE)
_KEPT = 8  # characters of a run
_BLANKS = re.compile(rf"[^\S\n]{{{_KEPT + 1},}}")
_SIGNS = re.compile(rf"([-=_.*>~+#!?|])\1{{{_KEPT},}}")
_EMPTY_LINES = re.compile(rf"(?:\n[^\S\n]{{0,{_KEPT}}}){{3,}}\n")
_LONG_RUN = re.compile(rf"\s{{{_KEPT + 1}}}|([-=_.*>~+#!?|])\1{{{_KEPT}}}")
# To put thousands of accents on one letter in order (NFC) takes the square of their number.
_ACCENT = "".join(
    char
    for char in map(chr, range(0x300, 0x1F000))
    if unicodedata.combining(unicodedata.normalize("NFKD", char)[0])
)
_ACCENTS = re.compile(rf"([{_ACCENT}]{{{_KEPT}}})[{_ACCENT}]+")
_SPACES = re.compile(r"\s+")
# A word as people write them; a run of a thousand letters is none.
_WORD = re.compile(r"(?<![^\W\d_])[^\W\d_]{2,40}(?![^\W\d_])")
_LETTERS = re.compile(r"[^\W\d_]+")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_LAST_LATIN = "\u024f"
_LOOKALIKES = str.maketrans("авекмнорстухіјѕԁАВЕКМНОРСТУХІЈЅ", "abekmhopctyxijsdABEKMHOPCTYXIJS")
_WIDE = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
# The last letter of the Latin, Greek and Cyrillic blocks.
_LAST_LETTER = "\u052f"


def prepare(subject: str, text: str) -> str:
    """One line: the subject without reply prefixes and our reference, then the text.

    subject, text: what ``worker.complaint`` takes out of a mail; either may be empty.
    """
    title = folded(_REFERENCE.sub(" ", _PREFIX.sub("", subject)))
    body = folded(text[: 4 * MAX_CHARACTERS])
    return (f"{title}. {body}" if title else body)[:MAX_CHARACTERS]


def folded(text: str) -> str:
    """NFC in plain letters, without invisible characters, runs of white space as one space.

    A soft hyphen or a joiner inside a word leaves no gap in it (E-21); a Cyrillic letter among
    Latin ones, or a wide one, becomes the Latin letter that it looks like (E-20).
    """
    composed = _SPACES.sub(" ", unicodedata.normalize("NFC", fewer_accents(text))).strip()
    if composed.isascii():
        visible = composed
    else:
        visible = composed.translate(_WIDE)
        if _CYRILLIC.search(visible):
            visible = _LETTERS.sub(_without_lookalikes, visible)
    if visible.isprintable():
        return visible
    return _SPACES.sub(" ", "".join(map(_visible, visible))).strip()


def _without_lookalikes(word: re.Match[str]) -> str:
    found: str = word[0]
    latin = sum(char <= _LAST_LATIN for char in found)
    return found.translate(_LOOKALIKES) if latin > len(found) / 2 else found


def _visible(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cf":
        return ""
    return " " if category in ("Cc", "Cs", "Co") else char


def without_runs(text: str) -> str:
    """The text with long runs of blanks, of empty lines, of one sign and of accents cut short.

    What a person reads is the same; patterns that look for what follows such a run, from each of
    its characters, would need hours for a mail of nothing else (E-48).
    """
    text = fewer_accents(text)
    if not _LONG_RUN.search(text):
        return text
    shorter = _BLANKS.sub(" " * _KEPT, _SIGNS.sub(r"\1" * _KEPT, text))
    return _EMPTY_LINES.sub("\n\n\n", shorter)


def fewer_accents(text: str) -> str:
    """The text with eight accents on one letter at most."""
    return text if text.isascii() else _ACCENTS.sub(r"\1", text)


def without_diacritics(text: str) -> str:
    """Lower case and plain letters, as many people type: ``żółć`` becomes ``zolc``."""
    decomposed = unicodedata.normalize("NFKD", text.lower().replace("ł", "l").replace("ß", "ss"))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def is_readable(prepared: str) -> bool:
    """Whether there is anything in it that a classifier of this product can understand.

    No: no two different words, the same few words over and over, or mostly letters of an alphabet
    that none of its languages uses. Whatever is predicted of such a text means nothing.
    """
    words = _WORD.findall(prepared.lower())
    different = len(set(words))
    letters = [char for char in prepared if char.isalpha()]
    known = sum(char <= _LAST_LETTER for char in letters)
    return different >= 2 and different >= len(words) / 20 and known > len(letters) / 2
