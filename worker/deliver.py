"""Step 4: outbox to SMTP, at most once on the wire (D-P5).

``sending`` is committed before DATA and the outcome after the answer. Where the answer was lost, or
the worker died before it, the message is ``unknown``: a person decides, nothing is sent again. Only
a confirmation that the law asks for is sent once more, the same bytes.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from config.checkpoint import checkpoint
from config.errors import OdzewError
from config.settings import Smtp
from storage.database import Session, open_session
from storage.outbox import lost_in_sending, mark_sending, suppress
from storage.tables import OutboxMessage, Ticket
from storage.tickets import add_event, events_of, get_ticket, tickets_by_id
from storage.work import (
    ClaimLost,
    Lease,
    claim,
    count_attempt,
    finish,
    keep_lease,
    lease_of,
    release,
    retry_later,
    set_aside,
    uncount_attempt,
)
from worker import breaker
from worker.context import Context
from worker.smtp import (
    OutcomeUnknown,
    RecipientRefused,
    RefusedForGood,
    RefusedForNow,
    ServerHadEnough,
    ServerUnreachable,
    SmtpConnection,
    connect,
)

log = logging.getLogger(__name__)

BATCH = 40
EXPIRES_AFTER = timedelta(hours=24)
SENT_AGAIN = "acknowledgement_sent_again"


def deliver(context: Context) -> int:
    """Send one batch of what is due over one connection; return how many were handled.

    Raises ServerUnreachable, or ConfigurationError for a missing secret, when there is no
    conversation at all; the messages wait.
    """
    server = context.settings.smtp
    if server is None:
        return 0
    with open_session(context.engine) as session:
        now = context.clock()
        for lost in lost_in_sending(session, now=now):
            _unknown(context, session, lost, "the worker stopped while the message was on the wire")
            _close(context, session, lost)
        if breaker.is_open(context, session):
            return 0
        due = claim(session, OutboxMessage, now=now, limit=BATCH)
        if not due:
            return 0
        checkpoint("CP-18")
        # While they are held, get_ticket finds them in the session.
        tickets = tickets_by_id(session, [row.ticket_id for row in due])
        session.commit()
        with keep_lease(context.engine, due, clock=context.clock):
            _send_all(context, session, server, due, lease_of(due))
        del tickets
    return len(due)


def _send_all(
    context: Context, session: Session, server: Smtp, due: Sequence[OutboxMessage], lease: Lease
) -> None:
    waiting = list(due)
    try:
        with connect(server, context.tokens.for_smtp(server)) as connection:
            connected = True
            while waiting and connected and not context.stopping.is_set():
                row = waiting.pop(0)
                try:
                    connected = _send_one(context, session, connection, server, row, lease)
                except ServerHadEnough:
                    waiting.insert(0, row)
                    connected = False  # so many go over one; the next batch has another
    except ClaimLost:
        # This process stood still for longer than its lease: the batch is somebody else's by now,
        # and not one row of it is touched any more (C-28).
        return
    except OdzewError as error:
        # The server's trouble is not the message's: only those in this batch wait a little.
        for row in lease.held(session, waiting):
            uncount_attempt(row, lease)
            retry_later(row, at=context.clock() + timedelta(seconds=30), problem=str(error))
            row.state = "waiting"
            session.add(row)
        session.commit()
        raise
    for row in lease.held(session, waiting):
        uncount_attempt(row, lease)
        release(row)
        session.add(row)
    session.commit()


def _send_one(
    context: Context,
    session: Session,
    connection: SmtpConnection,
    server: Smtp,
    row: OutboxMessage,
    lease: Lease,
) -> bool:
    """Send a message or say why not; False when the connection is lost.

    With nothing written it raises ClaimLost, where another worker has the message by now, and
    ServerHadEnough.
    """

    def on_the_wire() -> None:
        if not mark_sending(session, row, now=context.clock()):
            raise ClaimLost
        checkpoint("CP-21")

    if not row.mandatory and context.clock() - row.created_at > EXPIRES_AFTER:
        lease.require(session, [row])
        set_aside(row, problem="B.7: not sent within 24 hours, so not sent any more")
        row.state = "failed"
        _close(context, session, row)
        return True
    connected = True
    try:
        connection.send(
            row.content, sender=row.sender, recipient=row.recipient, before_data=on_the_wire
        )
    except ServerHadEnough:
        raise
    except ServerUnreachable as error:
        # The conversation had begun: this message may be why it ended, so it counts an attempt.
        lease.require(session, [row])
        _try_again(context, server, row, lease, str(error))
        _close(context, session, row)
        raise
    except RefusedForNow as error:
        lease.require(session, [row])
        _try_again(context, server, row, lease, str(error))
    except RefusedForGood as error:
        lease.require(session, [row])
        set_aside(row, problem=str(error))
        row.state = "failed"
        if isinstance(error, RecipientRefused):
            suppress(session, row.recipient, now=context.clock(), reason=str(error))
    except OutcomeUnknown as error:
        lease.require(session, [row])
        _unknown(context, session, row, str(error))
        connected = False
    else:
        checkpoint("CP-24")
        lease.require(session, [row])
        finish(row)
        row.state, row.sent_at = "sent", context.clock()
    _close(context, session, row)
    return connected


def _unknown(context: Context, session: Session, row: OutboxMessage, problem: str) -> None:
    """Nobody knows whether it arrived. A mandatory confirmation is sent again, once (D-P5)."""
    ticket = get_ticket(session, row.ticket_id)
    sent_again = any(event.kind == SENT_AGAIN for event in events_of(session, row.ticket_id))
    if ticket is None or sent_again or not row.mandatory:
        set_aside(row, problem=f"D-P5: {problem}")
        row.state = "unknown"
        return
    add_event(session, ticket, SENT_AGAIN)
    retry_later(row, at=context.clock() + timedelta(minutes=1), problem=f"D-P5: {problem}")
    row.state = "waiting"


def _close(context: Context, session: Session, row: OutboxMessage) -> None:
    ticket = get_ticket(session, row.ticket_id)
    _note(context, session, row, ticket)
    session.add(row)
    session.commit()
    log.info(
        "message handled",
        extra={
            "row": row.id,
            "mailbox": row.mailbox,
            "ticket": None if ticket is None else ticket.reference,
            "state": row.state,
            "attempt": row.attempts,
        },
    )


def _try_again(
    context: Context, server: Smtp, row: OutboxMessage, lease: Lease, problem: str
) -> None:
    count_attempt(row, lease)
    if row.attempts > len(server.retry_seconds):
        set_aside(row, problem=f"gave up after {row.attempts} attempts: {problem}")
        row.state = "failed"
        return
    wait = timedelta(seconds=server.retry_seconds[row.attempts - 1])
    retry_later(row, at=context.clock() + wait, problem=problem)
    row.state = "waiting"


def _note(context: Context, session: Session, row: OutboxMessage, ticket: Ticket | None) -> None:
    """Say on the ticket what became of its acknowledgement."""
    if ticket is None or row.state == "waiting":
        return
    if row.state == "sent":
        ticket.acknowledged_at = context.clock()
        session.add(ticket)
    add_event(session, ticket, f"acknowledgement_{row.state}")
