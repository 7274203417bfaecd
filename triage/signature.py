"""What stands at the end of a mail without being said: signature, device line, legal footer.

Only what marks itself: a signature after ``-- ``, the line a device adds, a paragraph that reads
as legal footers do, the footer of a mailing list. A name under "Pozdrawiam" stays: it does no harm,
and cutting it would need a guess. What has the form but reads as somebody's own sentences stays.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from triage.history import MAX_LINE, is_rule
from triage.mail_words import (
    ASKS,
    BANNER_WORDS,
    CONJUNCTIONS,
    DEMANDS,
    DEVICE_LINE_STARTS,
    DEVICE_NAMES,
    DEVICE_OWNERS,
    DISCLAIMER_STARTS,
    DISCLAIMER_WORDS,
    any_of,
)

MAX_SIGNATURE_LINES = 25
MAX_BARE_SIGNATURE_LINES = 10  # under dashes that may be a rule between two paragraphs, too
MAX_ADVERTISING = 240  # characters
MAX_DEVICE_LINES = 5
MAX_PARAGRAPHS = 1000  # that are looked at for a footer
MAX_FOOTER = 2000  # characters of a footer that are looked at
MAX_LIST_FOOTER_LINES = 8

_SIGNATURE = re.compile(r"[ \t]{0,2}(?:--|—|–|- -)[ \t\u00a0]{0,20}$")
_POSTSCRIPT = re.compile(r"\W{0,3}(?:P\.? ?S\.?|Ps\.?|ps|PPS|ПС|П\.С\.)[ :.,-]+\S")
_DEVICE_START = re.compile(rf"[\W_]{{0,4}}(?:{any_of(DEVICE_LINE_STARTS)})", re.IGNORECASE)
_DEVICE_INSIDE = re.compile(
    "|".join(f"{start[0].upper()}(?i:{re.escape(start[1:])})" for start in DEVICE_LINE_STARTS)
)
# A short name only as a whole word: "app", not "happy".
_DEVICE_NAME = re.compile(
    rf"(?<!\w)(?:{any_of(name for name in DEVICE_NAMES if len(name) > 4)})"
    rf"|(?<!\w)(?:{any_of(name for name in DEVICE_NAMES if len(name) <= 4)})(?!\w)",
    re.IGNORECASE,
)
_DISCLAIMER = re.compile(rf"[\W_]{{0,6}}(?:{any_of(DISCLAIMER_STARTS)})", re.IGNORECASE)
_LIST_FOOTER = re.compile(r"mailing list|mailinglist|listinfo|lista dyskusyjna|/options/", re.I)
# An address, a link, a Polish postcode, a telephone.
_CONTACT = re.compile(r"@|www\.|://|\b\d\d-\d{3}\b|\b(?:tel|mob|kom|phone)\b\D{0,3}\d|\+\d\d", re.I)
_STOPS = (".", "!", "?", "…", ")")
_BLANK = "\ufeff\u200b\u2063 \t\u00a0"
_ARMOUR_START = "-----BEGIN PGP "
_ARMOURED = ("-----BEGIN PGP SIGNATURE", "-----BEGIN PGP PUBLIC KEY")


@dataclass(frozen=True)
class Signed:
    """Lines of text, and the lines that were taken from them."""

    lines: list[str]
    removed: list[str]


def without_signature(lines: list[str]) -> Signed:
    """The lines without what marks itself as signature or footer."""
    lines = trimmed(lines)
    lines, list_footer = _without_list_footer(lines)
    lines, device = _without_device_lines(lines)
    lines, signature = _without_marked_signature(lines)
    lines, footer = _without_footers(lines)
    if signature or footer:
        lines, upper = _without_device_lines(lines)
        device = [*upper, *device]
    return Signed(lines, [*device, *footer, *signature, *list_footer])


def _without_marked_signature(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines above the dashes of a signature, with a postscript from below, and the rest.

    ``-- `` is the mark (RFC 3676 §4.3). Dashes without the blank, which some programs remove, and
    those above another signature, may also part two paragraphs; then the words below tell.
    """
    cut = end = len(lines)
    below = 0  # lines with text under the one looked at
    for index in range(end - 1, -1, -1):
        if below > MAX_SIGNATURE_LINES:
            break
        line = lines[index]
        if _SIGNATURE.match(line):
            marked = line.startswith("--") and line.endswith((" ", "\u00a0")) and cut == end
            if not marked and not _reads_as_signature(lines, index, cut):
                break
            cut = index
        below += bool(line.strip())
    for index in range(cut + 1, end):
        if _POSTSCRIPT.match(lines[index]):
            return trimmed(lines[:cut] + lines[index:]), lines[cut:index]
    return trimmed(lines[:cut]), lines[cut:]


