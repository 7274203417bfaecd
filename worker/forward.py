"""Which mail was handed on inside another, and what its header said.

Recognised from the body alone where a mail program wrote "Forwarded message" above a copied header
or a quotation. A copied header without such a line stands above answered mail too; then the subject
decides ("Fwd:", "PD:"), or, without any subject prefix, a ruled line above it or a sender who is
known to forward. A colleague who pressed "reply" and sent it to the shop itself handed it on, too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from triage.header_block import unquoted, was_wrapped
from triage.history import Marker, is_quoted, markers, quoted_from
from triage.mail_words import FORWARD_PREFIXES, FORWARD_TITLES, REPLY_PREFIXES, WROTE
from triage.text import without_runs
from worker.autoresponse import is_machine_address
from worker.headers import addresses, decode_words, first_address_in, strict_address
from worker.parsed_message import ForwardedMessage, KnownAddresses

MAX_DEPTH = 3  # forwards inside forwards that are looked into for the customer
MAX_TITLE = 200  # characters of a title between dashes

_PREFIX = re.compile(r"\s*[\[(]?([^\W\d_][\w.\u0307 ]{0,14}?)\s?(?:\[\d+\]|\(\d+\))?\s?[:：]\s?")
_BRACKETED = re.compile(r"\s*\[[^\]]{1,60}\]\s*")
_MAILTO = re.compile(r"\s*[<\[(]\s*mailto:([^\s<>\])]+)\s*[>\])]", re.IGNORECASE)
_ON_BEHALF = re.compile(
    r"\s[(\[]?(?:on behalf of|w imieniu|im auftrag von|de la part de|per conto di|en nombre de|"
    r"namens|em nome de|jménem|v mene|за дорученням|от имени|på vegne af|för)\s",
    re.IGNORECASE,
)
_DRAWN_TITLE = re.compile(r"[-=_*~–—]{3,}+(?=.*[^\W_]).*[-=_*~–—]{3}$")
_DASHES = re.compile(r"[-=_*~–—]{3,}")
_BEFORE_NAME = re.compile(r".*(?:\d(?:\s?(?:am|pm|uhr|r\.|г\.|р\.))?|[,:])\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Forward:
    """A forward found in a body: what stands above it, and the mail itself."""

    comment_lines: tuple[str, ...]
    message: ForwardedMessage


def subject_prefix(subject: str) -> str:
    """ "forward", "reply" or "": what the first prefix of a subject says."""
    bare = _BRACKETED.sub("", subject, count=1) if subject.lstrip().startswith("[") else subject
    match = _PREFIX.match(bare)
    if match is None:
        return ""
    word = match[1].lower().strip()
    if word in FORWARD_PREFIXES:
        return "forward"
    return "reply" if word in REPLY_PREFIXES else ""


def find_forward(
    lines: Sequence[str],
    *,
    subject: str,
    is_reply: bool,
    sender: str,
    recipients: Sequence[str],
    known: KnownAddresses,
) -> Forward | None:
    """The mail handed on in these body lines, or None.

    lines: with ``>`` before quoted ones. is_reply: In-Reply-To or References are there. sender and
    recipients: the addresses of From, and of To and Cc.
    """
    marker = _announced(lines, subject)
    if marker is None:
        return None
    forwarder = _hands_mail_on(sender, known)
    sure = _hands_on(marker, subject, is_reply=is_reply, forwarder=forwarder)
    stays_inside = forwarder and _is_whole(marker) and _all_own(recipients, known)
    if not sure and not stays_inside:
        return None
    message = _message_below(marker, lines, subject)
    if not sure and (not message.from_addr or known.is_trusted_forwarder(message.from_addr)):
        return None  # colleagues answer each other
    comment = [*lines[: marker.start], marker.lead] if marker.lead else lines[: marker.start]
    return Forward(tuple(comment), with_origin(message, known) if forwarder else message)


def with_origin(message: ForwardedMessage, known: KnownAddresses) -> ForwardedMessage:
    """A mail that was handed on by colleagues, with the first mail of a stranger inside it.

    Programs name a colleague without an address, so a mere name whose subject says "Fwd:" may be
    one; the stranger behind it is not sure. Nor is one whose mail the colleague only answered.
    """
    found, sure = message, True
    for _ in range(MAX_DEPTH):
        if found.from_addr and not known.is_trusted_forwarder(found.from_addr):
            break
        if not found.from_addr and subject_prefix(found.subject) != "forward":
            return message
        lines = found.body.split("\n")
        marker = _announced(lines, found.subject)
        if marker is None:
            return message
        sure = sure and bool(found.from_addr)
        sure = sure and _hands_on(marker, found.subject, is_reply=False, forwarder=True)
        found = _message_below(marker, lines, found.subject)
    if found is message or not found.from_addr or known.is_trusted_forwarder(found.from_addr):
        return message
    return replace(message, origin=replace(found, complete=found.complete and sure))


def _hands_mail_on(sender: str, known: KnownAddresses) -> bool:
    """Whether the sender is one of the people whose mail the shop unwraps, and no form or group."""
    return (
        known.is_trusted_forwarder(sender)
        and sender not in known.contact_forms
        and sender not in known.groups
        and not is_machine_address(sender)
    )


def _all_own(recipients: Sequence[str], known: KnownAddresses) -> bool:
    return bool(recipients) and all(known.is_trusted_forwarder(addr) for addr in recipients)


# --- where the mail begins -----------------------------------------------------------------------


def _announced(lines: Sequence[str], subject: str) -> Marker | None:
    """The first place where another mail begins.

    A title alone is what people say about forwarding: it counts with a header or a quotation below
    it, or under a subject that says "Fwd:".
    """
    title: Marker | None = None
    for marker in markers(lines):
        if title is not None:
            below = not any(line.strip() for line in lines[title.end : marker.start])
            if below and marker.kind in ("attribution", "block"):
                return replace(marker, kind=title.kind, start=title.start)
            if subject_prefix(subject) == "forward":
                return title
        title = None
        if marker.kind != "forward" or marker.fields or quoted_from(lines, marker.end):
            return _with_drawn_title(marker, lines)
        title = marker
    return title if title is not None and subject_prefix(subject) == "forward" else None


def _with_drawn_title(marker: Marker, lines: Sequence[str]) -> Marker:
    """A bare header with the title that stands above it: a known one, or any words between dashes.

    ``----- Forwarded by Jan Kowalski/Biuro on 2026-03-02 10:00 -----``, which Notes may wrap.
    """
    if marker.kind != "block":
        return marker
    above = marker.start - 1
    while above >= 0 and marker.start - above <= 3 and not lines[above].strip():
        above -= 1
    if above < 0:
        return marker
    if unquoted(lines[above]).lower().rstrip(".:") in FORWARD_TITLES:
        return replace(marker, start=above, kind="forward")
    for first in (above, max(above - 1, 0)):
        title = " ".join(map(unquoted, lines[first : above + 1]))
        if _is_drawn_title(title):
            return replace(marker, start=first, ruled=True)
    return marker


def _is_drawn_title(line: str) -> bool:
    return len(line) < MAX_TITLE and _DRAWN_TITLE.match(unquoted(line)) is not None


def _hands_on(marker: Marker, subject: str, *, is_reply: bool, forwarder: bool) -> bool:
    if marker.kind == "forward":
        return True
    prefix = subject_prefix(subject)
    if marker.kind == "reply_above" or prefix == "reply":
        return False
    if prefix == "forward":
        return bool(marker.fields or _attributed(marker))
    bare = marker.kind in ("block", "original") and bool(marker.fields)
    return bare and not is_reply and (marker.ruled or (forwarder and _is_whole(marker)))


def _is_whole(marker: Marker) -> bool:
    """Whether a header without a title above it has a date; the fields of a form have none."""
    return marker.kind != "block" or marker.ruled or "date" in marker.fields


# --- what its header says ------------------------------------------------------------------------


def _message_below(marker: Marker, lines: Sequence[str], subject: str) -> ForwardedMessage:
    end, fields = _with_wrapped_subject(
        marker.fields or _attributed(marker), lines, marker.end, subject
    )
    name, addr = _sender(fields.get("from", ""))
    companions = sum(field in fields for field in ("date", "subject", "to"))
    return ForwardedMessage(
        from_addr=addr,
        from_name=name,
        to=_recipients(fields.get("to", "")),
        cc=_recipients(fields.get("cc", "")),
        subject=decode_words(fields.get("subject", "")) or _subject_without_prefix(subject, marker),
        body=_inner_body(lines[marker.start : end], lines[end:], titled=marker.kind == "forward"),
        date=fields.get("date", ""),
        complete=bool(addr) and bool(marker.fields) and companions >= 2,
    )


def _with_wrapped_subject(
    fields: Mapping[str, str], lines: Sequence[str], end: int, subject: str
) -> tuple[int, Mapping[str, str]]:
    """The fields and where they end, when the last one is a subject that was wrapped.

    The subject of the mail itself says how it goes on; a first sentence is never taken for it.
    """
    begun = fields.get("subject", "")
    goes_on = unquoted(lines[end]) if begun and end < len(lines) else ""
    if not goes_on or not was_wrapped(lines[end - 1], goes_on):
        return end, fields
    whole = f"{begun} {goes_on}"
    if "".join(subject.split()).endswith("".join(whole.split())):
        return end + 1, {**fields, "subject": whole}
    return end, fields


def _attributed(marker: Marker) -> dict[str, str]:
    """The sender named in "On ... Jan <jan@example.com> wrote:"."""
    if "@" not in marker.text:
        return {}
    text = _MAILTO.sub("", without_runs(marker.text))
    addr = first_address_in(text)
    before = text[: text.lower().find(addr)].rstrip("<([\"' ")
    name = before
    for verb in WROTE.finditer(before):
        name = before[verb.end() :]
    name = _BEFORE_NAME.sub("", name).strip(" \t\"'<(,") if name.strip() else ""
    return {"from": f'"{name}" <{addr}>' if name else addr}


def _sender(value: str) -> tuple[str, str]:
    """(name, address) of a copied From line, whatever the program made of it.

    Of "Jan on behalf of service" it is Jan, who will read the answer; of a machine on behalf of Jan
    it is Jan, too.
    """
    sent, *author = _ON_BEHALF.split(value, maxsplit=1)
    name, addr = _mailbox(sent)
    if author and is_machine_address(addr):
        behind = _mailbox(author[0])
        return behind if behind[1] else (name, addr)
    return name, addr


def _mailbox(value: str) -> tuple[str, str]:
    plain = _without_links(value)
    found = addresses(plain)
    for mailbox in found:
        if mailbox.addr:
            name = mailbox.name.strip(" '\"[]<>*")
            return ("" if strict_address(name) == mailbox.addr else name), mailbox.addr
    addr = first_address_in(plain)
    if addr:
        name = plain[: plain.lower().find(addr)].strip(" '\"[]<>*(,")
        return name, addr
    return (decode_words(plain).strip(" '\"<>*"), "")


def _recipients(value: str) -> tuple[str, ...]:
    found = [mailbox.addr for mailbox in addresses(_without_links(value)) if mailbox.addr]
    return tuple(dict.fromkeys(found))


def _without_links(value: str) -> str:
    """The value without what HTML links left in it.

    ``Jan<mailto:jan@example.com> <jan@example.com<mailto:jan@example.com>>`` names one address, and
    ``Jan [mailto:jan@example.com]`` names it only there.
    """
    value = without_runs(value)
    removed = _MAILTO.sub("", value)
    if "@" in removed:
        return removed
    return _MAILTO.sub(r" <\1>", value)


def _inner_body(header: Sequence[str], rest: Sequence[str], *, titled: bool) -> str:
    """The lines below the header, without the quotation marks that the whole forward has.

    titled: without what programs write to match their title, too: the same line again below the
    header (Zoho), a line between the same dashes at the end (Horde).
    """
    text = [line for line in rest if line.strip()]
    if titled and text and text[0].strip() == header[0].strip():
        rest = rest[rest.index(text[0]) + 1 :]
    elif titled and len(text) > 1 and _is_drawn_alike(text[-1], header[0]):
        rest = rest[: len(rest) - 1 - rest[::-1].index(text[-1])]
    marked = sum(is_quoted(line) for line in text)
    if any(is_quoted(line) for line in header) or marked * 2 > len(text):
        rest = [re.sub(r"^[ \t]*> ?", "", line) for line in rest]
    return "\n".join(rest).strip("\n")


def _is_drawn_alike(line: str, title: str) -> bool:
    drawn = _DASHES.match(unquoted(title))
    same = _DASHES.match(unquoted(line))
    if drawn is None or same is None or drawn.group() != same.group():
        return False
    return _is_drawn_title(line)


def _subject_without_prefix(subject: str, marker: Marker) -> str:
    """An attribution copies no subject; the outer one is it, after its prefix."""
    if not marker.text:
        return ""
    match = _PREFIX.match(subject)
    return subject[match.end() :].strip() if match else subject
