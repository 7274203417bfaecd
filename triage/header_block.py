"""The little header that a mail program copies above a quoted or forwarded mail.

    Od: Jan Kowalski <jan@example.com>
    Wysłano: poniedziałek, 2 marca 2026 10:00
    Do: Sklep <biuro@example.org>
    Temat: Reklamacja

In any language of ``triage.mail_words``, with quotation marks (``>``) or asterisks around it, with
empty lines between (HTML), with values on the next line, or all on one line (Yahoo), with lines
wrapped between words (Gmail), without colons (eM Client).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from triage.mail_words import FIELD_LABELS, any_of

MAX_BLOCK_LINES = 60
MAX_DATE = 200  # characters
_WRAP_FROM, _WRAP_TO = 70, 80  # columns at which programs wrap plain text
_MAX_WRAPPED = 4  # lines of one wrapped value
_LONGEST_LABEL = max(len(label) for label in FIELD_LABELS)
_QUOTES = re.compile(r"[>|\s]*")
_MARKS = " \t*_\u00a0\ufeff\u200b\u200e\u200f"
_WORDS = any_of(word for word in FIELD_LABELS if len(word) > 1)
_UNKNOWN_LABEL = re.compile(r"[^\W\d][\w .()'’-]{1,30}:(?:\s|$)")
_DATE_WITH_TIME = re.compile(r"\d.*\b\d{1,2}[:.]\d\d")
# A label after anything, with its colon; or glued to an address, where Yahoo forgot some colons.
_INLINE_LABELS = re.compile(
    rf"({_WORDS})\s?[:\uff1a]\s|(?<=>)({any_of(FIELD_LABELS)})(?:\s?:)?\s(?=[^<>:]{{0,80}}<)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class HeaderBlock:
    """A copied header: the values by field name, and the lines it takes."""

    fields: dict[str, str]
    start: int  # index of its first line
    end: int  # index after its last line

    @property
    def companions(self) -> int:
        """How many of date, subject and recipient stand beside the sender."""
        return sum(name in self.fields for name in ("date", "subject", "to"))


def unquoted(line: str) -> str:
    """The line without quotation marks, emphasis and blanks around it."""
    return line[_QUOTES.match(line).end() :].strip(_MARKS)  # type: ignore[union-attr]


def field_of(line: str) -> tuple[str, str] | None:
    """The field and value of a header line, or None where the line is none."""
    if ":" not in line and "\uff1a" not in line:
        return None
    text = unquoted(line)
    colon = _colon(text)
    if colon < 0:
        return None
    label = " ".join(text[:colon].strip(_MARKS).lower().split())
    name = FIELD_LABELS.get(label)
    if name is None:
        return None
    return name, text[colon + 1 :].strip(_MARKS)


def _colon(text: str) -> int:
    head = text[: _LONGEST_LABEL + 6]
    places = [at for at in (head.find(":"), head.find("\uff1a")) if at > 0]
    return min(places) if places else -1


def read_block(lines: Sequence[str], start: int) -> HeaderBlock | None:
    """The header block that begins at ``lines[start]``, or None.

    A block has a sender and at least one of date, subject and recipient; a sentence that happens to
    begin with "From:" or "Do:" is none. Looks at no more than MAX_BLOCK_LINES lines.
    """
    if field_of(lines[start]) is None:
        return _block_without_colons(lines, start)
    fields: dict[str, str] = {}
    last = ""
    end = at = start
    limit = min(len(lines), start + MAX_BLOCK_LINES)
    gap = 0
    while at < limit:
        found = field_of(lines[at])
        text = unquoted(lines[at])
        if found is not None and not (found[0] in fields and found[0] != "other"):
            last, value = found
            fields[last] = value
            end, gap = at + 1, 0
        elif found is not None:
            break  # a second From: the next block
        elif not text:
            gap += 1
            if gap > 1 + (fields.get(last) == ""):
                break
        elif gap == 0 and last and _continues(fields[last], last, lines[at], text):
            fields[last] = f"{fields[last]} {text}".strip()
            end = at + 1
        elif last and fields[last] == "" and gap <= 1:
            fields[last] = text  # the value stands below its label
            end, gap = at + 1, 0
        elif gap == 0 and last and (wrapped := _wrapped_to(lines, at, limit)):
            fields[last] = " ".join([fields[last], *map(unquoted, lines[at:wrapped])])
            at = end = wrapped
            continue
        elif gap == 0 and _UNKNOWN_LABEL.match(text) and _goes_on_below(lines, at, fields):
            last = "other"
            fields[last] = text
        else:
            break
        at += 1
    if "from" not in fields:
        return None
    block = HeaderBlock(fields, start, end)
    return block if block.companions and fields["from"] else None


def _continues(value: str, name: str, line: str, text: str) -> bool:
    if name in ("to", "cc", "bcc", "from"):
        if text.startswith("<") and "@" in text and "@" not in value:
            return True
        if value.endswith((",", ";")) or value.count("<") > value.count(">"):
            return True
        return line[:1] in " \t" and "@" in text
    return (
        line[:1] in " \t"
        and name == "subject"
        and bool(value)
        and len(line) - len(line.lstrip()) < 9
    )


def _wrapped_to(lines: Sequence[str], at: int, limit: int) -> int:
    """The end of a value that was wrapped onto ``lines[at]``, or 0.

    Wrapped is a line where the next word would have gone beyond the columns at which programs wrap;
    the header has to go on below it, or else it is the first sentence of the mail.
    """
    for below in range(at, min(at + _MAX_WRAPPED, limit)):
        text = unquoted(lines[below])
        if below > at and field_of(lines[below]) is not None:
            return below
        if not text or not was_wrapped(lines[below - 1], text):
            return 0
    return 0


def was_wrapped(line: str, below: str) -> bool:
    """Whether the line is as long as it could be, given the word that begins the next."""
    length = len(line.rstrip())
    if length > _WRAP_TO:
        return False
    return length + 1 + len(below.split(maxsplit=1)[0]) > _WRAP_FROM


def _goes_on_below(lines: Sequence[str], at: int, fields: dict[str, str]) -> bool:
    """Whether another field of this header stands below an unknown one."""
    for line in lines[at + 1 : at + 3]:
        if unquoted(line):
            below = field_of(line)
            return below is not None and below[0] not in fields
    return False


def _block_without_colons(lines: Sequence[str], start: int) -> HeaderBlock | None:
    """A header whose labels have no colons, as eM Client writes it.

    Only words tell it from sentences, so sender and recipient are addresses, a date with its time
    or a subject is there, and nothing stands between.
    """
    fields: dict[str, str] = {}
    at = start
    while at < min(len(lines), start + MAX_BLOCK_LINES):
        words = unquoted(lines[at]).split()
        found = _label_before_blank(words)
        if found is None or found[0] in fields:
            break
        fields[found[0]] = found[1]
        at += 1
    addressed = all("@" in fields.get(name, "") for name in ("from", "to"))
    dated = _DATE_WITH_TIME.search(fields.get("date", "")[:MAX_DATE]) is not None
    if not addressed or not (dated or "subject" in fields):
        return None
    return HeaderBlock(fields, start, at)


def _label_before_blank(words: Sequence[str]) -> tuple[str, str] | None:
    for count in range(min(3, len(words) - 1), 0, -1):
        name = FIELD_LABELS.get(" ".join(words[:count]).strip(_MARKS).lower())
        if name is not None:
            return name, " ".join(words[count:]).strip(_MARKS)
    return None


def inline_block(line: str) -> dict[str, str]:
    """The fields of a header written on one line, without spaces before the labels.

    ``Od: Jan <jan@example.com>Do: "biuro@example.org" <biuro@example.org>Wysłano: ...Temat: ...``
    """
    line = line[:4000]
    found: list[tuple[str, int, int]] = []
    for match in _INLINE_LABELS.finditer(line):
        name = FIELD_LABELS[(match[1] or match[2]).lower()]
        if all(name != other for other, _, _ in found):
            found.append((name, match.start(), match.end()))
    fields: dict[str, str] = {}
    for position, (name, _, value_start) in enumerate(found):
        stop = found[position + 1][1] if position + 1 < len(found) else len(line)
        fields[name] = line[value_start:stop].strip(_MARKS)
    return fields if "from" in fields and len(fields) > 1 else {}
