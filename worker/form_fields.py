"""What the fields of a contact form say: who wrote it, and which part of the mail is theirs.

A form's mail is a list of labels and values, one of which is the customer's message. Above the
message stand other fields and perhaps an introduction; below it at most a run of lines that are
all fields or the form's own. A line in the midst of a message is the customer's, whatever it looks
like, and what is not understood is kept: only what the form itself adds (IP address, browser,
consent, maker) is left out. The words are in ``triage/mail_words.toml``.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from triage.mail_words import (
    FORM_CONSENTS,
    FORM_FOOTERS,
    FORM_INTRODUCTIONS,
    FORM_LABEL_OWNERS,
    FORM_LABELS,
    FORM_MAKERS,
)
from triage.signature import is_device_line, trimmed
from worker.headers import strict_address

MAX_LINES = 20_000  # of a form's mail; a longer one is not taken apart
MAX_LABEL = 80  # characters
MAX_CHROME_LINES = 5  # of a sentence that a form adds, when it is wrapped
MAX_LINE = 400  # characters of a line that are looked at for what it is
MAX_NAME = 100
FULL_LINE = 60  # characters; a shorter line is not wrapped

_PERSON = ("email", "sender", "name", "first_name", "last_name")
_NAMES = ("sender", "name", "first_name", "last_name")
# Fields that say the same of a person: where the first is above a message, the others are no fields
# below it.
_SAME = dict.fromkeys(_NAMES[1:], _NAMES) | {"email": ("email", "sender"), "sender": _PERSON}
_ADDED = ("consent", "technical", "page")  # by the form itself
_RULE = re.compile(r"[-=_*~#—–]{2,}")
_URL = re.compile(r"[\[<(]?(?:https?://|www\.)\S+[\])>]?")
_SEPARATED = re.compile(
    r"(?P<label>[^:：=|\t]{1,80}?)\s*(?:\.{3,}\s*[:：]?|[:：=|\t]|\s[-–—]\s)\s*(?P<value>.*)",
    re.DOTALL,
)
_LOOKS_LABELLED = re.compile(r"[^:：]{1,40}[:：](?:\s|$)")
_SPACE = " \t\u00a0\u200b\ufeff\r"
_BULLETS = " \t\u00a0\u200b\ufeff|*•·>-–"

Kind = Literal["blank", "rule", "url", "field", "introduction", "footer", "consent", "other"]


@dataclass(frozen=True)
class FormFields:
    """The fields of one mail."""

    addrs: tuple[str, ...]  # what its e-mail fields name, each once
    name: str
    message: str | None  # None: the mail was not recognised field by field
    others: tuple[tuple[str, str], ...] = ()  # line, and the address that is all it says

    def text(self, customer: str) -> str:
        """The message below the other fields, without the one that names the customer."""
        others = [line for line, addr in self.others if not addr or addr != customer]
        return "\n".join([*others, *([""] if others else []), self.message or ""]).strip("\n")


@dataclass(frozen=True)
class _Line:
    kind: Kind
    text: str
    field: str = ""  # what the label means: "email", "name", ..., "other"
    label: str = ""  # as written
    value: str = ""
    separated: bool = False  # by a colon or the like


@dataclass(frozen=True)
class _Item:
    """A field or a line of the mail, outside the message."""

    line: _Line
    value: str
    dropped: bool = False


def form_fields(lines: Sequence[str]) -> FormFields:
    """Read the mail of a contact form; ``lines`` are its readable text.

    Where no field is the message, an e-mail field counts beside another field only.
    """
    if len(lines) > MAX_LINES:
        return FormFields((), "", None)
    style = _style(lines)
    read = [_line(text, style) for text in lines]
    head, start = _head(read, style)
    persons = {item.line.field for item in head if item.line.field in _PERSON}
    if start == len(read):
        beside = {item.line.field for item in head} - {"", "email", *_ADDED}
        return FormFields(_addrs(head) if beside else (), _name(head), None)
    label = read[start]
    cut = _end_of_message(read, start + 1, persons, style)
    tail = _tail(read[cut:], style)
    if not any(item.line.field in _PERSON for item in (*head, *tail)):
        return FormFields((), "", None)
    message = trimmed([label.value, *(line.text for line in read[start + 1 : cut])])
    items = [*head, *tail]
    name = _name(items)
    return FormFields(_addrs(items), name, "\n".join(message), tuple(_kept(items, name)))


# --- lines -------------------------------------------------------------------------------------


def plain_words(text: str) -> str:
    """Text as it is compared: lower case, no accents, no signs, "e-mail" in one word."""
    text = unicodedata.normalize("NFKD", text.casefold().replace("ł", "l"))
    text = "".join(c for c in text if not unicodedata.combining(c))
    return re.sub(r"\be mail\b", "email", " ".join(re.sub(r"[\W_]+", " ", text).split()))


_FIELDS = {plain_words(label): field for label, field in FORM_LABELS.items()}
_OWNERS = sorted({plain_words(word) for word in FORM_LABEL_OWNERS}, key=len, reverse=True)
_FIRST_WORDS = frozenset(words.partition(" ")[0] for words in (*_FIELDS, *_OWNERS))
_CONSENTS = tuple(map(plain_words, FORM_CONSENTS))
_STARTS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("consent", _CONSENTS),
    ("footer", tuple(map(plain_words, FORM_FOOTERS))),
    ("introduction", tuple(map(plain_words, FORM_INTRODUCTIONS))),
)
_MAKERS = tuple(map(plain_words, FORM_MAKERS))


@lru_cache(maxsize=4096)
def field_of(label: str) -> str:
    """What a label means, or "": as it is, else without the words that say whose it is."""
    words = plain_words(re.sub(r"\([^)]*\)|\[[^\]]*\]", " ", label)) or plain_words(label)
    while words not in _FIELDS:
        shorter = next(
            (
                words.removeprefix(f"{owner} ").removesuffix(f" {owner}")
                for owner in _OWNERS
                if words.startswith(f"{owner} ") or words.endswith(f" {owner}")
            ),
            "",
        )
        if not shorter:
            return ""
        words = shorter
    return _FIELDS[words]


Style = Literal["separated", "spaced", "below"]  # how values stand to their labels


def _style(lines: Sequence[str]) -> Style:
    """As the first e-mail field does it: ``E-mail: x``, ``E-mail x``, or x on the next line."""
    for index, text in enumerate(lines):
        line = _line(text, "separated")
        if line.field not in ("email", "sender"):
            continue
        if line.value:
            return "separated" if line.separated else "spaced"
        following = next((text for text in lines[index + 1 :] if text.strip(_SPACE)), "")
        if _one_address(following):
            return "below"
    return "separated"


def _line(text: str, style: Style) -> _Line:
    stripped = text[:MAX_LINE].strip(_SPACE)
    if not stripped:
        return _Line("blank", text)
    if _RULE.fullmatch(stripped.replace(" ", "")):
        return _Line("rule", text)
    if _URL.fullmatch(stripped):
        return _Line("url", text)
    bare = stripped.lstrip(_BULLETS)
    words = plain_words(bare)
    may_be_field = words.partition(" ")[0] in _FIRST_WORDS
    if may_be_field and (labelled := _labelled(text, bare)):
        return labelled
    for kind, starts in _STARTS:
        if words.startswith(starts):
            return _Line(kind, text)
    return (may_be_field and _spaced(text, bare, style)) or _Line("other", text)


def _labelled(text: str, bare: str) -> _Line | None:
    """A label with a sign between it and its value, or a label alone."""
    separated = _SEPARATED.match(bare)
    if separated is not None:
        label = separated["label"].strip(_BULLETS)
        field = field_of(label)
        if field and (field != "page" or _mentions_web(separated["value"])):
            if any(field_of(part.partition(":")[0]) == "technical" for part in _parts(bare)):
                field = "technical"
            value = text[text.find(bare) + separated.start("value") :].strip(_SPACE + "*|")
            return _Line("field", text, field, label, value, separated=True)
    if len(bare) <= MAX_LABEL and (field := field_of(bare.rstrip(_BULLETS))):
        return _Line("field", text, field, bare.rstrip(_BULLETS), "")
    return None


def _parts(line: str) -> list[str]:
    """The fields of a line that holds several: ``Place: PL · Browser: Firefox``."""
    return re.split(r"\s[·•|]\s", line)[1:]


def _spaced(text: str, bare: str, style: Style) -> _Line | None:
    """A label and its value with a mere space between: cells of a table, once they are text.

    An address behind the label says that it is one; any other field is believed only in a mail
    whose e-mail field is written so.
    """
    words = bare.split(maxsplit=7)
    for count in range(min(6, len(words) - 1), 0, -1):
        field = field_of(" ".join(words[:count]))
        if not field:
            continue
        value = text.lstrip(_BULLETS).split(maxsplit=count)[count].rstrip(_SPACE)
        if style == "spaced" or (field == "email" and count + 1 == len(words)):
            if field == "email" and not _one_address(value):
                return None
            return _Line("field", text, field, " ".join(words[:count]), value)
        return None
    return None


def _mentions_web(value: str) -> bool:
    return "http" in value or "www." in value


# --- above and below the message ---------------------------------------------------------------


def _head(read: Sequence[_Line], style: Style) -> tuple[list[_Item], int]:
    """What stands above the message, and the index of the message's label (the end: no label)."""
    items: list[_Item] = []
    last = max((i for i, line in enumerate(read) if line.field == "message"), default=-1)
    seen: set[str] = set()  # what the fields above mean
    index = 0
    while index < len(read):
        line = read[index]
        is_label = line.field == "message" and (line.separated or not seen.isdisjoint(_PERSON))
        if is_label and (index == last or not _is_one_of_several(read, index)):
            return items, index
        value, below = _value(read, index, style)
        chrome = _chrome_below(read, index) if line.kind == "introduction" else 0
        dropped = line.kind in ("introduction", "consent", "rule", "blank") or (
            line.kind == "url" and not seen  # the shop's picture
        )
        items.append(_Item(line, value, dropped or line.field in _ADDED))
        seen |= {line.field} - {""}
        index += 1 + max(below, chrome)
    return items, index


