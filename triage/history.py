"""Where older mail begins inside a body: the lines that a mail program puts above it.

A separator ("-----Original Message-----", "---------- Wiadomość przekazana dalej ----------"), a
copied header, a line such as "W dniu 2.03.2026 o 10:00 Jan <jan@example.com> napisał(a):", or the
"reply above this line" of a help desk. Recognised by the form of lines and by ``mail_words``; each
line is looked at a bounded number of times.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from triage.header_block import HeaderBlock, field_of, inline_block, read_block, unquoted
from triage.mail_words import (
    ABOVE,
    ATTRIBUTION_STARTS,
    FORWARD_TITLES,
    ORIGINAL_TITLES,
    PREVIOUS_TITLES,
    REPLY_ABOVE,
    REPLY_VERBS,
    THIS_LINE,
    TITLE_GOES_ON,
    WROTE,
    any_of,
)

MAX_LINES = 5000  # of a body that are looked at; what lies below stays as it is
MAX_ATTRIBUTION_LINES = 6
MAX_ATTRIBUTION = 600  # characters
MAX_LINE = 2000  # characters of a line that are looked at

_DATE_OR_TIME = re.compile(
    r"\d{1,4}[./-]\s?\d{1,2}[./-]\s?\d{1,4}|\b(?:19|20)\d\d\b|\d{1,2}[:.]\d\d\b|\d年"
    r"|\b\d{1,2}\. ?\w{3}"
)
_TIME = re.compile(r"\b\d{1,2}:\d\d\b")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"]@[\w.-]{2}")
_STARTS = re.compile(
    rf"[\W_]{{0,4}}(?:(?:{any_of(ATTRIBUTION_STARTS)})[\s,]|\d|\w{{2,12}}[.,]?\s+\d)",
    re.IGNORECASE,
)
# An attribution that shares its line with the end of the new text.
_LATER_START = re.compile(
    r"[\s-](?=(?:on|w dniu|dnia|am|le|op|el|il|em|den|dne|dňa)\s"
    r"(?:\w{2,12}[.,]?\s+)?\w{0,9}[.,]?\s*\d)",
    re.IGNORECASE,
)
_DASH = "–—_=+~*#-"
_DASHED = re.compile(
    rf"[\s*_]*([{_DASH}]{{2,}})\s*([^\s{_DASH}][^{_DASH}]{{1,79}}(?:-[^{_DASH}]{{2,60}})?)"
    rf"\s*[{_DASH}]{{2,}}[ \t*]*(.*)$"
)
_RULE_CHARACTERS = frozenset("_-=*–—─")

Kind = Literal["forward", "original", "block", "attribution", "reply_above"]


@dataclass(frozen=True)
class Marker:
    """Where older mail begins: the lines ``start`` to ``end`` announce it, it stands below."""

    kind: Kind
    start: int
    end: int
    fields: dict[str, str] = field(default_factory=dict)  # of the copied header, if one is there
    ruled: bool = False  # a line of underscores stands above the copied header
    text: str = ""  # an attribution, on one line
    lead: str = ""  # new text that stands on the line before it


def first_marker(lines: Sequence[str]) -> Marker | None:
    """The first place where older mail begins, or None."""
    return next(markers(lines), None)


def markers(lines: Sequence[str]) -> Iterator[Marker]:
    """Every place where older mail begins, in order, within the first MAX_LINES lines."""
    index = 0
    while index < min(len(lines), MAX_LINES):
        marker = _marker_at(lines, index)
        if marker is None:
            index += 1
        else:
            yield marker
            index = max(marker.end, index + 1)


def is_quoted(line: str) -> bool:
    """Whether the line begins with a quotation mark, after at most three blanks."""
    return line[:4].lstrip(" \t\u00a0").startswith(">")


def is_rule(line: str, *, at_least: int = 5) -> bool:
    """Whether the line is a drawn rule and nothing else."""
    text = line.strip(" \t\u00a0>")
    return len(text) >= at_least and _RULE_CHARACTERS.issuperset(text)


def quoted_from(lines: Sequence[str], start: int) -> bool:
    """Whether the text from here on begins with a quoted line."""
    below = _next_text(lines, start, 4)
    return below is not None and is_quoted(lines[below])


def _marker_at(lines: Sequence[str], index: int) -> Marker | None:
    line = lines[index][:MAX_LINE]
    text = unquoted(line)
    if not text:
        return _ruled_block(lines, index) if "_" in line else None
    if _asks_to_reply_above(text):
        return Marker("reply_above", index, index + 1)
    if marker := _separator(lines, index, text):
        return marker
    if block := _block(lines, index, text):
        return Marker("block", index, block.end, block.fields)
    return _attribution(lines, index)


def _ruled_block(lines: Sequence[str], index: int) -> Marker | None:
    """Outlook on the web: a line of underscores, then the copied header."""
    if lines[index].count("_", 0, MAX_LINE) < 8 or not is_rule(lines[index][:MAX_LINE]):
        return None
    below = _next_text(lines, index + 1, 2)
    block = None if below is None else _block(lines, below, unquoted(lines[below][:MAX_LINE]))
    return None if block is None else Marker("block", index, block.end, block.fields, ruled=True)


def _asks_to_reply_above(text: str) -> bool:
    if len(text) > 200:
        return False
    lower = text.lower()
    if any(phrase in lower for phrase in REPLY_ABOVE):
        return True
    return (
        any(words in lower for words in THIS_LINE)
        and any(verb in lower for verb in REPLY_VERBS)
        and any(word in lower for word in ABOVE)
    )


# --- separators --------------------------------------------------------------------------------


def _separator(lines: Sequence[str], index: int, text: str) -> Marker | None:
    dashes = text[0] in _DASH
    if not dashes and not text.endswith((":", "：")):
        ruled = bool(index) and is_rule(lines[index - 1], at_least=3)
        return _previous(index) if ruled and _title(text) in PREVIOUS_TITLES else None
    if text.startswith("--") and text.endswith("--"):
        # Zoho: "---- On Tue, 22 Dec 2015 14:17:36 +0530 Jan <jan@example.com> wrote ----"
        core = text.strip("- ")
        if WROTE.search(core) and _DATE_OR_TIME.search(core):
            return Marker("attribution", index, index + 1, text=core)
    dashed = _DASHED.match(text) if dashes else None
    title = _title(dashed[2] if dashed else text)
    if title in PREVIOUS_TITLES and dashed:
        return _previous(index)
    kind: Kind
    if title in FORWARD_TITLES:
        kind = "forward"
    elif title in ORIGINAL_TITLES:
        kind = "original"
    else:
        return None
    if dashed and dashed[3] and (fields := inline_block(dashed[3])):
        return Marker(kind, index, index + 1, fields)
    below = _next_text(lines, index + 1, 4)
    block = None if below is None else read_block(lines, below)
    if block is None:
        return Marker(kind, index, index + 1)
    return Marker(kind, index, block.end, block.fields)


def _previous(index: int) -> Marker:
    return Marker("original", index, index + 1)


def _title(text: str) -> str:
    """The words of a separator, cut to a known title: "Forwarded message from Jan" is one too."""
    words = text.strip(f" \t:：.{_DASH}").lower().split()[:10]
    for count in range(len(words), 0, -1):
        title = " ".join(words[:count]).rstrip(":")
        if title in FORWARD_TITLES or title in ORIGINAL_TITLES or title in PREVIOUS_TITLES:
            # Anything may follow "from"; a sentence that begins with the same words may not.
            whole = count == len(words) or words[count] in TITLE_GOES_ON
            return title if whole else ""
    return ""


# --- copied headers and attributions -----------------------------------------------------------


def _block(lines: Sequence[str], index: int, text: str) -> HeaderBlock | None:
    """A copied header that stands there without a separator, so it has to be whole."""
    first = field_of(text)
    if first is None or first[0] not in ("from", "date", "subject"):
        return None
    if first[0] == "from" and first[1].count(":") > 1:
        # HTML often leaves the whole header on one line.
        fields = inline_block(text)
        if "date" in fields and _ADDRESS.search(fields["from"]):
            return HeaderBlock(fields, index, index + 1)
    block = read_block(lines, index)
    if block is None:
        return None
    if first[0] != "from":
        return block if block.companions == 3 else None
    addressed = _ADDRESS.search(block.fields["from"]) is not None
    dated = "date" in block.fields or "subject" in block.fields
    return block if dated and (block.companions >= 2 or addressed) else None


def _attribution(lines: Sequence[str], index: int) -> Marker | None:
    """A line such as "W dniu 2.03.2026 o 10:00 Jan <jan@example.com> napisał(a):", also wrapped."""
    joined = ""
    for at in range(index, min(index + MAX_ATTRIBUTION_LINES, len(lines))):
        text = unquoted(lines[at][:MAX_LINE])
        joined = f"{joined} {text}" if joined else text
        if not text or len(joined) > MAX_ATTRIBUTION:
            return None
        if joined.rstrip(' \t*_"').endswith((":", "：")):
            if not _is_attribution(joined, quote_follows=quoted_from(lines, at + 1)):
                return None
            lead = None if _STARTS.match(joined) else _LATER_START.search(joined)
            cut = lead.start() if lead and WROTE.search(joined, lead.end()) else 0
            text, before = joined[cut:].strip(" -"), joined[:cut].strip(" -")
            return Marker("attribution", index, at + 1, text=text, lead=before)
        if at == index and not (_STARTS.match(text) or "@" in text or WROTE.search(text)):
            return None
    return None


def _is_attribution(text: str, *, quote_follows: bool) -> bool:
    wrote = WROTE.search(text) is not None
    dated = _DATE_OR_TIME.search(text) is not None
    addressed = "@" in text and _ADDRESS.search(text) is not None
    begins = _STARTS.match(text) is not None
    if wrote and (dated or addressed):
        # "Yesterday (2.03.2026) your consultant wrote:" may be a sentence of the customer.
        timed = _TIME.search(text) is not None and _ends_with_wrote(text)
        return quote_follows or addressed or begins or timed
    if addressed and dated and begins:
        # No verb: "ср, 30 апр. 2025 г. в 15:19, Jan <jan@example.com>:"
        return text.rstrip(' *:："').endswith(">") or quote_follows
    return wrote and quote_follows and len(text) < 120


def _ends_with_wrote(text: str) -> bool:
    last = text.rstrip(' *:："').rsplit(maxsplit=1)[-1:]
    return bool(last) and WROTE.search(last[0]) is not None


def _next_text(lines: Sequence[str], start: int, within: int) -> int | None:
    for at in range(start, min(len(lines), start + within)):
        if unquoted(lines[at][:MAX_LINE]):
            return at
    return None
