"""Bytes of a mail to a ``ParsedMessage``; never raises, in time linear in the size of the mail.

Puts together what the other modules answer: which parts there are (``structure``), what the
characters are (``charset``), what the header says (``headers``), the text of HTML (``html``), who
handed on what (``forward``, ``requester``), whether a machine wrote it (``bounce``,
``autoresponse``), and what is newly written (``triage.quotation``).
"""

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from triage import language, quotation
from worker import charset, html
from worker.autoresponse import verdict
from worker.bounce import delivery_report
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
from worker.structure import Part, read, uuencoded

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

MAX_BODY = 1024 * 1024  # characters of readable text
MAX_TEXT_PART = 8 * 1024 * 1024  # bytes of a part that are read as text

_UNNAMED = {
    "message/rfc822": "message.eml",
    "message/global": "message.eml",
    "text/calendar": "calendar.ics",
    "text/x-vcard": "card.vcf",
    "text/vcard": "card.vcf",
    "application/ms-tnef": "winmail.dat",
    "application/pgp-encrypted": "pgp-encrypted.asc",
    "application/pgp-signature": "signature.asc",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "message/delivery-status": "delivery-status.txt",
    "message/feedback-report": "feedback-report.txt",
    "message/disposition-notification": "disposition-notification.txt",
    "text/rfc822-headers": "headers.txt",
    "image/jpeg": "image.jpg",
    "image/png": "image.png",
    "image/gif": "image.gif",
    "application/pdf": "document.pdf",
    "text/html": "page.html",
    "text/plain": "text.txt",
}
_READABLE = frozenset(
    {"text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown"}
)
_MAILS = frozenset({"message/rfc822", "message/global", "message/news"})
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127)) | {0: "\u2400"}
_SURROGATES = dict.fromkeys(range(55296, 57344), 65533)


@dataclass(frozen=True)
class _Text:
    """A readable part: as it is read, and with ``>`` before quoted lines."""

    plain: str
    quoted: str
    cites: bool = False  # a mail program marked a part of it as the mail that is answered


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

    text, attachments = _content(root, notes)
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
    if reason is None and asker.source == "from" and known.is_own(asker.addr):
        reason = "B-L1: the requester is the shop itself"
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
    text = _clean(charset.decode(raw[:MAX_BODY]).text)
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


def _message_id(root: Part, raw: bytes) -> str:
    sent = message_id(root.get("message-id"))
    return sent or f"sha256.{hashlib.sha256(raw).hexdigest()[:32]}@odzew.invalid"


def _date(root: Part) -> datetime | None:
    return date(root.get("date")) if root.has("date") else None


# --- content -----------------------------------------------------------------------------------


def _content(root: Part, notes: list[str]) -> tuple[_Text, tuple[Attachment, ...]]:
    """The readable text of a mail and everything else in it, both in order of the mail."""
    texts: list[_Text] = []
    attachments: list[Attachment] = []
    waiting = [root]
    chosen: set[int] = set()  # parts of an alternative that are read
    dropped: set[int] = set()  # their counterparts, which say the same
    while waiting:
        part = waiting.pop()
        if id(part) in dropped:
            continue
        if part.type == "multipart/alternative":
            best = _best_alternative(part)
            for other in part.parts:
                if other is best:
                    chosen.add(id(other))
                elif other.type in _READABLE and not _is_named(other):
                    dropped.add(id(other))
                elif other.type.startswith("multipart/"):
                    dropped.update(
                        id(p) for p in other.walk() if p.type in _READABLE and not _is_named(p)
                    )
        if part.type in _MAILS and part.parts:
            attachments.append(_attachment(part))
        elif part.parts:
            waiting.extend(reversed(part.parts))
        elif _is_text(part):
            text, files = _readable(part, notes)
            texts.append(text)
            attachments.extend(files)
        elif not part.type.startswith("multipart/") or part.opaque:
            attachments.append(_attachment(part))
    plain = "\n\n".join(t.plain for t in texts if t.plain.strip())
    quoted = "\n\n".join(t.quoted for t in texts if t.quoted.strip())
    if len(plain) > MAX_BODY:
        notes.append("the text was cut")
    cites = any(t.cites for t in texts)
    return _Text(plain[:MAX_BODY], quoted[:MAX_BODY], cites), tuple(attachments)