def _is_one_of_several(read: Sequence[_Line], index: int) -> bool:
    """Whether a message label with a value is a short field: another field stands right below."""
    following = next((line for line in read[index + 1 : index + 4] if line.kind != "blank"), None)
    is_field = following is not None and following.field not in ("", "message", *_ADDED)
    return is_field and bool(read[index].value)


def _value(read: Sequence[_Line], index: int, style: Style) -> tuple[str, int]:
    """The value of a field, and how many lines below its label it takes."""
    line = read[index]
    if line.kind != "field" or line.value or style != "below":
        return line.value, 0
    for distance, other in enumerate(read[index + 1 : index + 3], start=1):
        if other.kind == "blank":
            continue
        if other.field or other.kind == "rule" or _LOOKS_LABELLED.match(other.text):
            break
        return other.text.strip(_SPACE), distance
    return "", 0


def _chrome_below(read: Sequence[_Line], index: int) -> int:
    """How many lines below go on with the sentence of ``index``, if that line is full."""
    count = 0
    if len(read[index].text) < FULL_LINE:
        return 0
    for line in read[index + 1 : index + MAX_CHROME_LINES]:
        if line.kind not in ("other", "url") or _LOOKS_LABELLED.match(line.text):
            break
        count += 1
    return count


def _end_of_message(read: Sequence[_Line], start: int, persons: set[str], style: Style) -> int:
    """The index of the first line below the message: from there on, all lines are the form's."""
    cut = len(read)
    index = len(read) - 1
    while index >= start:
        if read[index].kind in ("blank", "rule", "url"):
            index -= 1
            continue
        first = _first_line_of(read, index, persons, style)
        if first is None or first < start:
            break
        cut = first
        index = first - 1
    while cut > start and cut < len(read) and read[cut - 1].kind in ("blank", "rule"):
        cut -= 1
    return cut


