"""Which ticket a message belongs to: ids we know, or our reference from a participant (B-H3)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.database import Session
from storage.mail import (
    is_archived,
    newest_of_requester,
    participants,
    ticket_of_message_ids,
    ticket_of_same_content,
)
from storage.seen import Seen
from storage.tables import Ticket
from storage.tickets import OPEN, find_ticket, get_ticket
from worker.acknowledgement import verify_acknowledgement_id, verify_reply_address
from worker.reading import Reading

REFERENCE = re.compile(r"\bODZ-\d{4}-\d{6,9}\b", re.IGNORECASE)
REOPEN_WITHIN = timedelta(days=30)
SAME_CONTENT_WITHIN = timedelta(days=7)
ALBUM_WITHIN = timedelta(hours=1)


@dataclass(frozen=True)
class Place:
    """Where a message goes: onto ``ticket``, or onto a new one that may be ``related``."""

    ticket: Ticket | None
    related: Ticket | None = None
    reason: str = "B-H3: belongs to a ticket"


def find_place(
    session: Session,
    reading: Reading,
    *,
    now: datetime,
    key: bytes,
    archive: bool = False,
    seen: Seen | None = None,
) -> Place:
    """Find the conversation of a message.

    In-Reply-To and References against ids that we sent or received come first, then an address
    with our token, which only who got it from us can know. A reference in the
    subject counts only from a participant of that ticket: anybody can copy a number, so a stranger
    gets a new ticket, linked for a person to judge. So does a reply to a ticket that was closed
    more than 30 days ago, and to archived mail unless it is ``archive`` itself. A mail that names
    nothing but repeats an earlier one of the same requester in all that it says and holds joins it.

    key: of the installation, by which our own ids are known even where the database is older.
    seen: where the database need not be asked.
    """
    seen = seen or Seen()
    message = reading.message
    ids = [*message.in_reply_to, *reversed(message.references)]
    ticket_id = ticket_of_message_ids(session, [sent for sent in ids if sent in seen.ids])
    ticket = None if ticket_id is None else get_ticket(session, ticket_id)
    if ticket is None:
        addresses = (*message.to_addrs, *message.cc_addrs)
        ours = [verify_acknowledgement_id(sent, key) for sent in ids]
        ours += [verify_reply_address(address, key) for address in addresses]
        ticket = next((find_ticket(session, number) for number in ours if number), None)
    if ticket is None:
        quoted = REFERENCE.search(message.subject)
        ticket = find_ticket(session, quoted.group()) if quoted else None
        if ticket is not None and message.from_addr not in participants(session, ticket):
            return Place(None, related=ticket)
    if ticket is None:
        return _by_content(session, reading, seen, now=now)
    if not archive and ticket.id is not None and is_archived(session, ticket.id):
        # The archive has no clock: a living complaint in an old thread needs its own.
        return Place(None, related=ticket)
    if ticket.status not in OPEN and ticket.closed_at and now - ticket.closed_at > REOPEN_WITHIN:
        return Place(None, related=ticket)
    return Place(ticket)


def _by_content(session: Session, reading: Reading, seen: Seen, *, now: datetime) -> Place:
    """The place of a mail that names no other: with one that says the same, or on its own.

    Somebody who hears nothing sends the same mail again (B.8 row 20): the same words with other
    files, or above another mail handed on, are about something else. One photograph a mail, as
    telephones send them, makes tickets that a person may want to merge (E-67).
    """
    complaint = reading.complaint
    sender, content = complaint.requester_addr, reading.content_hash
    if not sender or sender not in seen.requesters:
        return Place(None)
    if complaint.text.strip():
        if content not in seen.contents:
            return Place(None)
        same = ticket_of_same_content(session, sender, content, since=now - SAME_CONTENT_WITHIN)
        if same is not None and same.status in OPEN:
            return Place(same, reason="B-H5: the same mail came from this address before")
        return Place(None)
    since = now - ALBUM_WITHIN
    return Place(
        None, related=newest_of_requester(session, sender, complaint.subject[:500], since=since)
    )
