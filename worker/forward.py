"""Which mail was handed on inside another, and what its header said.

Recognised from the body alone where a mail program wrote "Forwarded message" above it. A copied
header without such a line stands above answered mail too; then the subject decides ("Fwd:", "PD:"),
or, without any subject prefix, a ruled line above it or a sender who is known to forward.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from triage.history import Marker, first_marker, is_quoted
from triage.mail_words import FORWARD_PREFIXES, REPLY_PREFIXES, WROTE
from worker.headers import addresses, decode_words, first_address_in, strict_address
from worker.parsed_message import ForwardedMessage

_PREFIX = re.compile(r"\s*[\[(]?([^\W\d_][\w.\u0307 ]{0,14}?)\s?(?:\[\d+\]|\(\d+\))?\s?[:：]\s?")
_BRACKETED = re.compile(r"\s*\[[^\]]{1,60}\]\s*")
_MAILTO = re.compile(r"\s*[<\[(]\s*mailto:([^\s<>\])]+)\s*[>\])]", re.IGNORECASE)
_ON_BEHALF = re.compile(
    r"\s(?:on behalf of|w imieniu|im auftrag von|de la part de|per conto di|en nombre de|namens|"
    r"em nome de|jménem|v mene|за дорученням|от имени|på vegne af|för)\s.*$",
    re.IGNORECASE,
)
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
    lines: Sequence[str], *, subject: str, is_reply: bool, forwarder: bool = False
) -> Forward | None:
    """The mail handed on in these body lines, or None.

    lines: with ``>`` before quoted ones. is_reply: In-Reply-To or References are there.
    forwarder: the sender is one of those whose mail is usually handed on.
    """
    marker = first_marker(lines)
    if marker is None or not _hands_on(marker, subject, is_reply=is_reply, forwarder=forwarder):
        return None
    fields = marker.fields or _attributed(marker)
    if not fields and marker.kind != "forward":
        return None
    sender = _sender(fields.get("from", ""))
    body = _inner_body(lines[marker.start : marker.end], lines[marker.end :])
    companions = sum(name in fields for name in ("date", "subject", "to"))
    message = ForwardedMessage(
        from_addr=sender[1],
        from_name=sender[0],
        to=_recipients(fields.get("to", "")),
        cc=_recipients(fields.get("cc", "")),
        subject=decode_words(fields.get("subject", "")) or _subject_without_prefix(subject, marker),
        body=body,
        date=fields.get("date", ""),
        complete=bool(sender[1]) and bool(marker.fields) and companions >= 2,
    )
    return Forward(tuple(lines[: marker.start]), message)


def _hands_on(marker: Marker, subject: str, *, is_reply: bool, forwarder: bool) -> bool:
    if marker.kind == "forward":
        return True
    prefix = subject_prefix(subject)
    if marker.kind == "reply_above" or prefix == "reply":
        return False
    if prefix == "forward":
        return True
    bare = marker.kind in ("block", "original") and bool(marker.fields)
    return bare and not is_reply and (marker.ruled or forwarder)


def _attributed(marker: Marker) -> dict[str, str]:
    """The sender named in "On ... Jan <jan@example.com> wrote:"."""
    if marker.kind != "attribution" or "@" not in marker.text:
        return {}
    text = _MAILTO.sub("", marker.text)
    addr = first_address_in(text)
    before = text[: text.lower().find(addr)].rstrip("<([\"' ")
    name = before
    for verb in WROTE.finditer(before):
        name = before[verb.end() :]
    name = _BEFORE_NAME.sub("", name).strip(" \t\"'<(,") if name.strip() else ""
    return {"from": f'"{name}" <{addr}>' if name else addr}


def _sender(value: str) -> tuple[str, str]:
    """(name, address) of a copied From line, whatever the program made of it."""
    value = _ON_BEHALF.sub("", value)
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
    removed = _MAILTO.sub("", value)
    if "@" in removed:
        return removed
    return _MAILTO.sub(r" <\1>", value)


def _inner_body(header: Sequence[str], rest: Sequence[str]) -> str:
    """The lines below the header, without the quotation marks that the whole forward has."""
    text = [line for line in rest if line.strip()]
    marked = sum(is_quoted(line) for line in text)
    if any(is_quoted(line) for line in header) or marked * 2 > len(text):
        rest = [re.sub(r"^[ \t]*> ?", "", line) for line in rest]
    return "\n".join(rest).strip("\n")


def _subject_without_prefix(subject: str, marker: Marker) -> str:
    """An attribution copies no subject; the outer one is it, after its prefix."""
    if marker.kind != "attribution":
        return ""
    match = _PREFIX.match(subject)
    return subject[match.end() :].strip() if match else subject
