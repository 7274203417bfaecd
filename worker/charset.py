"""Which characters a run of bytes stands for, when its label is missing or wrong.

Strict UTF-8 first, because text in another charset hardly ever happens to be valid UTF-8; then the
declared charset, from an allow-list (Python's registry holds codecs such as ``unicode_escape`` and
``rot13``, too); then a guess made for Polish mail. A label is not believed against the bytes:
Latin-1 is read as Windows-1252 (WHATWG Encoding Standard, section 4.2), and ISO-8859-2 and
Windows-1250 are told apart by the letters in which they differ (ą ś ź Ą Ś Ź, and the range 0x80 to
0x9F).
"""

import codecs
import re
from dataclasses import dataclass

# Label (lower case, "_" as "-") to Python codec. Latin-1 and ASCII are read as their superset.
_NAMED = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "utf8mb4": "utf-8",
    "cp65001": "utf-8",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "ansi-x3.4-1968": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-latin-1": "cp1252",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-11": "cp874",
    "windows-874": "cp874",
    "tis-620": "cp874",
    "latin2": "iso8859-2",
    "latin-2": "iso8859-2",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "ibm437": "cp437",
    "cp437": "cp437",
    "cp850": "cp850",
    "ibm850": "cp850",
    "cp852": "cp852",
    "ibm852": "cp852",
    "macintosh": "mac-roman",
    "x-mac-roman": "mac-roman",
    "x-mac-ce": "mac-latin2",
    "x-mac-centraleurroman": "mac-latin2",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "utf-32": "utf-32",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "cp936": "gb18030",
    "windows-936": "gb18030",
    "x-gbk": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "cp950",
    "cp950": "cp950",
    "big5-hkscs": "big5hkscs",
    "shift-jis": "cp932",
    "shift_jis": "cp932",
    "sjis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "cp932": "cp932",
    "euc-jp": "euc-jp",
    "iso-2022-jp": "iso2022-jp-ext",
    "iso-2022-jp-1": "iso2022-jp-ext",
    "iso-2022-jp-2": "iso2022-jp-2",
    "iso-2022-jp-ms": "iso2022-jp-ext",
    "cp50220": "iso2022-jp-ext",
    "iso-2022-kr": "iso2022-kr",
    "euc-kr": "cp949",
    "ks-c-5601-1987": "cp949",
    "ks-c-5601": "cp949",
    "cp949": "cp949",
    "windows-949": "cp949",
    "uhc": "cp949",
}


def _codecs() -> dict[str, str]:
    """Every allowed label: the named ones and the numbered families."""
    table = dict(_NAMED)
    for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16):
        for label in (f"iso-8859-{n}", f"iso8859-{n}", f"8859-{n}"):
            table[label] = f"iso8859-{n}"
    table["iso-8859-9"] = "cp1254"
    for n in range(1250, 1259):
        for label in (f"windows-{n}", f"cp{n}", f"cp-{n}", f"windows{n}", f"win-{n}", f"x-cp{n}"):
            table[label] = f"cp{n}"
    return table


_CODECS = _codecs()

_ASCII = ("us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us")
# Charsets whose bytes are all ASCII and still not ASCII text.
_SEVEN_BIT = ("iso2022", "hz", "utf-16", "utf-32")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_HIGH = re.compile(rb"[\x80-\xff]")
_C1 = re.compile(rb"[\x80-\x9f]")
# Bytes that are Polish letters in one of the two charsets and symbols in Windows-1252 or the other:
# ą ł ś ź ż. Between two letters no symbol stands, so one such byte betrays the charset.
_POLISH_IN_WORD = re.compile(
    rb"(?<=[A-Za-z\xf3\xea\xe6])[\xb1\xb3\xb6\xb9\xbc\xbf](?=[A-Za-z\xf3\xea\xe6])"
)
_POLISH_AT_END = re.compile(rb"(?<=[a-z])[\xb1\xb3\xb6\xb9\xbc\xbf](?![\xb1-\xbf])")
_ONLY_1250 = re.compile(
    rb"[\x8c\x8f\x9c\x9f]|(?<=[A-Za-z\xb3\xbf])\xb9|\xb9(?=[a-z])|\xa5(?=[A-Za-z])"
)
_ONLY_8859_2 = re.compile(
    rb"[\xb1\xb6\xbc](?=[A-Za-z\xb3\xbf\xf3])|(?<=[a-z\xb3\xbf\xf3])[\xb1\xb6\xbc]|\xa6(?=[a-z])"
)
_SHARED_POLISH = re.compile(rb"[\xb3\xbf\xea\xf1\xe6\xa3\xaf]")  # ł ż ę ń ć Ł Ż in both charsets
_SHARED_CZECH = re.compile(rb"[\xec\xf8\xf9\xe8\xef\xf2\xcc\xd8\xd9\xc8]")  # ě ř ů č ď ň in both
_POLISH_1250 = frozenset(
    b"\xb9\xe6\xea\xb3\xf1\xf3\x9c\x9f\xbf\xa5\xc6\xca\xa3\xd1\xd3\x8c\x8f\xaf"
)
_POLISH_8859_2 = frozenset(
    b"\xb1\xe6\xea\xb3\xf1\xf3\xb6\xbc\xbf\xa1\xc6\xca\xa3\xd1\xd3\xa6\xac\xaf"
)
# Quotation marks, dashes, dots, euro and the like: the same in Windows-1250 and 1252.
_PUNCTUATION = frozenset(
    b"\x80\x82\x84\x85\x91\x92\x93\x94\x95\x96\x97\x99\xa0\xa7\xa9\xab\xae\xb0\xb4\xb7\xbb"
)


