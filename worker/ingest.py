"""Step 2: ledger to ticket.

Ticket, due dates, acknowledgement decision and outbox row are committed together, before any
classification: the customer's confirmation never waits for the classifier.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

from config.addresses import wire_address
from config.checkpoint import checkpoint
from storage.database import Session, open_session
from storage.instance import get_instance
from storage.mail import raw_bytes, raw_contents
from storage.outbox import recent_by_domain
from storage.seen import Seen, look_up
from storage.tables import RawMessage
from storage.tickets import forget_tickets, get_ticket, reserve_references
from storage.work import Lease, claim, finish, has_work, keep_lease, lease_of
from triage.clock import received_at
from worker.acknowledge import DAY, HOUR
from worker.context import Context
from worker.intake import AUTOMATIC, Intake
from worker.loop import given_back, work_through
from worker.mime import as_plain_text
from worker.parser_process import ParserProcess
from worker.reading import Reading, reading_of
from worker.received import trusted_received
from worker.release import release_confirmed

log = logging.getLogger(__name__)

BATCH = 200
AT_ONCE = 100  # in one transaction; meanwhile the child reads the next part
BATCH_BYTES = 16 * 1024 * 1024


def ingest(context: Context, parser: ParserProcess) -> int:
    """Handle one batch of pending messages; return how many."""
    release_confirmed(context, parser)
    with open_session(context.engine) as session:
        is_due = has_work(session, RawMessage, now=context.clock())
        session.commit()
        if not is_due:
            return 0
        parser.warm_up()
        rows = claim(session, RawMessage, now=context.clock(), limit=BATCH)
        if not rows:
            return 0
        checkpoint("CP-11")
        lease = lease_of(rows)
        parts = list(_parts(rows))
        ahead = _ReadAhead(context, parser, parts)
        with (
            given_back(session, rows, lease),
            keep_lease(context.engine, rows, clock=context.clock),
        ):
            handled = sum(
                work_through(
                    session,
                    part,
                    partial(_ingest_batch, context, session, ahead, lease),
                    lease=lease,
                    clock=context.clock,
                    give_up=_quarantine,
                )
                for part in parts
            )
        checkpoint("CP-17")
    log.info("messages handled", extra={"step": "ingest", "count": handled})
    return handled


def _parts(rows: Sequence[RawMessage]) -> Iterator[list[RawMessage]]:
    """Cut a batch so that what is held in memory at once stays small."""
    part: list[RawMessage] = []
    held = 0
    for row in rows:
        if len(part) == AT_ONCE or (part and held + row.size > BATCH_BYTES):
            yield part
            part, held = [], 0
        part.append(row)
        held += row.size
    if part:
        yield part


class _ReadAhead:
    """Lets the child read the next part of a batch while this one is written."""

    def __init__(
        self, context: Context, parser: ParserProcess, parts: Sequence[Sequence[RawMessage]]
    ) -> None:
        self._context, self._parser = context, parser
        self._following = dict(zip(map(_ids, parts), parts[1:], strict=False))
        self._begun: dict[tuple[int | None, ...], list[bytes]] = {}

    def read(
        self, session: Session, rows: Sequence[RawMessage]
    ) -> tuple[list[bytes], list[Reading]]:
        """The bytes of some rows and what the child makes of them; no transaction is open then."""
        contents = self._begun.pop(_ids(rows), None) or self._contents(session, rows)
        readings = self._parser.read_all(contents)
        following = self._following.pop(_ids(rows), None)
        if following is not None:
            with suppress(OSError):  # a file that cannot be read: said in its own turn
                begun = self._begun[_ids(following)] = self._contents(session, following)
                self._parser.begin(begun)
        return contents, readings

    def _contents(self, session: Session, rows: Sequence[RawMessage]) -> list[bytes]:
        contents = raw_contents(session, self._context.files, rows)
        session.commit()
        return contents


def _ids(rows: Sequence[RawMessage]) -> tuple[int | None, ...]:
    return tuple(row.id for row in rows)


def _quarantine(row: RawMessage, problem: str) -> None:
    row.outcome, row.reason = "quarantined", problem


def _ingest_batch(
    context: Context,
    session: Session,
    ahead: _ReadAhead,
    lease: Lease,
    rows: Sequence[RawMessage],
) -> None:
    contents, readings = ahead.read(session, rows)
    # Attachments are durable before a row refers to them; a file that is left over does no harm.
    files = [
        [context.files.put(attachment.content) for attachment in reading.message.attachments]
        for reading in readings
    ]
    checkpoint("CP-12")
    people = sum(reading.message.kind not in AUTOMATIC for reading in readings)
    references = reserve_references(session, year=context.clock().year, count=people)
    lease.require(session, rows)
    forget_tickets(session)  # a person may have changed one since the part before this
    intake = Intake(
        context, session, get_instance(session), _seen(context, session, rows, readings)
    )
    for row, content, reading, names in zip(rows, contents, readings, files, strict=True):
        arrived = received_at(
            row.received_at,
            row.fetched_at,
            trusted_received(content, context.settings.mail.trusted_hosts),
        )
        intake.take(row, reading, names, arrived, references)
    checkpoint("CP-16")


def _seen(
    context: Context, session: Session, rows: Sequence[RawMessage], readings: Sequence[Reading]
) -> Seen:
    messages = [reading.message for reading in readings]
    requesters = {reading.complaint.requester_addr for reading in readings}
    recipients = set(map(wire_address, requesters))
    now = context.clock()
    return look_up(
        session,
        mails=[str(row.sha256) for row in rows],
        contents=[reading.content_hash for reading in readings],
        fingerprints=[reading.fingerprint for reading in readings],
        ids=[
            name
            for m in messages
            for name in (m.message_id, *m.in_reply_to, *m.references, *m.returned_ids)
        ],
        requesters=requesters,
        recipients=recipients,
        written_since=now - DAY,
        counts=recent_by_domain(session, recipients, since=now - HOUR),
    )


def ticket_anyway(context: Context, row: RawMessage) -> str:
    """Open a ticket for a message that was set aside; return its reference.

    The text is its bytes as they are: a person answers it, nothing automatic is sent.
    """
    with open_session(context.engine) as session:
        session.add(row)
        content = raw_bytes(session, context.files, str(row.sha256))
        message = as_plain_text(content, f"set aside: {row.reason}")
        arrived = received_at(row.received_at, row.fetched_at, ())
        references = reserve_references(session, year=context.clock().year, count=1)
        intake = Intake(context, session, get_instance(session), Seen())
        files = [context.files.put(attachment.content) for attachment in message.attachments]
        intake.take(row, reading_of(message), files, arrived, references)
        finish(row)
        session.commit()
        ticket = get_ticket(session, row.ticket_id) if row.ticket_id else None
        return "" if ticket is None else ticket.reference