def _first_line_of(
    read: Sequence[_Line], index: int, persons: set[str], style: Style
) -> int | None:
    """Where the field or the form's own sentence begins that ends at ``index``, or None."""
    line = read[index]
    if line.kind == "field":
        # A second name or address is one that the customer wrote.
        is_theirs = not persons.isdisjoint(_SAME.get(line.field, ()))
        spaced = not line.separated and line.value and line.field not in ("email", *_ADDED)
        return None if is_theirs or spaced else index
    if _begins_sentence(read, index) or _is_makers(read, index):
        return index
    above = read[index - 1] if index else line
    if style == "below" and above.kind == "field" and not above.value and line.kind == "other":
        is_theirs = not persons.isdisjoint(_SAME.get(above.field, ()))
        return None if is_theirs or above.field == "message" else index - 1
    for first in range(index - 1, max(index - MAX_CHROME_LINES, -1), -1):
        if _begins_sentence(read, first):
            return first if len(read[first].text) >= FULL_LINE else None
        if read[first].kind not in ("other", "url"):
            break
    return None


def _begins_sentence(read: Sequence[_Line], index: int) -> bool:
    """Whether a sentence that the form adds begins here, not in the midst of what is written."""
    line = read[index]
    if line.field == "consent":
        return plain_words(line.value).startswith(_CONSENTS)
    if line.kind not in ("footer", "consent") or index == 0:
        return line.kind in ("footer", "consent")
    above = read[index - 1]
    return above.field in _ADDED or above.kind in ("blank", "rule", "footer", "consent")