def _reads_as_signature(lines: list[str], dashes: int, end: int) -> bool:
    """Whether a few short lines without a sentence stand under the dashes, the first a name.

    A legal footer below does not count. Under a text that is signed already, a little advertising
    that asks for nothing is a program's.
    """
    under = []
    for line in lines[dashes + 1 : end]:
        if _DISCLAIMER.match(line[:MAX_LINE]):
            break
        if line.strip() and not is_rule(line):
            under.append(line[:MAX_LINE])
    if not under or len(under) > MAX_BARE_SIGNATURE_LINES:
        return not under
    if _is_name(under[0]) and not any(map(_is_sentence, under)):
        return True
    above = [line for line in lines[max(dashes - 10, 0) : dashes] if line.strip()]
    signed = len(above) > 1 and _signs(above[-1]) and any(map(_is_sentence, above[:-1]))
    return signed and sum(map(len, under)) < MAX_ADVERTISING and not any(map(ASKS.search, under))


def _is_name(line: str) -> bool:
    """Whether a line is a name or a company, up to six words with capitals, or has an address."""
    if _CONTACT.search(line):
        return True
    words = line.split()
    small = any(word[0].islower() and len(word) > 3 for word in words)
    return len(words) <= 6 and not small and not any(c.isdigit() for c in line)


def _is_sentence(line: str) -> bool:
    """Whether a line has the words of a sentence: most in small letters, or few and a full stop."""
    words = line.split()
    small = sum(word[0].islower() for word in words)
    long = sum(word[0].islower() and word[:-1].isalpha() and len(word) > 2 for word in words)
    stop = line.rstrip().endswith((".", "!", "?"))
    return (len(words) >= 8 and small >= 6) or (stop and len(words) >= 3 and long >= 2)


def _signs(line: str) -> bool:
    """Whether a line is somebody's name or a closing formula: up to four words and no full stop."""
    text = line.strip(f"{_BLANK}-–*_~,")
    if not text or len(text.split()) > 4 or text[-1] in ".!?:;":
        return False
    return text[0].isupper() and not any(c.isdigit() for c in text)


