"""The outbox: what is owed, what was sent to whom, and what limits say."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from storage.tables import OutboxMessage, SuppressedAddress, Ticket
from storage.work import LEASE

COUNTED = ("waiting", "sending", "sent", "unknown")


def put_in_outbox(session: Session, message: OutboxMessage) -> None:
    session.add(message)


def recent_to_address(session: Session, address: str, *, since: datetime) -> int:
    """How many messages went, or will go, to an address since a moment."""
    return _count(session, OutboxMessage.recipient == address, since)


def recent_to_domain(session: Session, domain: str, *, since: datetime) -> int:
    return _count(
        session, col(OutboxMessage.recipient).endswith(f"@{domain}", autoescape=True), since
    )


def recent_from_mailbox(session: Session, mailbox: str, *, since: datetime) -> int:
    return _count(session, OutboxMessage.mailbox == mailbox, since)


def _count(session, condition, since) -> int:  # type: ignore[no-untyped-def]
    return session.exec(  # type: ignore[no-any-return]
        select(func.count())
        .select_from(OutboxMessage)
        .where(
            condition,
            col(OutboxMessage.created_at) >= since,
            col(OutboxMessage.state).in_(COUNTED),
        )
    ).one()


def is_suppressed(session: Session, address: str, *, now: datetime) -> bool:
    row = session.get(SuppressedAddress, address)
    return row is not None and row.until > now


def suppress(session: Session, address: str, *, now: datetime, days: int = 30, reason: str) -> None:
    """No automatic mail to this address for a while: a server refused it for good."""
    session.merge(
        SuppressedAddress(address=address, until=now + timedelta(days=days), reason=reason)
    )


def lost_in_sending(session: Session, *, now: datetime) -> list[OutboxMessage]:
    """Take the messages whose sender died between DATA and the answer.

    Nobody knows whether they arrived. The caller closes each of them.
    """
    lost = session.scalars(
        update(OutboxMessage)
        .where(col(OutboxMessage.state) == "sending", col(OutboxMessage.claimed_until) < now)
        .values(claimed_until=now + LEASE)
        .returning(OutboxMessage)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).all()
    session.commit()
    return list(lost)


def outbox(session: Session) -> Iterable[tuple[OutboxMessage, str]]:
    """Every row with the reference of its ticket, in order."""
    return session.exec(
        select(OutboxMessage, Ticket.reference)
        .join(Ticket, col(Ticket.id) == OutboxMessage.ticket_id)
        .order_by(col(OutboxMessage.id))
        .execution_options(yield_per=500)
    )


def acknowledgement_of(session: Session, ticket_id: int) -> OutboxMessage | None:
    return session.exec(
        select(OutboxMessage).where(
            OutboxMessage.ticket_id == ticket_id, OutboxMessage.kind == "acknowledgement"
        )
    ).first()
