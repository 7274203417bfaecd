"""Which ticket a message belongs to: ids we know, or our reference from a participant (B-H3)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.database import Session
from storage.mail import is_archived, participants, ticket_of_message_ids
from storage.tables import Ticket
from storage.tickets import OPEN, find_ticket, get_ticket
from worker.parsed_message import ParsedMessage

REFERENCE = re.compile(r"\bODZ-\d{4}-\d{6,9}\b", re.IGNORECASE)
REOPEN_WITHIN = timedelta(days=30)


@dataclass(frozen=True)
class Place:
    """Where a message goes: onto ``ticket``, or onto a new one that may be ``related``."""

    ticket: Ticket | None
    related: Ticket | None = None


def find_place(
    session: Session, message: ParsedMessage, *, now: datetime, archive: bool = False
) -> Place:
    """Find the conversation of a message.

    In-Reply-To and References against ids that we sent or received come first. A reference in the
    subject counts only from a participant of that ticket: anybody can copy a number, so a stranger
    gets a new ticket, linked for a person to judge. So does a reply to a ticket that was closed
    more than 30 days ago, and to archived mail unless it is ``archive`` itself.
    """
    ids = [*message.in_reply_to, *reversed(message.references)]
    ticket_id = ticket_of_message_ids(session, ids)
    ticket = None if ticket_id is None else get_ticket(session, ticket_id)
    if ticket is None:
        quoted = REFERENCE.search(message.subject)
        ticket = find_ticket(session, quoted.group()) if quoted else None
        if ticket is not None and message.from_addr not in participants(session, ticket):
            return Place(None, related=ticket)
    if ticket is None:
        return Place(None)
    if not archive and ticket.id is not None and is_archived(session, ticket.id):
        # The archive has no clock: a living complaint in an old thread needs its own.
        return Place(None, related=ticket)
    if ticket.status not in OPEN and ticket.closed_at and now - ticket.closed_at > REOPEN_WITHIN:
        return Place(None, related=ticket)
    return Place(ticket)
