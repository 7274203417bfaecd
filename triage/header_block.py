"""The little header that a mail program copies above a quoted or forwarded mail.

    Od: Jan Kowalski <jan@example.com>
    Wysłano: poniedziałek, 2 marca 2026 10:00
    Do: Sklep <biuro@example.org>
    Temat: Reklamacja

In any language of ``triage.mail_words``, with quotation marks (``>``) or asterisks around it, with
empty lines between (HTML), with values on the next line, or all on one line (Yahoo).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from triage.mail_words import FIELD_LABELS, any_of

MAX_BLOCK_LINES = 60
_LONGEST_LABEL = max(len(label) for label in FIELD_LABELS)
_QUOTES = re.compile(r"[>|\s]*")
_MARKS = " \t*_\u00a0\ufeff\u200b\u200e\u200f"
_WORDS = any_of(word for word in FIELD_LABELS if len(word) > 1)
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
    first = field_of(lines[start])
    if first is None:
        return None
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