def _without_device_lines(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines without the last few where they are device lines, one glued to a sentence too."""
    device: list[str] = []
    while lines and len(device) < MAX_DEVICE_LINES and is_device_line(lines[-1]):
        device.insert(0, lines[-1])
        lines = trimmed(lines[:-1])
    if lines and not device and (cut := _glued_device_line(lines[-1])):
        device, lines = [lines[-1][cut:]], [*lines[:-1], lines[-1][:cut].rstrip()]
    return lines, device


def _glued_device_line(line: str) -> int:
    """Where "termin.Wysłano z mojego smartfona Galaxy." begins to be a device line, or 0.

    Samsung's plain text has no line end before it: it names a device and is glued to a word or a
    full stop; with a blank between it also says whose device it is, or what it is called.
    """
    start = max(len(line) - 160, 1)
    for match in _DEVICE_INSIDE.finditer(line, start):
        before, ending = line[: match.start()], line[match.start() :]
        if not _DEVICE_NAME.search(ending) or not is_device_line(ending):
            continue
        if before[-1].isalnum() or before[-1] in _STOPS:
            return match.start()
        named = [*line[match.end() :].split(), ""][0]
        owned = not DEVICE_OWNERS.isdisjoint(ending.lower().split()[1:4])
        if before.rstrip()[-1:] in _STOPS and (owned or named != named.lower()):
            return match.start()
    return 0


def without_armour(lines: Sequence[str]) -> Sequence[str]:
    """The lines without what PGP writes around a text that it signs (RFC 9580 section 7).

    The first line and its "Hash:" fields, "- " before lines that begin with a dash, and the
    signature; a public key likewise. An encrypted text stays: it is all there is.
    """
    if not any(line.startswith(_ARMOUR_START) for line in lines):
        return lines
    kept: list[str] = []
    signed = in_fields = in_armour = False
    for line in lines:
        if line.startswith("-----BEGIN PGP SIGNED MESSAGE"):
            signed = in_fields = True
        elif line.startswith(_ARMOURED):
            in_armour, signed = True, False
        elif in_armour:
            in_armour = not line.startswith("-----END PGP ")
        elif in_fields:
            in_fields = bool(line.strip())
        else:
            kept.append(line[2:] if signed and line.startswith("- ") else line)
    return lines if in_armour else kept


def is_device_line(line: str) -> bool:
    """Whether a line is like "Wysłane z iPhone'a": begins as such lines do, and is no sentence.

    It names a device or a program, or has a link, or is short and says whose device it is ("Sent
    from my ...") or has only names in it ("Sent from Wiko Ridge").
    """
    text = line[:MAX_LINE].strip(" \t<>*_[]()\u00a0\u200b\u2063\ufeff")
    words = text.split()
    start = _DEVICE_START.match(text)
    if len(words) > 14 or len(text) > 200 or not start:
        return False
    if not CONJUNCTIONS.isdisjoint(map(str.lower, words)):
        return False
    if _DEVICE_NAME.search(text) is not None:
        return ", " not in text
    if len(words) > 8 or "," in text or text.endswith("."):
        return False
    owned = not DEVICE_OWNERS.isdisjoint(map(str.lower, words[1:4]))
    names = text[start.end() :].split()
    return owned or "http" in text or all(name.isalpha() and name[0].isupper() for name in names)


def without_rule(lines: list[str]) -> list[str]:
    """The lines without a rule at their end, which belongs to what was cut below it."""
    lines = trimmed(lines)
    while lines and is_rule(lines[-1], at_least=3):
        lines = trimmed(lines[:-1])
    return lines


def trimmed(lines: list[str]) -> list[str]:
    """The lines without empty ones at both ends."""
    start, end = 0, len(lines)
    while start < end and not lines[start].strip(_BLANK):
        start += 1
    while end > start and not lines[end - 1].strip(_BLANK):
        end -= 1
    return lines[start:end]


def _without_list_footer(lines: list[str]) -> tuple[list[str], list[str]]:
    """A ruled-off end of a few lines that speaks of a mailing list is the list server's."""
    for index in range(len(lines) - 1, max(len(lines) - MAX_LIST_FOOTER_LINES - 2, -1), -1):
        if is_rule(lines[index]):
            ending = " ".join(line[:200] for line in lines[index:])
            if _LIST_FOOTER.search(ending):
                return trimmed(lines[:index]), lines[index:]
            break
    return lines, []


def _without_footers(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines without the paragraphs that are legal footers, and those paragraphs."""
    kept: list[str] = []
    removed: list[str] = []
    in_footer = False
    first = True  # of a paragraph
    paragraphs = 0
    for index, line in enumerate(lines):
        if not line.strip() or is_rule(line):
            in_footer, first = False, True
        elif first and paragraphs < MAX_PARAGRAPHS:
            paragraphs += 1
            begins = _DISCLAIMER.match(line[:MAX_LINE]) is not None
            in_footer, first = begins and _is_footer(lines, index, kept), False
        (removed if in_footer else kept).append(line)
    return (without_rule(kept) if removed else kept), removed


def _is_footer(lines: list[str], start: int, above: list[str]) -> bool:
    """Whether a paragraph that begins as a legal footer does is one.

    It speaks of confidence, recipients, viruses or data protection, demands nothing, and stands
    under a rule or a name, which is not the first line, or ends the text and speaks of two of
    these. Above a text only a mail server's warning about senders from outside is one.
    """
    end = start
    size = 0
    while end < len(lines) and size < MAX_FOOTER and lines[end].strip():
        size += len(lines[end])
        end += 1
    text = " ".join(lines[start:end])[:MAX_FOOTER]
    spoken = {match[0].lower() for match in DISCLAIMER_WORDS.finditer(text)}
    if not spoken or DEMANDS.search(text):
        return False
    said = islice((line for line in reversed(above) if line.strip()), 2)
    before = next(said, "")
    if not before:
        return not BANNER_WORDS.isdisjoint(spoken)
    if is_rule(before):
        return True
    if _signs(before):
        return any(said)  # else it is a greeting
    below = lines[end : end + MAX_SIGNATURE_LINES]
    return len(spoken) > 1 and not any(map(_is_sentence, below))
