"""What stands at the end of a mail without being said: signature, device line, legal footer.

Only what marks itself: a signature after ``-- ``, the line a device adds, a paragraph that begins
as legal footers do, the footer of a mailing list. A name under "Pozdrawiam" stays: it does no harm,
and cutting it would need a guess.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from triage.history import MAX_LINE, is_rule
from triage.mail_words import DEVICE_LINE_STARTS, DEVICE_NAMES, DISCLAIMER_STARTS, any_of

MAX_SIGNATURE_LINES = 25
MAX_DEVICE_LINES = 5
MAX_PARAGRAPHS = 1000  # that are looked at for a footer
MAX_LIST_FOOTER_LINES = 8

_SIGNATURE = re.compile(r"[ \t]{0,2}(?:--|—|–|- -)[ \t\u00a0]{0,20}$")
_DEVICE_START = re.compile(rf"[\W_]{{0,4}}(?:{any_of(DEVICE_LINE_STARTS)})", re.IGNORECASE)
_DEVICE_NAME = re.compile(any_of(DEVICE_NAMES), re.IGNORECASE)
_DISCLAIMER = re.compile(rf"[\W_]{{0,6}}(?:{any_of(DISCLAIMER_STARTS)})", re.IGNORECASE)
_LIST_FOOTER = re.compile(r"mailing list|mailinglist|listinfo|lista dyskusyjna|/options/", re.I)
_BLANK = "\ufeff\u200b \t\u00a0"


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
    cut = len(lines)
    below = 0  # lines with text under the one looked at
    for index in range(len(lines) - 1, -1, -1):
        if below > MAX_SIGNATURE_LINES:
            break
        if _SIGNATURE.match(lines[index]):
            cut = index
        below += bool(lines[index].strip())
    signature, lines = lines[cut:], trimmed(lines[:cut])
    lines, footer = _without_footers(lines)
    device: list[str] = []
    while lines and len(device) < MAX_DEVICE_LINES and is_device_line(lines[-1]):
        device.insert(0, lines.pop())
        lines = trimmed(lines)
    return Signed(lines, [*device, *footer, *signature, *list_footer])


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

    Six words without a comma are none; so are a few more that name a device or a program.
    """
    text = line[:MAX_LINE].strip(" \t<>*_[]()")
    words = len(text.split())
    if words > 14 or len(text) > 200 or not _DEVICE_START.match(text):
        return False
    if words <= 6 and "," not in text and not text.endswith("."):
        return True
    return _DEVICE_NAME.search(text) is not None and ", " not in text


def without_rule(lines: list[str]) -> list[str]:
    """The lines without a rule at their end, which belongs to what was cut below it."""
    lines = trimmed(lines)
    while lines and is_rule(lines[-1]):
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
    """The lines without paragraphs that begin as a legal footer does, and those paragraphs."""
    kept: list[str] = []
    removed: list[str] = []
    in_footer = False
    first = True  # of a paragraph
    paragraphs = 0
    for line in lines:
        if not line.strip() or is_rule(line):
            in_footer, first = False, True
        elif first and paragraphs < MAX_PARAGRAPHS:
            paragraphs += 1
            in_footer, first = _DISCLAIMER.match(line[:MAX_LINE]) is not None, False
        (removed if in_footer else kept).append(line)
    return (without_rule(kept) if removed else kept), removed
