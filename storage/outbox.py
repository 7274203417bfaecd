"""The outbox: what is owed, what was sent to whom, and what limits say."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import func, true, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, col, select

from storage.tables import OutboxMessage, SuppressedAddress, Ticket
from storage.tickets import add_event
from storage.work import LEASE, a_claim, finish, wake

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


def recent_by_domain(
    session: Session, addresses: Iterable[str], *, since: datetime
) -> dict[str, int]:
    """The same for the domains of many addresses in one question; by ``@`` and domain."""
    domains = {f"@{address.rpartition('@')[2]}" for address in addresses}
    recipient = col(OutboxMessage.recipient)
    # All but what is behind the last @: both databases cut off the end whatever is not an @.
    local_part = func.rtrim(recipient, func.replace(recipient, "@", ""))
    domain = "@" + func.substr(recipient, func.length(local_part) + 1)
    found = session.execute(
        select(domain, func.count())
        .where(
            col(OutboxMessage.created_at) >= since,
            col(OutboxMessage.state).in_(COUNTED),
            domain.in_(domains),
        )
        .group_by(domain)
    )
    return dict.fromkeys(domains, 0) | dict(found.all())


def recent_from_mailbox(session: Session, mailbox: str, *, since: datetime) -> int:
    return _count(session, OutboxMessage.mailbox == mailbox, since)


def written_since(session: Session, since: datetime) -> int:
    """How many messages were put into the outbox since a moment."""
    return _count(session, true(), since)


def usual_hour(session: Session, *, since: datetime, until: datetime) -> float:
    """The median number of messages of an hour in which there were any; 0 without such an hour."""
    moments = session.exec(
        select(OutboxMessage.created_at).where(
            col(OutboxMessage.created_at) >= since, col(OutboxMessage.created_at) < until
        )
    )
    hours = Counter(moment.replace(minute=0, second=0, microsecond=0) for moment in moments)
    return median(hours.values()) if hours else 0.0


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


def mark_sending(session: Session, row: OutboxMessage, *, now: datetime) -> bool:
    """Commit that this message goes on the wire now; False when the claim on it is lost.

    The condition is checked by the database in the same statement, so that of two workers that
    both believe to hold a message only one sends it.
    """
    marked = session.execute(
        update(OutboxMessage)
        .where(
            col(OutboxMessage.id) == row.id,
            col(OutboxMessage.state) == "waiting",
            col(OutboxMessage.claimed_until) > now,
            col(OutboxMessage.claimed_by) == row.claimed_by,
        )
        .values(state="sending")
        .returning(col(OutboxMessage.id))
        .execution_options(synchronize_session=False)
    ).all()
    session.commit()
    if len(marked) != 1:
        return False
    # As a refresh would, but with no transaction that stays open while the server answers.
    set_committed_value(row, "state", "sending")
    return True


def lost_in_sending(session: Session, *, now: datetime) -> list[OutboxMessage]:
    """Take the messages whose sender died between DATA and the answer.

    Nobody knows whether they arrived. The caller closes each of them.
    """
    lost = session.scalars(
        update(OutboxMessage)
        .where(
            # Its index is what keeps this from reading every message ever sent.
            col(OutboxMessage.next_attempt_at).is_not(None),
            col(OutboxMessage.state) == "sending",
            col(OutboxMessage.claimed_until) < now,
        )
        .values(claimed_until=now + LEASE, claimed_by=a_claim())
        .returning(OutboxMessage)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).all()
    session.commit()
    return list(lost)


def get_outbox_row(session: Session, row_id: int) -> OutboxMessage | None:
    return session.get(OutboxMessage, row_id)


def decide_delivery(session: Session, row: OutboxMessage, *, sent: bool, now: datetime) -> None:
    """A person's word on a message of unknown fate; sent again, it is the same bytes."""
    if sent:
        finish(row)
        row.state, row.sent_at = "sent", now
    else:
        wake(row, now=now)
        # Its day begins anew, or it would be too old to be sent (B.7).
        row.state, row.created_at = "waiting", now
    ticket = session.get(Ticket, row.ticket_id)
    assert ticket is not None, "a foreign key"
    if sent:
        ticket.acknowledged_at = now
        session.add(ticket)
    add_event(session, ticket, "acknowledgement_sent" if sent else "acknowledgement_sent_again")
    session.add(row)


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
