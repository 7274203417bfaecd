"""Which characters a run of bytes stands for, when its label is missing or wrong.

Strict UTF-8 first, because text in another charset hardly ever happens to be valid UTF-8; then the
declared charset, from an allow-list (Python's registry holds codecs such as ``unicode_escape`` and
``rot13``, too); then the charset in which the words read best (``worker.letters``). A label is not
believed against the bytes: Latin-1 is read as Windows-1252 (WHATWG Encoding Standard, section 4.2),
and where the bytes make much better words in another charset than in the declared one, they are
read in the other.
"""

import base64
import codecs
import re
from dataclasses import dataclass

from worker import letters

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
_SEVEN_BIT = ("iso2022", "hz")
_WIDE = ("utf-16", "utf-32")  # under such a label, text without a zero byte is in no such charset
# Labels that are often wrong, or none.
_CORRECTED = ("", "utf-8", "cp1252", "iso8859-15", "cp1250", "iso8859-2")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_JAPANESE = ("iso2022-jp", "cp932", "euc-jp")
_UTF_7 = ("utf-7", "unicode-1-1-utf-7", "unicode-2-0-utf-7", "csunicode11utf7")
# What text may be in that has no usable label or one of the first two; the likeliest first.
_GUESSES = ("cp1250", "iso8859-2", "cp1252", "cp1251", "koi8-u")
# How many bits better another charset must read than the declared one. Measured on word lists: with
# these, a right label is believed every time, and a wrong one 99 times in 100 not.
_TRUST_IN_LATIN_1 = 5
_TRUST_IN_LATIN_2 = 3
_ENOUGH = 20_000  # characters of a text that are looked at
_MAX_LINES = 20_000  # of a text that may be in two charsets

_7_BIT = bytes(range(0x80))
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_C1 = re.compile(rb"[\x80-\x9f]")
_LETTER_IN_1250 = re.compile(rb"[\xa5\xb9\xbe]")  # Ą ą ľ there, Ľ š ž in ISO-8859-2
_UTF_8_LETTER = re.compile(rb"[\xc3-\xc5\xd0\xd1][\x80-\xbf]")  # Latin and Cyrillic ones
# Two letters of a capital word in Windows-1250 or ISO-8859-2, such as Ó and Ł of "SPÓŁKA", can be
# one letter of UTF-8; but it is of another script, and alone among Latin ones.
_STRAY = re.compile("(?<=[A-Za-z])[\u0250-\u07ff](?![\u0080-\uffff])")
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_SHIFTED = re.compile(r"\+([A-Za-z0-9+/]*)-?")
_ESCAPE = re.compile(rb"\x1b(\$[@B]|\([BJI])")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")


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
    label = (declared or "").strip().strip("\"'").lower()
    if data.isascii():
        return _decode_seven_bit(data, codec, label)
    if label in _ASCII:
        codec = ""  # 8 bits under a 7-bit label: nothing was declared (E-18)
    if codec.startswith(_WIDE) and b"\0" in data:
        return _decode_as(data, _byte_order(data, codec))
    try:
        text = data.decode("utf-8")
        if codec == "utf-8" or not _is_stray(text):
            return Decoded(text, "utf-8", certain=True)
        codec = codec or _GUESSES[0]
    except UnicodeDecodeError as error:
        # A text cut inside its last character is still UTF-8.
        if error.end >= len(data) and len(data) - error.start < 4 and error.start > 0:
            head = data[: error.start].decode("utf-8")
            enough = 1 if codec in ("", "utf-8") else 3
            if len(_NOT_ASCII.findall(head)) >= enough and not _is_stray(head):
                return Decoded(f"{head}\ufffd", "utf-8", certain=False)
    if whole := _with_surrogates(data):
        return Decoded(whole, "utf-8", certain=False)
    if codec.startswith(_JAPANESE):
        return _decode_japanese(data, codec)
    if codec in _CORRECTED and (text := _decode_lines(data, codec)):
        return Decoded(text, "utf-8", certain=False)
    if codec in ("", "utf-8"):
        if _mostly_utf8(data):
            return Decoded(data.decode("utf-8", "replace"), "utf-8", certain=False)
        guessed = letters.cheapest(data, _guesses(data))
        return Decoded(data.decode(guessed, "replace"), guessed, certain=False)
    return _decode_as(data, _corrected(data, codec))


