"""Bytes of a mail to a ``ParsedMessage``; never raises, in time linear in the size of the mail.

Puts together what the other modules answer: which parts there are (``structure``), what the text
and the files are (``content``), what the header says (``headers``), who handed on what
(``forward``, ``requester``), whether a machine wrote it (``bounce``, ``autoresponse``), and what is
newly written (``triage.quotation``).
"""

import hashlib
from dataclasses import replace
from datetime import datetime

from triage import language, quotation
from worker import charset
from worker.authentication import authentication
from worker.autoresponse import canonical, is_machine_address, verdict
from worker.bounce import delivery_report
from worker.content import MAILS, MAX_BODY, clean, content
from worker.form_fields import form_fields
from worker.forward import MAX_DEPTH, Forward, find_forward, subject_prefix, with_origin
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
    in_domains,
)
from worker.relayed import without_marketplace
from worker.requester import is_form, requester, same_organisation
from worker.returned import returned_ids
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
        return as_plain_text(raw, f"the mail could not be read ({type(error).__name__})")


def take_apart(raw: bytes, known: KnownAddresses) -> ParsedMessage:
    """As ``parse``, but a mistake of ours is raised; for tests that look for such."""
    root, defects = read(raw)
    notes = list(defects)
    senders = addresses(root.get("from"))
    reply_to = addresses(root.get("reply-to"))
    sender = _first_mailbox(senders)
    subject = decode_words(root.get("subject"))
    return_path = _return_path(root)
    notes += [f"several {name} fields" for name in _ONCE if len(root.all(name.lower())) > 1]

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
    to_addrs, cc_addrs = _recipients(root, "to"), _recipients(root, "cc")
    lines = text.quoted.split("\n")
    form = None
    forward = None
    prefix = subject_prefix(subject)
    if is_form(root, known, sender=sender.addr, reply_to=reply_to, forward=prefix == "forward"):
        form = form_fields(text.plain.split("\n"))
    elif not report.is_report:
        forward = _forward(
            root,
            lines,
            subject=subject,
            is_reply=bool(in_reply_to or references),
            sender=sender.addr,
            recipients=(*to_addrs, *cc_addrs),
            known=known,
        )
    forwarded = forward.message if forward else None
    is_reply = bool(in_reply_to or references) or prefix == "reply"
    asker = requester(
        root, known=known, senders=senders, reply_to=reply_to, forwarded=forwarded, form=form
    )
    if in_domains(sender.addr, known.relays):
        lines = without_marketplace(lines)
    newly = quotation.split_lines(
        forward.comment_lines if forward else lines, answers=is_reply or text.cites
    ).text
    if form is not None:
        newly = text.plain.strip() if form.message is None else form.text(asker.addr)
    handed_on = forwarded is not None and known.is_trusted_forwarder(sender.addr)
    other = {"sender": root.get("sender"), "reply_to": root.get("reply-to")}
    judged = verdict(
        root,
        known=known,
        report=report,
        subject=subject,
        # What a person quotes or hands on is no sign of a machine.
        body=newly or ("" if is_reply or forwarded else text.plain),
        senders={"from": sender.addr}
        | {field: _first_mailbox(addresses(value)).addr for field, value in other.items()},
        return_path=return_path,
        handed_on=handed_on,
    )
    genuine = authentication(root, known=known, from_addr=sender.addr)
    reason = judged.reason or asker.doubt or genuine.reason or None
    if reason is None and asker.source in ("from", "reply_to") and genuine.in_doubt:
        reason = _foreign_return_path(return_path, sender.addr)
    if reason is None and len(root.all("from")) > 1:
        reason = "B-D2: several From fields"
    if reason is None and known.is_own(asker.addr):
        reason = "B-L1: the requester is the shop itself"
    if reason is None and is_machine_address(asker.addr):
        reason = "B-M8: nobody reads the requester's address"
    complaint = (form and form.message) or newly
    if handed_on and forwarded and not newly:
        complaint = (forwarded.origin or forwarded).body
    return ParsedMessage(
        subject=subject,
        from_addr=sender.addr,
        from_name=sender.name,
        to_addrs=to_addrs,
        cc_addrs=cc_addrs,
        reply_to_addr=_first_mailbox(reply_to).addr,
        requester_addr=asker.addr,
        requester_source=asker.source,
        requester_name=asker.name,
        requester_sure=asker.sure,
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
        authenticity=genuine.outcome,
        returned_ids=returned_ids(root, text.plain) if report.is_report else (),
        report_type=root.content_type.parameters.get("report-type", "").lower(),
        is_automatic=root.get("auto-submitted").strip().lower() not in ("", "no"),
        loop_marks=root.all("x-odzew-loop")[:5],
        error=None if root.fields or text.plain else "the mail is empty",
    )


