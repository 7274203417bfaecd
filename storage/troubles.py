"""What is wrong just now, as the alarms see it; every answer comes from an index."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from storage.classifiers import active_version
from storage.tables import (
    MailboxCursor,
    OutboxMessage,
    RawMessage,
    Ticket,
    TicketEvent,
    WithheldMessage,
)

ARRIVALS = 200  # of a folder, from which its habits are known
LAST_EVENTS = 500  # of all tickets, in which a classification is looked for


@dataclass(frozen=True)
class AsideMessage:
    """A row of the ledger that waits for a person."""

    row: int
    mailbox: str
    folder: str
    uid: int


def quarantined_messages(session: Session) -> list[AsideMessage]:
    rows = session.exec(
        select(RawMessage.id, RawMessage.mailbox, RawMessage.folder, RawMessage.uid)
        .where(RawMessage.outcome == "quarantined")
        .order_by(col(RawMessage.id))
    )
    return [AsideMessage(row or 0, mailbox, folder, uid) for row, mailbox, folder, uid in rows]


def unknown_deliveries(session: Session) -> Sequence[tuple[int, str]]:
    """Rows of the outbox of which nobody knows whether they arrived, and their tickets' numbers."""
    rows = session.exec(
        select(OutboxMessage.id, Ticket.reference)
        .join(Ticket, col(Ticket.id) == OutboxMessage.ticket_id)
        .where(OutboxMessage.state == "unknown")
        .order_by(col(OutboxMessage.id))
    )
    return [(row or 0, reference) for row, reference in rows]


def long_withheld(session: Session, *, tries: int) -> Sequence[WithheldMessage]:
    """Messages that a server did not hand out so many times or more."""
    return session.exec(
        select(WithheldMessage)
        .where(WithheldMessage.tries >= tries)
        .order_by(col(WithheldMessage.id))
    ).all()


def all_cursors(session: Session) -> Sequence[MailboxCursor]:
    return session.exec(select(MailboxCursor)).all()


@dataclass(frozen=True)
class Arrival:
    received_at: datetime  # on the server
    fetched_at: datetime

    @property
    def latest(self) -> datetime:
        """A mail that was moved here today has an old date of receipt: it arrived all the same."""
        return max(self.received_at, self.fetched_at)


def latest_arrivals(session: Session, cursor: MailboxCursor, *, limit: int) -> list[Arrival]:
    """The newest messages of a folder in the ledger, newest first."""
    rows = session.exec(
        select(RawMessage.received_at, RawMessage.fetched_at)
        .where(
            RawMessage.mailbox == cursor.mailbox,
            RawMessage.folder == cursor.folder,
            RawMessage.uidvalidity == cursor.uidvalidity,
        )
        .order_by(col(RawMessage.uid).desc())
        .limit(limit)
    )
    return [Arrival(received, fetched) for received, fetched in rows]


def last_reading(session: Session, cursor: MailboxCursor) -> datetime | None:
    """When a folder was last read; a first pull, whose success comes last, reads meanwhile."""
    newest = [arrival.fetched_at for arrival in latest_arrivals(session, cursor, limit=1)]
    moments = [cursor.last_success_at, *newest]
    return max((moment for moment in moments if moment is not None), default=None)


def classifier_is_missing(session: Session) -> bool:
    """No version is active, or the last ticket that came to be classified found none it could use.

    Only the newest events are looked through: an archive of many tickets is never classified.
    """
    if active_version(session) is None:
        return True
    newest = (
        select(TicketEvent.id, TicketEvent.kind)
        .order_by(col(TicketEvent.id).desc())
        .limit(LAST_EVENTS)
        .subquery()
    )
    last = session.exec(
        select(newest.c.kind)
        .where(newest.c.kind.in_(("classified", "not_classified")))
        .order_by(newest.c.id.desc())
        .limit(1)
    ).first()
    return last == "not_classified"
