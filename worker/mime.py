"""Bytes of a mail to a ``ParsedMessage``; never raises, in time linear in the size of the mail.

Puts together what the other modules answer: which parts there are (``structure``), what the text
and the files are (``content``), what the header says (``headers``), who handed on what
(``forward``, ``requester``), whether a machine wrote it (``bounce``, ``autoresponse``), and what is
newly written (``triage.quotation``).
"""

import hashlib
from datetime import datetime

from triage import language, quotation
from worker import charset
from worker.autoresponse import is_machine_address, verdict
from worker.bounce import delivery_report
from worker.content import MAILS, MAX_BODY, clean, content
from worker.forward import Forward, find_forward, subject_prefix
from worker.headers import (
    Address,
    addresses,
    date,
    decode_words,
    message_id,
    message_ids,
    one_line,
)
from worker.parsed_message import (
    Attachment,
    Bounce,
    ForwardedMessage,
    Kind,
    KnownAddresses,
    ParsedMessage,
    RequesterSource,
)
from worker.requester import requester
from worker.structure import Part, read

__all__ = [
    "Attachment",
    "Bounce",
    "ForwardedMessage",
    "Kind",
    "KnownAddresses",
    "ParsedMessage",
    "RequesterSource",
    "parse",
]


def parse(raw: bytes, known: KnownAddresses = KnownAddresses()) -> ParsedMessage:  # noqa: B008
    """Take a mail apart. Any bytes give a result; ``defects`` says what was wrong with them.

    A mistake of ours must not lose a complaint: the mail then comes back as plain text, with
    ``error`` set and without an automatic reply.
    """
    try:
        return take_apart(raw, known)
    except Exception as error:
        return _unread(raw, error)


def take_apart(raw: bytes, known: KnownAddresses) -> ParsedMessage:
    """As ``parse``, but a mistake of ours is raised; for tests that look for such."""
    root, defects = read(raw)
    notes = list(defects)
    senders = addresses(root.get("from"))
    reply_to = addresses(root.get("reply-to"))
    sender = _first_mailbox(senders)
    subject = decode_words(root.get("subject"))
    return_path = _return_path(root)
    if len(root.all("from")) > 1:
        notes.append("several From fields")

    text, attachments = content(root, notes)
    report = delivery_report(
        root,
        subject=subject,
        from_addr=sender.addr,
        from_name=sender.name,
        return_path=return_path,
        body=text.plain,
    )
    in_reply_to = message_ids(root.get("in-reply-to"))
    references = message_ids(" ".join(root.all("references")))
    lines = text.quoted.split("\n")
    forward = None
    if not report.is_report:
        forward = _attached_forward(root, lines) or find_forward(
            lines,
            subject=subject,
            is_reply=bool(in_reply_to or references),
            forwarder=known.is_trusted_forwarder(sender.addr),
        )
    forwarded = forward.message if forward else None
    is_reply = bool(in_reply_to or references) or subject_prefix(subject) == "reply"
    newly = quotation.split_lines(
        forward.comment_lines if forward else lines, answers=is_reply or text.cites
    ).text
    handed_on = forwarded is not None and known.is_trusted_forwarder(sender.addr)
    other = {"sender": root.get("sender"), "reply_to": root.get("reply-to")}
    judged = verdict(
        root,
        known=known,
        report=report,
        subject=subject,
        body=newly or text.plain,
        senders={"from": sender.addr}
        | {field: _first_mailbox(addresses(value)).addr for field, value in other.items()},
        return_path=return_path,
        handed_on=handed_on,
    )
    asker = requester(root, known=known, senders=senders, reply_to=reply_to, forwarded=forwarded)
    reason = judged.reason or asker.doubt
    if reason is None and len(root.all("from")) > 1:
        reason = "B-D2: several From fields"
    if reason is None and known.is_own(asker.addr):
        reason = "B-L1: the requester is the shop itself"
    if reason is None and is_machine_address(asker.addr):
        reason = "B-M8: nobody reads the requester's address"
    complaint = forwarded.body if handed_on and forwarded and not newly else newly
    return ParsedMessage(
        subject=subject,
        from_addr=sender.addr,
        from_name=sender.name,
        to_addrs=_recipients(root, "to"),
        cc_addrs=_recipients(root, "cc"),
        reply_to_addr=_first_mailbox(reply_to).addr,
        requester_addr=asker.addr,
        requester_source=asker.source,
        message_id=_message_id(root, raw),
        in_reply_to=in_reply_to,
        references=references,
        date=_date(root),
        body=text.plain,
        text=newly,
        language=language.detect(complaint or text.plain),
        kind=judged.kind,
        is_auto_reply=judged.is_auto_reply,
        is_bounce=report.failed,
        is_forward=forwarded is not None,
        auto_ack_ok=reason is None,
        no_ack_reason=reason,
        return_path=return_path,
        forwarded=forwarded,
        bounces=report.bounces,
        attachments=attachments,
        defects=tuple(notes),
        error=None if root.fields or text.plain else "the mail is empty",
    )


