"""A mail as the worker needs it: taken apart, with the complaint in it, all read in the child."""

import hashlib
from dataclasses import dataclass

from worker.complaint import Complaint, complaint_in
from worker.mime import parse
from worker.parsed_message import KnownAddresses, ParsedMessage


@dataclass(frozen=True)
class Reading:
    """What ``worker.parser_process`` hands over of one mail."""

    message: ParsedMessage
    complaint: Complaint
    fingerprint: str  # the same for one mail that came by two ways with other trace fields (B-H5)


def read_mail(raw: bytes, known: KnownAddresses) -> Reading:
    return reading_of(parse(raw, known))


def reading_of(message: ParsedMessage) -> Reading:
    return Reading(message, complaint_in(message), _fingerprint(message))


def _fingerprint(message: ParsedMessage) -> str:
    parts = (
        message.message_id,
        message.from_addr,
        message.date.isoformat() if message.date else "",
        _sha256(message.body.encode()),
        *(_sha256(attachment.content) for attachment in message.attachments),
    )
    return _sha256("\n".join(parts).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