@dataclass(frozen=True)
class Decoded:
    """Text and how sure it is."""

    text: str
    charset: str  # the Python codec used
    certain: bool  # False: guessed, or some bytes became U+FFFD


def codec_for(label: str | None) -> str | None:
    """The Python codec for a charset label of a mail, or None where the label is not allowed."""
    if not label or len(label) > 40:
        return None
    name = label.strip().strip("\"'").lower().replace("_", "-").replace(" ", "")
    return _CODECS.get(name)


def decode(data: bytes, declared: str | None = None) -> Decoded:
    """Decode ``data``; never raises, never returns a lone surrogate.

    declared: the charset label of the mail, as written there; anything at all.
    """
    for bom, codec in _BOMS:
        if data.startswith(bom):
            text = data.decode(codec, "replace").lstrip("\ufeff")
            return Decoded(text, codec, certain="\ufffd" not in text)
    codec = codec_for(declared) or ""
    if _HIGH.search(data) and (declared or "").strip().strip("\"'").lower() in _ASCII:
        codec = ""  # 8 bits under a 7-bit label: nothing was declared (E-18)
    if codec.startswith(_SEVEN_BIT):
        return _decode_as(data, codec)
    if b"\x1b$" in data and not _HIGH.search(data):
        return _decode_as(data, "iso2022-jp-ext")
    try:
        return Decoded(data.decode("utf-8"), "utf-8", certain=True)
    except UnicodeDecodeError as error:
        # A text cut inside its last character is still UTF-8.
        if error.end >= len(data) and len(data) - error.start < 4 and error.start > 0:
            head = data[: error.start]
            if _HIGH.search(head):
                return Decoded(head.decode("utf-8") + "\ufffd", "utf-8", certain=False)
    if codec in ("", "utf-8"):
        if _mostly_utf8(data):
            return Decoded(data.decode("utf-8", "replace"), "utf-8", certain=False)
        guessed = _guess(data)
        return Decoded(data.decode(guessed, "replace"), guessed, certain=False)
    return _decode_as(data, _corrected(data, codec))


def _decode_as(data: bytes, codec: str) -> Decoded:
    try:
        return Decoded(data.decode(codec), codec, certain=True)
    except UnicodeDecodeError:
        return Decoded(data.decode(codec, "replace"), codec, certain=False)


def _mostly_utf8(data: bytes) -> bool:
    """Whether at least nine tenths of the non-ASCII characters are whole UTF-8 sequences."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = sum(1 for c in text if c > "\x7f") - bad
    return good > 9 * bad


def _corrected(data: bytes, codec: str) -> str:
    """The codec that the bytes speak for, among those that are often mistaken for the declared."""
    if codec == "cp1252":
        in_word = _POLISH_IN_WORD.search(data)
        at_ends = {m.group() for m in _POLISH_AT_END.finditer(data)}
        return _central(data) if in_word or len(at_ends) > 1 else codec
    if codec == "iso8859-2":
        if _C1.search(data):
            return "cp1250"
        polish = _SHARED_POLISH.search(data) and not _SHARED_CZECH.search(data)
        return "cp1250" if polish and _prefers_1250(data) else codec
    if codec == "cp1250":
        polish = not _SHARED_CZECH.search(data) and not _C1.search(data)
        return "iso8859-2" if polish and not _prefers_1250(data) else codec
    return codec


def _prefers_1250(data: bytes) -> bool:
    return len(_ONLY_1250.findall(data)) >= len(_ONLY_8859_2.findall(data))


def _central(data: bytes) -> str:
    return "cp1250" if _prefers_1250(data) else "iso8859-2"


def _guess(data: bytes) -> str:
    """The likeliest single-byte charset of a text without a usable label, Polish ones preferred."""
    high = [b for b in data if b > 0x7F]
    distinct = set(high) - _PUNCTUATION
    if distinct <= _POLISH_8859_2 and not _prefers_1250(data):
        return "iso8859-2"
    if distinct <= _POLISH_1250:
        return "cp1250"
    if distinct <= _POLISH_8859_2:
        return "iso8859-2"
    letters = sum(1 for b in data if 0x41 <= b <= 0x7A)
    # Text with more non-ASCII than ASCII letters is not written in the Latin alphabet. In
    # Windows-1251 small letters are 0xE0 to 0xFF, in KOI8-R 0xC0 to 0xDF.
    if len(high) > letters:
        upper_half = sum(1 for b in high if b >= 0xE0)
        lower_half = sum(1 for b in high if 0xC0 <= b < 0xE0)
        return "cp1251" if upper_half >= lower_half else "koi8-r"
    if _POLISH_IN_WORD.search(data) or (
        _SHARED_CZECH.search(data) and re.search(rb"[\x9a\x9e\x8a\x8e]", data)
    ):
        return _central(data)
    return "cp1252"