def _unread(raw: bytes, error: Exception) -> ParsedMessage:
    text = clean(charset.decode(raw[:MAX_BODY]).text)
    return ParsedMessage(
        subject="",
        from_addr="",
        from_name="",
        to_addrs=(),
        cc_addrs=(),
        reply_to_addr="",
        requester_addr="",
        requester_source="none",
        message_id=f"sha256.{hashlib.sha256(raw).hexdigest()[:32]}@odzew.invalid",
        in_reply_to=(),
        references=(),
        date=None,
        body=text,
        text=text,
        language=None,
        kind="person",
        is_auto_reply=False,
        is_bounce=False,
        is_forward=False,
        auto_ack_ok=False,
        no_ack_reason="B-D2: the mail could not be read",
        return_path=None,
        forwarded=None,
        bounces=(),
        attachments=(),
        defects=(),
        error=f"the mail could not be read ({type(error).__name__}); its bytes are kept",
    )


# --- header ------------------------------------------------------------------------------------


def _first_mailbox(found: tuple[Address, ...]) -> Address:
    """The first mailbox with an address, else the first name."""
    return next((a for a in found if a.addr), found[0] if found else Address("", ""))


def _recipients(root: Part, field: str) -> tuple[str, ...]:
    found = [a.addr for value in root.all(field) for a in addresses(value) if a.addr]
    return tuple(dict.fromkeys(found))


def _return_path(root: Part) -> str | None:
    """The envelope sender, "" for the null address; only the topmost field is no content."""
    if not root.has("return-path"):
        return None
    value = one_line(root.get("return-path"))
    if value.replace(" ", "") == "<>":
        return ""
    found = _first_mailbox(addresses(value)).addr
    return found or None


MAX_ID_OCTETS = 998  # RFC 5322 §2.1.1: a line is no longer; databases index no more than 2,704


def _message_id(root: Part, raw: bytes) -> str:
    sent = message_id(root.get("message-id"))
    if sent and len(sent.encode("utf-8", "replace")) <= MAX_ID_OCTETS:
        return sent
    return f"sha256.{hashlib.sha256(raw).hexdigest()[:32]}@odzew.invalid"


def _date(root: Part) -> datetime | None:
    return date(root.get("date")) if root.has("date") else None


# --- forwards ----------------------------------------------------------------------------------


def _attached_forward(root: Part, lines: list[str]) -> Forward | None:
    """The mail that is attached whole, if it is exactly one and no list of mails."""
    mails = _attached_mails(root)
    if len(mails) != 1:
        return None
    inner = mails[0]
    sender = _first_mailbox(addresses(inner.get("from")))
    text, _ = content(inner, [])
    message = ForwardedMessage(
        from_addr=sender.addr,
        from_name=sender.name,
        to=_recipients(inner, "to"),
        cc=_recipients(inner, "cc"),
        subject=decode_words(inner.get("subject")),
        body=text.plain,
        date=one_line(inner.get("date")),
        complete=bool(sender.addr),
    )
    return Forward(tuple(lines), message)


def _attached_mails(root: Part) -> list[Part]:
    """The mails attached to this one, not those attached to them."""
    found: list[Part] = []
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.type in MAILS and part.parts:
            found.append(part.parts[0])
        elif part.type != "multipart/digest":
            waiting.extend(reversed(part.parts))
    return found