def _best_alternative(part: Part) -> Part | None:
    """The alternative that is read: plain text that says something, else HTML, else the last."""
    readable = [p for p in part.parts if any(_is_text(below) for below in p.walk())]
    for candidate in readable:
        leaf = next(below for below in candidate.walk() if _is_text(below))
        if leaf.type != "text/html" and _decoded(leaf).strip("\n\r\t \u00a0\ufeff\u200b"):
            return candidate
    with_html = [p for p in readable if any(below.type == "text/html" for below in p.walk())]
    return with_html[0] if with_html else (readable[-1] if readable else None)


def _is_named(part: Part) -> bool:
    return bool(_name(part))


def _is_text(part: Part) -> bool:
    """Whether a part is to be read: text, and not sent as a file."""
    if part.parts or part.opaque or part.type not in _READABLE:
        return False
    if part.disposition.value == "attachment":
        return False
    return not _is_named(part) or (part.disposition.value == "inline" and part.type == "text/html")


def _decoded(part: Part) -> str:
    declared = part.content_type.parameters.get("charset")
    return _clean(charset.decode(part.body[:MAX_TEXT_PART], declared).text)


def _clean(text: str) -> str:
    """Line ends as LF; no control characters, no lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.translate(_CONTROLS).translate(_SURROGATES) if not text.isprintable() else text


def _readable(part: Part, notes: list[str]) -> tuple[_Text, list[Attachment]]:
    decoded = charset.decode(part.body[:MAX_TEXT_PART], part.content_type.parameters.get("charset"))
    if not decoded.certain:
        notes.append(f"characters were guessed as {decoded.charset}")
    text = _clean(decoded.text)
    if part.type == "text/html":
        lines = html.to_lines(text)
        cites = any(line.cited for line in lines)
        return _Text(html.to_text(lines), html.to_quoted_text(lines), cites), []
    files: list[Attachment] = []
    if b"begin " in part.body:
        text, files = _without_uuencoded(part)
    if part.content_type.parameters.get("format", "").lower() == "flowed":
        text = _unflowed(text, delsp=part.content_type.parameters.get("delsp", "").lower() == "yes")
    return _Text(text, text), files


def _without_uuencoded(part: Part) -> tuple[str, list[Attachment]]:
    files: list[Attachment] = []
    kept: list[bytes] = []
    end = 0
    for name, content, start, stop in uuencoded(part.body[:MAX_TEXT_PART]):
        kept.append(part.body[end:start])
        end = stop
        files.append(
            Attachment(one_line(name), "application/octet-stream", len(content), False, content)
        )
    kept.append(part.body[end:MAX_TEXT_PART])
    declared = part.content_type.parameters.get("charset")
    return _clean(charset.decode(b"".join(kept), declared).text), files


def _unflowed(text: str, *, delsp: bool) -> str:
    """Paragraphs of format=flowed on one line each, with their quote depth kept (RFC 3676 §4)."""
    paragraphs: list[list[str]] = []
    open_depth = -1  # of the paragraph that the last line left open
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        body = line[depth:]
        body = body[1:] if body.startswith(" ") else body
        if open_depth == depth and body != "-- ":
            paragraphs[-1].append(body)
        else:
            paragraphs.append([">" * depth + (" " if depth else ""), body])
        flows = body.endswith(" ") and body != "-- "
        open_depth = depth if flows else -1
        if flows and delsp:
            paragraphs[-1][-1] = body[:-1]
    return "\n".join("".join(pieces) for pieces in paragraphs)


# --- attachments -------------------------------------------------------------------------------


def _name(part: Part) -> str:
    return (
        part.disposition.parameters.get("filename")
        or part.content_type.parameters.get("name")
        or ""
    )


def _attachment(part: Part) -> Attachment:
    name = unicodedata.normalize("NFC", one_line(_name(part).translate(_SURROGATES)))
    inline = part.disposition.value == "inline" or (
        part.disposition.value != "attachment" and part.has("content-id")
    )
    if not name:
        inner = decode_words(part.parts[0].get("subject")) if part.parts else ""
        name = f"{inner}.eml" if inner else _UNNAMED.get(part.type, "attachment")
    return Attachment(name, part.type, len(part.body), inline, part.body)


# --- forwards ----------------------------------------------------------------------------------


def _attached_forward(root: Part, lines: list[str]) -> Forward | None:
    """The mail that is attached whole, if it is exactly one and no list of mails."""
    mails = _attached_mails(root)
    if len(mails) != 1:
        return None
    inner = mails[0]
    sender = _first_mailbox(addresses(inner.get("from")))
    text, _ = _content(inner, [])
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
        if part.type in _MAILS and part.parts:
            found.append(part.parts[0])
        elif part.type != "multipart/digest":
            waiting.extend(reversed(part.parts))
    return found
