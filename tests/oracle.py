"""What must be true after any crash, outage or load, whatever happened (``promises.md`` D.3).

Given the mails that a server held, the database, and what arrived at the customers' servers, each
promise is looked at by itself; what is broken is named.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from hashlib import sha256

from sqlmodel import select

from storage.database import open_session
from storage.mail import outcome_counts
from storage.tables import Attachment, InboundMessage, OutboxMessage, RawContent, RawMessage, Ticket
from triage.clock import deadlines
from worker.context import Context

BY_ITSELF = ("pending", "quarantined")  # outcomes that a finished run must not leave


def broken_promises(
    context: Context, mails: Iterable[bytes], arrived: Collection[bytes] | None = None
) -> list[str]:
    """Sentences; an empty list is what is wanted.

    mails: every mail in the watched folders, as often as it lies there. arrived: the content of
    every message that a customer's server took; None: not looked at.
    """
    with open_session(context.engine) as session:
        rows = session.exec(select(RawMessage)).all()
        tickets = {ticket.id: ticket for ticket in session.exec(select(Ticket)).all()}
        owed = session.exec(select(OutboxMessage)).all()
        messages = session.exec(select(InboundMessage)).all()
        attachments = session.exec(select(Attachment)).all()
        inline = set(session.exec(select(RawContent.sha256)).all())
        outcomes = outcome_counts(session)
    return [
        *_nothing_lost(mails, rows),
        *_one_outcome_each(rows, outcomes),
        *_one_ticket_each(rows, tickets, messages),
        *_at_most_once(owed, tickets, arrived),
        *_no_bytes_missing(context, rows, inline, attachments),
        *_same_terms(context, rows, tickets),
    ]


def _nothing_lost(mails: Iterable[bytes], rows: Iterable[RawMessage]) -> Iterable[str]:
    """D-P1: every mail of the server is in the ledger, as often as it lies there."""
    there = Counter(sha256(mail).hexdigest() for mail in mails)
    lost = there - Counter(row.sha256 for row in rows)
    if lost:
        yield f"D-P1: {lost.total()} mails of the server are not in the ledger"


def _one_outcome_each(rows: Collection[RawMessage], outcomes: dict[str, int]) -> Iterable[str]:
    """D-P4"""
    if sum(outcomes.values()) != len(rows):
        yield f"D-P4: {len(rows)} rows, {sum(outcomes.values())} outcomes"
    left = {name: outcomes[name] for name in BY_ITSELF if outcomes.get(name)}
    if left:
        yield f"D-P4: left without an outcome: {left}"


def _one_ticket_each(
    rows: Collection[RawMessage],
    tickets: dict[int | None, Ticket],
    messages: Collection[InboundMessage],
) -> Iterable[str]:
    """D-P3: the same bytes open one ticket; no ticket without the mail that opened it."""
    opened = Counter(row.sha256 for row in rows if row.outcome in ("ticket", "archived"))
    doubled = [content for content, count in opened.items() if count > 1]
    if doubled:
        yield f"D-P3: {len(doubled)} mails opened more than one ticket"
    with_mail = {message.ticket_id for message in messages}
    if bare := set(tickets) - with_mail:
        yield f"D-P3: {len(bare)} tickets have no mail"
    references = Counter(ticket.reference for ticket in tickets.values())
    if len(references) != len(tickets):
        yield "D-P3: a ticket number was given twice"


def _at_most_once(
    owed: Collection[OutboxMessage],
    tickets: dict[int | None, Ticket],
    arrived: Collection[bytes] | None,
) -> Iterable[str]:
    """D-P5 and D-P6: one acknowledgement a ticket at most, with the bytes that were stored."""
    if any(row.ticket_id not in tickets for row in owed):
        yield "D-P6: an acknowledgement has no ticket"
    for row in owed:
        ticket = tickets.get(row.ticket_id)
        if ticket is not None and ticket.reference.encode() not in row.content:
            yield f"D-P6: the acknowledgement of {ticket.reference} names another number"
    if arrived is None:
        return
    written = {row.content: row for row in owed}
    for content, count in Counter(arrived).items():
        row = written.get(content)
        if row is None:
            yield "D-P6: something arrived that was never written"
        elif count > (2 if row.mandatory else 1):
            yield f"D-P5: an acknowledgement arrived {count} times"
    came = set(arrived)
    for row in owed:
        if row.state == "sent" and row.content not in came:
            yield "D-P5: an acknowledgement counts as sent and did not arrive"
        if row.state in ("waiting", "sending"):
            yield f"D-P5: an acknowledgement was left {row.state}"


def _no_bytes_missing(
    context: Context,
    rows: Iterable[RawMessage],
    inline: Collection[str],
    attachments: Iterable[Attachment],
) -> Iterable[str]:
    """D-P2: what a row refers to is there, and is what its name says."""
    for row in rows:
        if row.sha256 is None or row.sha256 in inline:
            continue
        path = context.files.path(row.sha256)
        if not path.exists() or sha256(path.read_bytes()).hexdigest() != row.sha256:
            yield f"D-P2: the bytes of message {row.id} are missing or damaged"
    for attachment in attachments:
        if not context.files.path(attachment.sha256).exists():
            yield f"D-P2: attachment {attachment.id} is missing"
    if list(context.files.root.rglob("*.part")):
        yield "D-P2: half-written files were left"


def _same_terms(
    context: Context, rows: Iterable[RawMessage], tickets: dict[int | None, Ticket]
) -> Iterable[str]:
    """D-P7: the term of a ticket that nobody has touched follows from its receipt alone."""
    shop = context.settings.shop
    for ticket in tickets.values():
        if ticket.due_at is None or ticket.classifier is not None:
            continue
        term = deadlines(
            ticket.received_at, clock="complaint", timezone=shop.timezone, country=shop.country
        )
        if term is None or (term.due_at, term.due_safe) != (ticket.due_at, ticket.due_safe):
            yield f"D-P7: the term of {ticket.reference} does not follow from its receipt"
    received = {row.ticket_id: row.received_at for row in rows if row.outcome == "ticket"}
    for number, moment in received.items():
        if number in tickets and tickets[number].received_at > moment:
            yield f"D-P7: {tickets[number].reference} was received later than its mail"
