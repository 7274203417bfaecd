"""Step 4: outbox to SMTP, at most once on the wire (D-P5).

``sending`` is committed before DATA and the outcome after the answer. A message found in
``sending`` after its worker died is ``unknown``: a person decides, nothing is sent again.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from config.checkpoint import checkpoint
from config.settings import Smtp
from storage.database import Session, open_session
from storage.instance import get_instance
from storage.outbox import lost_in_sending, suppress
from storage.tables import OutboxMessage
from storage.tickets import add_event, get_ticket
from storage.work import claim, finish, keep_lease, release, retry_later, set_aside
from worker.context import Context
from worker.smtp import (
    OutcomeUnknown,
    RecipientRefused,
    RefusedForGood,
    RefusedForNow,
    ServerUnreachable,
    SmtpConnection,
    connect,
)

log = logging.getLogger(__name__)

BATCH = 20
EXPIRES_AFTER = timedelta(hours=24)


def deliver(context: Context) -> int:
    """Send one batch of what is due over one connection; return how many were handled.

    Raises ServerUnreachable when there is no conversation at all; the messages wait.
    """
    server = context.settings.smtp
    if server is None:
        return 0
    with open_session(context.engine) as session:
        now = context.clock()
        for lost in lost_in_sending(session, now=now):
            log.warning("outcome of a message unknown", extra={"row": lost.id})
        if get_instance(session).acknowledgements_paused:
            return 0
        due = claim(session, OutboxMessage, now=now, limit=BATCH)
        if not due:
            return 0
        checkpoint("CP-18")
        with keep_lease(context.engine, due, clock=context.clock):
            _send_all(context, session, server, due)
    return len(due)


def _send_all(
    context: Context, session: Session, server: Smtp, due: Sequence[OutboxMessage]
) -> None:
    waiting = list(due)
    try:
        with connect(server) as connection:
            while waiting and not context.stopping.is_set():
                _send_one(context, session, connection, server, waiting[0])
                waiting.pop(0)
    except ServerUnreachable as error:
        # The server's trouble is not the message's: only those in this batch wait a little.
        for row in waiting:
            retry_later(row, at=context.clock() + timedelta(seconds=30), problem=str(error))
            row.state = "waiting"
            session.add(row)
        session.commit()
        raise
    for row in waiting:
        release(row)
        session.add(row)
    session.commit()


def _send_one(
    context: Context,
    session: Session,
    connection: SmtpConnection,
    server: Smtp,
    row: OutboxMessage,
) -> None:
    def on_the_wire() -> None:
        row.state = "sending"
        session.add(row)
        session.commit()
        checkpoint("CP-21")

    if not row.mandatory and context.clock() - row.created_at > EXPIRES_AFTER:
        set_aside(row, problem="B.7: not sent within 24 hours, so not sent any more")
        row.state = "failed"
        _close(context, session, row)
        return
    try:
        connection.send(
            row.content, sender=row.sender, recipient=row.recipient, before_data=on_the_wire
        )
    except RefusedForNow as error:
        _try_again(context, server, row, str(error))
    except RefusedForGood as error:
        set_aside(row, problem=str(error))
        row.state = "failed"
        if isinstance(error, RecipientRefused):
            suppress(session, row.recipient, now=context.clock(), reason=str(error))
    except OutcomeUnknown as error:
        set_aside(row, problem=f"D-P5: {error}")
        row.state = "unknown"
    else:
        checkpoint("CP-24")
        finish(row)
        row.state, row.sent_at = "sent", context.clock()
    _close(context, session, row)


def _close(context: Context, session: Session, row: OutboxMessage) -> None:
    _note(context, session, row)
    session.add(row)
    session.commit()
    log.info("message handled", extra={"row": row.id, "state": row.state, "attempt": row.attempts})


def _try_again(context: Context, server: Smtp, row: OutboxMessage, problem: str) -> None:
    row.attempts += 1
    if row.attempts > len(server.retry_seconds):
        set_aside(row, problem=f"gave up after {row.attempts} attempts: {problem}")
        row.state = "failed"
        return
    wait = timedelta(seconds=server.retry_seconds[row.attempts - 1])
    retry_later(row, at=context.clock() + wait, problem=problem)
    row.state = "waiting"


def _note(context: Context, session: Session, row: OutboxMessage) -> None:
    """Say on the ticket what became of its acknowledgement."""
    ticket = get_ticket(session, row.ticket_id)
    if ticket is None or row.state == "waiting":
        return
    if row.state == "sent":
        ticket.acknowledged_at = context.clock()
        session.add(ticket)
    add_event(session, ticket, f"acknowledgement_{row.state}")