def as_plain_text(raw: bytes, problem: str) -> ParsedMessage:
    """A mail of which nothing is known but its bytes, read as they are; for a person to judge."""
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
        error=f"{problem}; its bytes are kept",
    )


_ONCE = ("From", "Subject", "Date", "Message-ID")  # RFC 5322 §3.6; the first one is read (E-28)

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


def _foreign_return_path(return_path: str | None, from_addr: str) -> str | None:
    if not return_path or same_organisation(canonical(return_path), from_addr):
        return None
    return "B-D4: the return path is another organisation's, and nothing vouches for the mail"


# --- forwards ----------------------------------------------------------------------------------


def _forward(
    root: Part,
    lines: list[str],
    *,
    subject: str,
    is_reply: bool,
    sender: str,
    recipients: tuple[str, ...],
    known: KnownAddresses,
    depth: int = 0,
) -> Forward | None:
    """What is handed on in a mail: attached whole, or in its text.

    Where both are there, the attached mail may be what the customer had attached: the text is
    followed, and a person has a look.
    """
    inline = find_forward(
        lines,
        subject=subject,
        is_reply=is_reply,
        sender=sender,
        recipients=recipients,
        known=known,
    )
    mails = _attached_mails(root)
    if not mails:
        return inline
    attached = _attached_forward(mails, sender=sender, known=known, depth=depth)
    if inline is None or inline.message.from_addr == attached.from_addr:
        return Forward(tuple(lines) if inline is None else inline.comment_lines, attached)
    return replace(inline, message=replace(inline.message, complete=False))


def _attached_forward(
    mails: list[Part], *, sender: str, known: KnownAddresses, depth: int
) -> ForwardedMessage:
    """The first of the mails that are attached whole; complete when it is the only one.

    Several may be of several customers (decision 1). A colleague's mail is looked into for the
    customer's, as ``with_origin`` does in a text.
    """
    inner = mails[0]
    author = _first_mailbox(addresses(inner.get("from")))
    text, _ = content(inner, [])
    message = ForwardedMessage(
        from_addr=author.addr,
        from_name=author.name,
        to=_recipients(inner, "to"),
        cc=_recipients(inner, "cc"),
        subject=decode_words(inner.get("subject")),
        body=text.plain,
        date=one_line(inner.get("date")),
        complete=bool(author.addr) and len(mails) == 1,
    )
    if not (known.is_trusted_forwarder(sender) and known.is_trusted_forwarder(author.addr)):
        return message
    nested = None
    if depth < MAX_DEPTH:
        nested = _forward(
            inner,
            text.quoted.split("\n"),
            subject=message.subject,
            is_reply=inner.has("in-reply-to") or inner.has("references"),
            sender=author.addr,
            recipients=(*message.to, *message.cc),
            known=known,
            depth=depth + 1,
        )
    if nested is None:
        return with_origin(message, known)
    origin = nested.message.origin or nested.message
    if not origin.from_addr or known.is_trusted_forwarder(origin.from_addr):
        return message
    complete = origin.complete and message.complete
    return replace(message, origin=replace(origin, complete=complete))


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
