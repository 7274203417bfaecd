"""Acknowledgements that waited for a person to confirm the address (B-D5, B-F2, B-F6)."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

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
from worker.loop import UNREACHABLE
from worker.parser_process import ParserProcess

log = logging.getLogger(__name__)

BATCH = 20
AGAIN_AFTER = timedelta(minutes=5)
UNREADABLE = "the mail could not be read again"
# Doubts about the address only; what says that no machine may answer stands, whoever asks.
_ABOUT_THE_ADDRESS = ("B-D", "B-F", "B-A2")


def release_confirmed(context: Context, parser: ParserProcess) -> int:
    """Decide anew about tickets whose requester a person has confirmed; return how many."""
    handled = 0
    with open_session(context.engine) as session:
        while handled < BATCH:
            tickets = with_confirmed_requester(session, now=context.clock(), limit=1)
            if not tickets:
                session.rollback()
                break
            [ticket] = tickets
            try:
                _release(context, session, parser, ticket)
                ticket.acknowledgement_wanted_at = None
            except UNREACHABLE:
                raise
            except Exception as error:
                session.rollback()
                _put_off(ticket, error, now=context.clock())
            session.add(ticket)
            session.commit()
            handled += 1
    if handled:
        log.info("acknowledgements released", extra={"step": "ingest", "count": handled})
    return handled


def _put_off(ticket: Ticket, error: Exception, *, now: datetime) -> None:
    """A mail that cannot be read again keeps no other waiting: once more, then a person sees why.

    Who is told by then confirms the address once more.
    """
    if not isinstance(error, OdzewError | OSError):
        log.error("unexpected error", exc_info=error, extra={"ticket": ticket.reference})
    again = not ticket.acknowledgement_reason.startswith(UNREADABLE)
    ticket.acknowledgement_wanted_at = now + AGAIN_AFTER if again else None
    if not again:
        ticket.requester_status = "suggested"
    known = str(error) if isinstance(error, OdzewError) else type(error).__name__
    ticket.acknowledgement_reason = f"{UNREADABLE}: {known}"


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