def _decode_as(data: bytes, codec: str) -> Decoded:
    try:
        return Decoded(data.decode(codec), codec, certain=True)
    except UnicodeDecodeError:
        return Decoded(data.decode(codec, "replace"), codec, certain=False)


def _decode_seven_bit(data: bytes, codec: str, label: str) -> Decoded:
    """As ``decode``, of bytes below 0x80."""
    if b"\x1b$" in data and not codec.startswith("iso2022"):
        codec = "iso2022-jp-ext"
    if codec.startswith(_WIDE) and b"\0" in data:
        return _decode_as(data, _byte_order(data, codec))
    if codec.startswith("iso2022-jp"):
        return _decode_japanese(data, codec)
    if codec.startswith(_SEVEN_BIT):
        return _decode_as(data, codec)
    text = data.decode("ascii")
    return Decoded(_SHIFTED.sub(_unshifted, text) if label in _UTF_7 else text, "utf-8", True)


def _byte_order(data: bytes, codec: str) -> str:
    """The codec for UTF-16 without a byte order mark: zero bytes of Latin text betray the order."""
    if codec != "utf-16":
        return codec
    return "utf-16-be" if data[::2].count(0) > data[1::2].count(0) else "utf-16-le"


def _unshifted(match: re.Match[str]) -> str:
    """The text of a shifted run of UTF-7 (RFC 2152).

    What can be markup stays as it was sent: no mail program needs to shift it.
    """
    run = match[1]
    if not run:
        return "+" if match[0] == "+-" else match[0]
    data = base64.b64decode(run + "A" * (-len(run) % 4))[: len(run) * 6 // 16 * 2]
    text = data.decode("utf-16-be", "ignore")
    return match[0] if not text or any(c < " " or c in "<>&\"'" for c in text) else text


def _decode_japanese(data: bytes, codec: str) -> Decoded:
    """ISO-2022-JP also with characters of NEC; Shift_JIS and EUC-JP also one for the other."""
    readings: list[tuple[int, str, str]] = []
    for candidate in (codec,) if b"\x1b" in data else (codec, "cp932", "euc-jp", "euc-jis-2004"):
        try:
            text = data.decode(candidate)
        except UnicodeDecodeError:
            continue
        # One read as the other is mostly katakana of half width, and hardly anybody writes so.
        narrow = len(_HALF_WIDTH.findall(text[:_ENOUGH]))
        if narrow <= max(4, len(_NOT_ASCII.findall(text[:_ENOUGH])) // 2):
            return Decoded(text, candidate, certain=True)
        readings.append((narrow, candidate, text))
    if not readings:
        text = _with_nec_characters(data)
        return Decoded(text, "cp932", certain="\ufffd" not in text)
    _, found, text = min(readings, key=lambda reading: reading[0])
    return Decoded(text, found, certain=True)


def _with_nec_characters(data: bytes) -> str:
    """ISO-2022-JP with the rows that NEC added (CP50220), by way of Shift_JIS."""
    out: list[bytes] = []
    mode, position = b"(B", 0
    for escape in (*_ESCAPE.finditer(data), None):
        section = data[position : escape.start() if escape else len(data)]
        if mode == b"(I":
            section = bytes(b | 0x80 if 0x21 <= b <= 0x5F else b for b in section)
        out.append(_shifted_jis(section) if mode.startswith(b"$") else section)
        if escape:
            mode, position = escape[1], escape.end()
    return b"".join(out).decode("cp932", "replace")


def _shifted_jis(pairs: bytes) -> bytes:
    """Two-byte JIS as Shift_JIS (JIS X 0208:1997, annex 1); other bytes as they are."""
    out = bytearray()
    i = 0
    while i < len(pairs):
        row, cell = pairs[i], pairs[i + 1] if i + 1 < len(pairs) else 0
        if 0x21 <= row <= 0x7E and 0x21 <= cell <= 0x7E:
            out.append((row + 1 >> 1) + (0x70 if row < 0x5F else 0xB0))
            out.append(cell + (0x7E if row % 2 == 0 else 0x1F if cell < 0x60 else 0x20))
            i += 2
        else:
            out.append(row)
            i += 1
    return bytes(out)


def _is_stray(text: str) -> bool:
    """Whether all there is beyond ASCII are single letters of other scripts in Latin words."""
    first = _NOT_ASCII.search(text)
    if first is None or not "\u0250" <= first.group() <= "\u07ff":
        return False
    return len(_STRAY.findall(text)) == len(_NOT_ASCII.findall(text))


def _decode_lines(data: bytes, codec: str) -> str:
    """Text of which some lines are UTF-8 and others are not, or "" where it is in one charset.

    A gateway glues its footer under a text without looking at the charset of either.
    """
    if not 0 < data.count(b"\n") < _MAX_LINES or len(_UTF_8_LETTER.findall(data)) < 3:
        return ""
    lines = data.splitlines(keepends=True)
    others: list[bytes] = []
    whole = 0
    for line in lines:
        try:
            line.decode("utf-8")
            whole += len(_UTF_8_LETTER.findall(line))
        except UnicodeDecodeError:
            if not _mostly_utf8(line):
                others.append(line)
    if whole < 3 or not others:
        return ""
    rest = b"".join(others)
    guessed = letters.cheapest(rest, _guesses(rest))
    if codec not in ("", "utf-8"):
        guessed = _corrected(rest, codec)
    foreign = set(others)
    return "".join(
        line.decode(guessed if line in foreign else "utf-8", "replace") for line in lines
    )


def _with_surrogates(data: bytes) -> str:
    """UTF-8 in which halves of surrogate pairs were encoded one by one (CESU-8, WTF-8), or "".

    Halves that belong together become their character, others U+FFFD.
    """
    if not _SURROGATE.search(data):
        return ""
    try:
        halves = data.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")
    except UnicodeDecodeError:
        return ""
    return halves.decode("utf-16-le", "replace")


def _mostly_utf8(data: bytes) -> bool:
    """Whether nine tenths of what is not ASCII are characters of UTF-8, or most are letters of it.

    The letters are those of the languages of our customers: what looks like one of them is hardly
    ever anything else.
    """
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = len(text) - _count(data, _7_BIT) - bad
    return good > 9 * bad or len(_UTF_8_LETTER.findall(data)) > bad


def _guesses(data: bytes) -> tuple[str, ...]:
    # ISO-8859-2 has nothing from 0x80 to 0x9F, Windows-1250 letters and quotation marks (E-14).
    return tuple(c for c in _GUESSES if c != "iso8859-2") if _C1.search(data) else _GUESSES


def _corrected(data: bytes, codec: str) -> str:
    """The codec that the bytes speak for, among those that are often mistaken for the declared."""
    if codec in ("cp1252", "iso8859-15"):
        others = (guess for guess in _guesses(data) if guess != "cp1252")
        return letters.cheapest(data, (codec, *others), head_start=_TRUST_IN_LATIN_1)
    if codec in ("iso8859-2", "cp1250"):
        if _C1.search(data):
            return "cp1250"
        if codec == "iso8859-2" and not _LETTER_IN_1250.search(data):
            return codec
        other = "cp1250" if codec == "iso8859-2" else "iso8859-2"
        return letters.cheapest(data, (codec, other), head_start=_TRUST_IN_LATIN_2)
    return codec


def _count(data: bytes, wanted: bytes) -> int:
    """How many bytes are among the wanted ones; a hundred times as fast as looking at each."""
    return len(data) - len(data.translate(None, wanted))
