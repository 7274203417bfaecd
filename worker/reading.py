"""A mail as the worker needs it: taken apart, with the complaint in it, all read in the child."""

import hashlib
from dataclasses import dataclass

from triage.text import prepare
from worker.complaint import Complaint, complaint_in
from worker.mime import parse
from worker.parsed_message import KnownAddresses, ParsedMessage


@dataclass(frozen=True)
class Reading:
    """What ``worker.parser_process`` hands over of one mail."""

    message: ParsedMessage
    complaint: Complaint
    fingerprint: str  # the same for one mail that came by two ways with other trace fields (B-H5)
    content_hash: str  # the same for a mail that is sent again by hand (B.8 row 20)


def read_mail(raw: bytes, known: KnownAddresses) -> Reading:
    return reading_of(parse(raw, known))


def reading_of(message: ParsedMessage) -> Reading:
    files = [_sha256(attachment.content) for attachment in message.attachments]
    body = _sha256(message.body.encode())
    words = _sha256(" ".join(message.body.split()).encode())
    date = message.date.isoformat() if message.date else ""
    return Reading(
        message,
        complaint_in(message),
        fingerprint=_joined(message.message_id, message.from_addr, date, body, *files),
        content_hash=_joined(prepare(message.subject, ""), words, *sorted(files)),
    )


def _joined(*parts: str) -> str:
    return _sha256("\n".join(parts).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