def _is_makers(read: Sequence[_Line], index: int) -> bool:
    """Whether a line of a paragraph of its own names the maker of the form, or a device."""
    above = read[index - 1].kind if index else "blank"
    if read[index].kind != "other" or above not in ("blank", "rule"):
        return False
    text = read[index].text
    words = f" {plain_words(text)} "
    return is_device_line(text) or (
        len(text) <= 160 and any(f" {maker} " in words for maker in _MAKERS)
    )


def _tail(read: Sequence[_Line], style: Style) -> list[_Item]:
    """What stands below the message; dates and places are the form's beside a line that is."""
    items: list[_Item] = []
    index = 0
    own = any(line.field in _ADDED or line.kind in ("footer", "consent") for line in read)
    added = False  # whether the line above is the form's own
    while index < len(read):
        line = read[index]
        value, below = _value(read, index, style)
        if line.kind == "field":
            added = line.field in _ADDED or (own and line.field == "stamp")
        elif line.kind != "url":
            added = line.kind not in ("blank", "rule") or added
        items.append(_Item(line, value, added or line.kind in ("blank", "rule")))
        index += 1 + below
    return items


# --- what the fields say -----------------------------------------------------------------------


def _one_address(value: str) -> str:
    """The one address in a value, however often it stands there, or ""."""
    words = [word.strip(".'") for word in re.split(r"[\s<>()\[\],;:\"|]+", value) if "@" in word]
    found = {strict_address(word) for word in words}
    [addr] = found if len(found) == 1 else [""]
    return addr if "." in addr.rpartition("@")[2] else ""


def _addrs(items: Iterable[_Item]) -> tuple[str, ...]:
    """The addresses of the e-mail fields; where there is none, of fields that name the sender."""
    for field in ("email", "sender"):
        values = [item.value for item in items if item.line.field == field]
        if values:
            return tuple(dict.fromkeys(filter(None, map(_one_address, values))))
    return ()


def _name(items: Sequence[_Item]) -> str:
    values: dict[str, str] = {}
    for item in items:
        if item.line.field in _PERSON:
            values.setdefault(item.line.field, _as_name(item.value))
    both = f"{values.get('first_name', '')} {values.get('last_name', '')}".strip()
    return values.get("name", "") or both or values.get("sender", "")


def _as_name(value: str) -> str:
    """A value without address and remark; "" where it is no name."""
    value = re.sub(r"[<(\[][^>)\]]*[>)\]]|\S+@\S+", " ", value)
    value = " ".join(value.split()).strip(" ,;-\"'")
    return "" if len(value) > MAX_NAME or ":" in value else value


def _kept(items: Iterable[_Item], name: str) -> Iterable[tuple[str, str]]:
    """The lines that stay above the message, each with the address that is all it says."""
    for item in items:
        line, value = item.line, item.value
        if item.dropped:
            continue
        if line.kind != "field":
            yield line.text.strip(_SPACE), ""
        elif value and not (line.field in _PERSON and _is_part(value, name)):
            written = f"{line.label}: {value}" if value != line.value else line.text.strip(_SPACE)
            says_address = line.field in ("email", "sender")
            yield written, _one_address(value) if says_address else ""


def _is_part(value: str, name: str) -> bool:
    """Whether a value says nothing but the name, or one half of it."""
    return value == name or value in name.split(" ", 1) or name.endswith(f" {value}")
