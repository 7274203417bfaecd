"""The figures of ``/metrics``, each from an index: a scrape reads no table as a whole.

What waits for somebody is counted at each scrape. What is done grows for ever: it is counted by the
worker once a minute (``store_counts``), and a scrape reads what was found then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import case, func
from sqlmodel import Session, col, select

from storage.alarms import open_alarms_by_kind
from storage.classifiers import active_version
from storage.mail import outcome_counts
from storage.tables import (
    OUTBOX_STATES,
    OUTCOMES,
    Instance,
    MailboxCursor,
    OutboxMessage,
    RawMessage,
    StoredCount,
    Ticket,
    WithheldMessage,
)
from storage.tickets import OPEN

# Words that rows leave again; of the others there are ever more.
PASSING_OUTCOMES = ("pending", "quarantined")
PASSING_STATES = ("waiting", "sending", "failed", "unknown")


@dataclass(frozen=True)
class FolderFigures:
    """A watched folder; None: never yet."""

    mailbox: str
    folder: str
    last_success_at: datetime | None = None
    compared_at: datetime | None = None
    has_problem: bool = False


@dataclass(frozen=True)
class Figures:
    """What a monitoring system is told; nothing of it is personal."""

    messages: Mapping[str, int]  # by outcome
    oldest_pending_at: datetime | None  # fetched then, and not read yet
    outbox: Mapping[str, int]  # by state
    oldest_waiting_at: datetime | None  # written then, and not sent yet
    open_tickets: int
    overdue_tickets: int
    folders: Sequence[FolderFigures]
    withheld: int
    alarms: Mapping[str, int]  # open ones, by kind
    classifier: str | None
    acknowledgements_paused: bool
    worker_paused: bool


def figures(session: Session, *, now: datetime, today: date) -> Figures:
    """Count everything; ``today`` is the day where the shop is."""
    instance = session.get(Instance, 1)
    version = active_version(session)
    open_tickets, overdue_tickets = _open_and_overdue(session, today)
    outcomes = (
        select(RawMessage.outcome, func.count(), func.min(RawMessage.fetched_at))
        .where(col(RawMessage.outcome).in_(PASSING_OUTCOMES))
        .group_by(RawMessage.outcome)
    )
    states = (
        select(OutboxMessage.state, func.count(), func.min(OutboxMessage.created_at))
        .where(col(OutboxMessage.state).in_(PASSING_STATES))
        .group_by(OutboxMessage.state)
    )
    messages = {word: (count, oldest) for word, count, oldest in session.exec(outcomes)}
    outbox = {word: (count, oldest) for word, count, oldest in session.exec(states)}
    stored = stored_counts(session)
    return Figures(
        messages={
            word: messages.get(word, (0,))[0]
            if word in PASSING_OUTCOMES
            else stored.get(("messages", word), 0)
            for word in OUTCOMES
        },
        oldest_pending_at=messages.get("pending", (0, None))[1],
        outbox={
            word: outbox.get(word, (0,))[0]
            if word in PASSING_STATES
            else stored.get(("outbox", word), 0)
            for word in OUTBOX_STATES
        },
        oldest_waiting_at=outbox.get("waiting", (0, None))[1],
        open_tickets=open_tickets,
        overdue_tickets=overdue_tickets,
        folders=folder_figures(session),
        withheld=session.exec(select(func.count()).select_from(WithheldMessage)).one(),
        alarms=open_alarms_by_kind(session, now=now),
        classifier=None if version is None else version.version,
        acknowledgements_paused=instance is not None and instance.acknowledgements_paused,
        worker_paused=instance is not None and instance.worker_paused,
    )


def store_counts(session: Session, *, now: datetime) -> None:
    """Count all messages by outcome and the outbox by state; the caller commits."""
    states = session.exec(select(OutboxMessage.state, func.count()).group_by(OutboxMessage.state))
    found = {
        "messages": dict.fromkeys(OUTCOMES, 0) | outcome_counts(session),
        "outbox": dict.fromkeys(OUTBOX_STATES, 0) | dict(states.all()),
    }
    for name, counts in found.items():
        for word, count in counts.items():
            session.merge(StoredCount(name=name, word=word, count=count, counted_at=now))


def stored_counts(session: Session) -> dict[tuple[str, str], int]:
    """What was counted last, by table and word."""
    rows = session.exec(select(StoredCount.name, StoredCount.word, StoredCount.count))
    return {(name, word): count for name, word, count in rows}


def folder_figures(session: Session) -> list[FolderFigures]:
    cursors = session.exec(
        select(MailboxCursor).order_by(MailboxCursor.mailbox, MailboxCursor.folder)
    )
    return [
        FolderFigures(
            mailbox=cursor.mailbox,
            folder=cursor.folder,
            last_success_at=cursor.last_success_at,
            compared_at=cursor.compared_at,
            has_problem=cursor.problem is not None,
        )
        for cursor in cursors
    ]


def _open_and_overdue(session: Session, today: date) -> tuple[int, int]:
    is_overdue = case((col(Ticket.due_safe) < today, 1))
    return session.exec(
        select(func.count(), func.count(is_overdue)).where(col(Ticket.status).in_(OPEN))
    ).one()
