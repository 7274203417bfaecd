"""Where older mail begins inside a body: the lines that a mail program puts above it.

A separator ("-----Original Message-----", "---------- Wiadomość przekazana dalej ----------"), a
copied header, a line such as "W dniu 2.03.2026 o 10:00 Jan <jan@example.com> napisał(a):", or the
"reply above this line" of a help desk. Recognised by the form of lines and by ``mail_words``; each
line is looked at a bounded number of times.

A sentence of the customer may have the same form. So a line counts as an attribution only where it
names a sender as programs do, or quoted lines follow, or the mail is known to answer another.
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
    NO_DISPLAY_NAMES,
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
_TIME = re.compile(r"\b\d{1,2}[:∶h]\d\d|\bkl[.o]? ?\d{1,2}[.:]\d\d")
_DIGIT_OR_AT = re.compile(r"[\d@]")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
# As in a copied header: "10:12", or "2026 klo 10.12"; Windows Mail puts marks of direction inside.
_TIME_OF_DAY = re.compile(r"\d{1,2}\u200e?:\u200e?\d\d|\b(?:19|20)\d\d\D{1,12}\d{1,2}[.h]\d\d")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"]@[\w.-]{2}")
# The address of a sender: in angle brackets, or with nothing between it and the verb. A customer
# writes "I wrote to shop@example.com and your consultant wrote:".
_SENDER_ADDRESS = re.compile(
    rf"<\s?[^\s<>]{{0,80}}@[\w.-]{{2}}"
    rf"|@[\w.-]{{2,80}}[\s>)\]\"']*,?\s?{WROTE.pattern}\W{{0,3}}$"
    rf"|{WROTE.pattern}[\s(\[\"]{{1,3}}\S{{1,60}}@[\w.-]{{2,80}}\W{{0,4}}$",
    re.IGNORECASE,
)
# Gmail until 2017: "2016-03-03 17:21 GMT+01:00 Jan Kowalski", "2011/4/7 Jan <jan@example.com>".
_GMAIL_STAMP = re.compile(
    r"\d{4}([-/])\d{1,2}\1\d{1,2} (?:\d{1,2}:\d\d GMT[+-]\d\d:\d\d \S.{0,80}"
    r"|[^\d<>]{0,60}<[^\s<>]{1,80}@[\w.-]{2,80}>:?)$"
)
# Yahoo on a phone: the history goes on after the colon, on the same line.
_RUN_ON = re.compile(
    rf"@[\w.-]{{2,80}}[>)\]]{{1,2}}(\s{{0,3}}{WROTE.pattern})?\s?:(\s{{2,}})(?=\S)", re.IGNORECASE
)
# Old webmail of WP: no colon after the verb.
_WITHOUT_COLON = re.compile(rf"@[\w.-]{{2,80}}[>)\]]\s{{0,3}}{WROTE.pattern}$", re.IGNORECASE)
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
_CLOCK_WORDS = frozenset(("uhr", "p.m", "a.m", "hod", "gmt", "utc", "cet", "cest", "eet", "eest"))
_DASH = "–—_=+~*#-"
_DASHED = re.compile(
    rf"[\s*_]*([{_DASH}]{{2,}})\s*([^\s{_DASH}][^{_DASH}]{{1,79}}(?:-[^{_DASH}]{{2,60}})?)"
    rf"\s*[{_DASH}]{{2,}}[ \t*]*(.*)$"
)
_RULE_CHARACTERS = frozenset("_-=*–—─")
# A line with none of these does not ask for a reply above it.
_ASKING = tuple(
    phrase
    for phrase in (*REPLY_ABOVE, *THIS_LINE)
    if not any(other in phrase for other in (*REPLY_ABOVE, *THIS_LINE) if other != phrase)
)

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


def markers(lines: Sequence[str], *, answers: bool = False) -> Iterator[Marker]:
    """Every place where older mail begins, in order, within the first MAX_LINES lines.

    answers: the mail is known to answer another, so that "napisał:" above quoted lines needs no
    date, address or name beside it.
    """
    index = 0
    while index < min(len(lines), MAX_LINES):
        marker = _marker_at(lines, index, answers=answers)
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


def _marker_at(lines: Sequence[str], index: int, *, answers: bool) -> Marker | None:
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
    return _attribution(lines, index, text, answers=answers)


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
    for phrase in _ASKING:
        if phrase in lower:
            break
    else:
        return False
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
        wrote = WROTE.search(core)
        # Android: "---- Jan Kowalski napisał(a) ----"
        last = wrote and text.startswith("---") and core.endswith(wrote[0]) and len(core) < 80
        if wrote and (last or _DATE_OR_TIME.search(core)):
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
        # "Wiadomość oryginalna:" alone may be a customer's own heading.
        return Marker(kind, index, index + 1) if dashed or kind == "forward" else None
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
        return block if block.companions == 3 and _has_sender(block) else None
    addressed = _ADDRESS.search(block.fields["from"]) is not None
    dated = "date" in block.fields or "subject" in block.fields
    whole = addressed or (block.companions >= 2 and _has_sender(block))
    return block if dated and whole else None


def _has_sender(block: HeaderBlock) -> bool:
    """Whether a copied header is one, and no list "Od: .../Do: .../Data: ..." of the customer.

    Somebody's address is in it, or the sender is a name and the date has a time of day.
    """
    if any(_ADDRESS.search(block.fields.get(name, "")) for name in ("from", "to")):
        return True
    sender = block.fields["from"]
    named = len(sender.split()) <= 8 and not sender[:1].isdigit()
    return named and _TIME_OF_DAY.search(block.fields.get("date", "")) is not None


def _attribution(lines: Sequence[str], index: int, text: str, *, answers: bool) -> Marker | None:
    """A line such as "W dniu 2.03.2026 o 10:00 Jan <jan@example.com> napisał(a):", also wrapped."""
    begins = _STARTS.match(text) is not None
    if not begins and "@" not in text:
        if not _colon_within(lines, index) or not WROTE.search(text):
            return None
    elif begins and _GMAIL_STAMP.match(text):
        return Marker("attribution", index, index + 1, text=text)
    joined = ""
    for at in range(index, min(index + MAX_ATTRIBUTION_LINES, len(lines))):
        if at > index:
            # "Am heutigen Tage", and the attribution begins on the next line.
            if at == index + 1 and not (_DIGIT_OR_AT.search(text) or WROTE.search(text)):
                return None
            text = unquoted(lines[at][:MAX_LINE])
        if not text:
            if joined and _goes_on_with_address(lines, at + 1):
                continue
            return None
        joined = f"{joined} {text}" if joined else text
        if begins and (run_on := _run_on(joined)):
            return Marker("attribution", index, at + 1, text=run_on)
        if len(joined) > MAX_ATTRIBUTION:
            return None
        if joined.rstrip(' \t*_"').endswith((":", "：")):
            if not _is_attribution(
                joined, quote_follows=quoted_from(lines, at + 1), answers=answers
            ):
                return None
            lead = None if _STARTS.match(joined) else _LATER_START.search(joined)
            cut = lead.start() if lead and WROTE.search(joined, lead.end()) else 0
            text, before = joined[cut:].strip(" -"), joined[:cut].strip(" -")
            return Marker("attribution", index, at + 1, text=text, lead=before)
    return None


def _colon_within(lines: Sequence[str], index: int) -> bool:
    """Whether the paragraph has a line that ends in a colon, near enough for an attribution."""
    for line in lines[index : index + MAX_ATTRIBUTION_LINES]:
        end = line[:MAX_LINE].rstrip(' \t\u00a0*_"')
        if not end:
            return False
        if end.endswith((":", "：")):
            return True
    return False


def _goes_on_with_address(lines: Sequence[str], start: int) -> bool:
    """Polymail parts the name from the address by an empty line."""
    return start < len(lines) and lines[start][:MAX_LINE].lstrip(" \t\u00a0").startswith("<")


def _run_on(joined: str) -> str:
    """An attribution that does not end its line in a colon, or "".

    Yahoo on a phone writes the history behind it, after a few blanks; the old webmail of WP leaves
    the colon out. Both have a date, and the address in brackets beside the verb.
    """
    at = joined.find("@", 0, MAX_ATTRIBUTION)
    if at < 0 or not _DATE_OR_TIME.search(joined, 0, at):
        return ""
    if _WITHOUT_COLON.search(joined, at):
        return joined
    found = _RUN_ON.search(joined, at, MAX_ATTRIBUTION)
    if found is None or not (found[1] or WROTE.search(joined, 0, at)):
        return ""
    return joined[: found.start(2)]


def _is_attribution(text: str, *, quote_follows: bool, answers: bool) -> bool:
    """Whether a line that ends in a colon says who wrote what stands below.

    With an address and a verb, or an address, a date and no verb, as programs write it; without an
    address by a name and a time of day ("W dniu 2.03.2026 o 10:00 Jan pisze:"), for a sentence of
    the customer may have a date and a verb ("W dniu 3 marca kupiłem buty, a sklep pisze:").
    Above quoted lines a full date or a name does, and in an answer the verb.
    """
    wrote = WROTE.search(text) is not None
    dated = _DATE_OR_TIME.search(text) is not None
    begins = _STARTS.match(text) is not None
    if "@" in text and _SENDER_ADDRESS.search(text.rstrip(' *"')):
        # No verb: "ср, 30 апр. 2025 г. в 15:19, Jan <jan@example.com>:"
        return wrote or (
            dated and begins and (text.rstrip(' *:："').endswith(">") or quote_follows)
        )
    if not wrote:
        return answers and quote_follows and dated and begins and "@" in text
    if not quote_follows:
        exact = _TIME.search(text) or (answers and _YEAR.search(text))
        return exact is not None and _names_sender(text)
    if answers:
        return dated or len(text) < 120
    stamped = begins and _YEAR.search(text) is not None and _TIME.search(text) is not None
    return stamped or _names_sender(text)


def _names_sender(text: str) -> bool:
    """Whether nothing but a name stands between the date and the verb, or after the verb.

    A name is up to six words with capitals ("Jan van Dyk"; two of them where there is no date), or
    one word behind the comma of a date with its year, or behind "użytkownik" and the like. It is
    not "Pan", "your" or another word that no program writes there.
    """
    verb = WROTE.search(text)
    if verb is None:
        return False
    words = text[: verb.start()].split()
    dated = [place for place, word in enumerate(words) if any(c.isdigit() for c in word)]
    start = dated[-1] + 1 if dated else 0
    if sum(word[0].islower() and len(word) > 3 for word in words[:start]) > 3:
        return False
    behind = WROTE.sub(" ", text[verb.start() :]).split()
    name = [word.strip(",.;:：*\"'()<>") for word in (*words[start:], *behind)]
    name = [word for word in name if len(word) > 2 and word.lower() not in _CLOCK_WORDS]
    if not 0 < len(name) <= 6 or any(word.lower() in NO_DISPLAY_NAMES for word in name):
        return False
    if len(name) == 1 and _YEAR.search(text):
        comma = len(words) > 1 and words[-2].endswith(",")
        if comma or len(WROTE.findall(text)) > 1:
            return True
    small = [word for word in name if word[0].islower()]
    return all(len(word) == 3 for word in small) and len(name) - len(small) > (not dated)


def _next_text(lines: Sequence[str], start: int, within: int) -> int | None:
    for at in range(start, min(len(lines), start + within)):
        if unquoted(lines[at][:MAX_LINE]):
            return at
    return None
