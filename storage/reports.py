"""What a person should know before reading the queue, and whether the database answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, text
from sqlmodel import Session, col, select

from storage.database import DATABASE_DOWN, Engine
from storage.tables import (
    Instance,
    MailboxCursor,
    OutboxMessage,
    RawMessage,
    Ticket,
    WorkColumns,
)


@dataclass(frozen=True)
class MailboxProblem:
    mailbox: str
    folder: str
    problem: str


@dataclass(frozen=True)
class Attention:
    """What is paused, what is broken, and what waits for a person outside the queue."""

    worker_paused: bool
    acknowledgements_paused: bool
    pause_reason: str  # empty: a person has paused them
    mailboxes: Sequence[MailboxProblem]
    quarantined: int  # messages that could not be read
    unknown_deliveries: int  # acknowledgements of which nobody knows whether they arrived


def attention(session: Session) -> Attention:
    instance = session.get(Instance, 1)
    cursors = session.exec(
        select(MailboxCursor)
        .where(col(MailboxCursor.problem).is_not(None))
        .order_by(MailboxCursor.mailbox, MailboxCursor.folder)
    )
    quarantined = select(func.count()).where(col(RawMessage.outcome) == "quarantined")
    unknown = select(func.count()).where(col(OutboxMessage.state) == "unknown")
    return Attention(
        worker_paused=instance is not None and instance.worker_paused,
        acknowledgements_paused=instance is not None and instance.acknowledgements_paused,
        pause_reason="" if instance is None else instance.pause_reason,
        mailboxes=[
            MailboxProblem(cursor.mailbox, cursor.folder, cursor.problem)
            for cursor in cursors
            if cursor.problem
        ],
        quarantined=session.exec(quarantined).one(),
        unknown_deliveries=session.exec(unknown).one(),
    )


def is_reachable(engine: Engine) -> bool:
    """Whether the database answers a question at all."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1 FROM instance"))
    except DATABASE_DOWN:
        return False
    return True


@dataclass(frozen=True)
class WorkLeft:
    """How much of what has been seen is handled."""

    mails: int
    mails_done: int
    tickets: int
    classified: int
    replies: int
    sent: int

    @property
    def is_nothing(self) -> bool:
        return (
            0 < self.mails == self.mails_done
            and self.tickets == self.classified
            and self.replies == self.sent
        )


def work_left(session: Session) -> WorkLeft:
    """Count messages, tickets and replies, and those that wait for nothing any more."""

    def count(table: type[WorkColumns], *conditions: ColumnElement[bool]) -> int:
        return session.exec(select(func.count()).select_from(table).where(*conditions)).one()

    return WorkLeft(
        mails=count(RawMessage),
        mails_done=count(RawMessage, col(RawMessage.next_attempt_at).is_(None)),
        tickets=count(Ticket),
        classified=count(Ticket, col(Ticket.next_attempt_at).is_(None)),
        replies=count(OutboxMessage),
        sent=count(OutboxMessage, col(OutboxMessage.next_attempt_at).is_(None)),
    )
