"""Acknowledgements that waited for a person to confirm the address (B-D5, B-F2, B-F6)."""

import logging
from dataclasses import replace

from config.errors import OdzewError
from storage.database import Session, open_session
from storage.instance import get_instance
from storage.mail import opening_message, raw_bytes
from storage.outbox import acknowledgement_of
from storage.seen import Seen
from storage.tables import Ticket
from storage.tickets import with_confirmed_requester
from worker.acknowledge import acknowledge
from worker.context import Context
from worker.parser_process import ParserProcess

log = logging.getLogger(__name__)

BATCH = 20
# Doubts about the address only; what says that no machine may answer stands, whoever asks.
_ABOUT_THE_ADDRESS = ("B-D", "B-F", "B-A2")


def release_confirmed(context: Context, parser: ParserProcess) -> int:
    """Decide anew about tickets whose requester a person has confirmed; return how many."""
    handled = 0
    with open_session(context.engine) as session:
        while handled < BATCH:
            tickets = with_confirmed_requester(session, limit=1)
            if not tickets:
                session.rollback()
                break
            [ticket] = tickets
            try:
                _release(context, session, parser, ticket)
            except (OdzewError, OSError) as error:
                # A mail that cannot be read again keeps no other waiting; a person sees why.
                session.rollback()
                known = error if isinstance(error, OdzewError) else "its file cannot be read"
                ticket.acknowledgement_reason = f"the mail could not be read again: {known}"
            ticket.acknowledgement_wanted_at = None
            session.add(ticket)
            session.commit()
            handled += 1
    if handled:
        log.info("acknowledgements released", extra={"step": "ingest", "count": handled})
    return handled


def _release(context: Context, session: Session, parser: ParserProcess, ticket: Ticket) -> None:
    assert ticket.id is not None
    row = opening_message(session, ticket.id)
    if row is None or acknowledgement_of(session, ticket.id) is not None:
        return
    [reading] = parser.read_all([raw_bytes(session, context.files, str(row.sha256))])
    message = reading.message
    if (message.no_ack_reason or "").startswith(_ABOUT_THE_ADDRESS):
        message = replace(message, no_ack_reason=None)
    complaint = replace(
        reading.complaint, requester_addr=ticket.requester_addr, requester_status="known"
    )
    reading = replace(reading, message=message, complaint=complaint)
    instance = get_instance(session)
    acknowledge(context, session, instance, ticket, reading, Seen(), archive=row.archive)
