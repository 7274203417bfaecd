"""Tickets: open, append to, classify, change; their history and the queue."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, nulls_last, update
from sqlmodel import Session, col, select

from storage.mail import insert_for
from storage.tables import (
    InboundMessage,
    Label,
    Prediction,
    ReferenceCounter,
    Ticket,
    TicketEvent,
)

OPEN = ("new", "assigned", "waiting")


def reserve_references(session: Session, *, year: int, count: int) -> Iterator[str]:
    """So many new ticket numbers of the year, such as ``ODZ-2026-000123``; none is given twice.

    Commits: in the transaction of a whole batch the counter would let one worker commit after the
    other. What is not used, also after a crash, is a gap.
    """
    if not count:
        return iter(())
    counter = insert_for(session, ReferenceCounter).values(year=year, last=count)
    last = session.execute(
        counter.on_conflict_do_update(
            index_elements=["year"], set_={"last": ReferenceCounter.last + count}
        ).returning(col(ReferenceCounter.last))
    ).scalar_one()
    session.commit()
    return (f"ODZ-{year}-{number:06d}" for number in range(last - count + 1, last + 1))


def open_ticket(session: Session, ticket: Ticket) -> Ticket:
    """Add a ticket and the first line of its history; ``ticket.id`` is set by the next flush."""
    session.add(ticket)
    add_event(session, ticket, "opened")
    return ticket


def add_event(
    session: Session, ticket: Ticket, kind: str, *, actor: str = "", **detail: Any
) -> None:
    event = TicketEvent(ticket=ticket, kind=kind, actor=actor, detail=detail)  # type: ignore[call-arg]
    session.add(event)


def events_of(session: Session, ticket_id: int) -> Sequence[TicketEvent]:
    return session.exec(
        select(TicketEvent).where(TicketEvent.ticket_id == ticket_id).order_by(col(TicketEvent.id))
    ).all()


def find_ticket(session: Session, reference: str) -> Ticket | None:
    return session.exec(select(Ticket).where(Ticket.reference == reference.upper())).first()


def get_ticket(session: Session, ticket_id: int) -> Ticket | None:
    return session.get(Ticket, ticket_id)


def forget_tickets(session: Session) -> None:
    """Read tickets anew when they are next looked at: other transactions may have changed them."""
    for row in session.identity_map.values():
        if isinstance(row, Ticket):
            session.expire(row)


def tickets_by_id(session: Session, ids: Collection[int]) -> Sequence[Ticket]:
    return session.exec(select(Ticket).where(col(Ticket.id).in_(ids))).all()


def store_prediction(session: Session, ticket: Ticket, prediction: Prediction) -> None:
    """Keep what a classifier said; it decides the ticket's cause unless a person has stated one."""
    session.add(prediction)
    ticket.classifier = prediction.classifier
    stated = session.exec(select(Label.id).where(Label.ticket_id == ticket.id).limit(1)).first()
    if stated is not None:
        return
    ticket.cause = prediction.cause
    ticket.cause_confidence = prediction.cause_confidence
    ticket.urgency = prediction.urgency
    ticket.urgency_confidence = prediction.urgency_confidence
    ticket.needs_review = prediction.needs_review


def latest_prediction(session: Session, ticket_id: int) -> Prediction | None:
    return session.exec(
        select(Prediction)
        .where(Prediction.ticket_id == ticket_id)
        .order_by(col(Prediction.id).desc())
        .limit(1)
    ).first()


def confirm_requester(
    session: Session, ticket: Ticket, address: str, *, actor: str, now: datetime
) -> None:
    """A person says whose ticket it is; the worker then acknowledges it, if nothing forbids it."""
    before, ticket.requester_addr = ticket.requester_addr, address
    ticket.requester_status = "known"
    ticket.acknowledgement_wanted_at = now
    session.add(ticket)
    add_event(session, ticket, "requester_confirmed", actor=actor, changed=before != address)


def with_confirmed_requester(session: Session, *, now: datetime, limit: int) -> Sequence[Ticket]:
    """Tickets whose acknowledgement a person has released, and that are due."""
    return session.exec(
        select(Ticket)
        .where(col(Ticket.acknowledgement_wanted_at) <= now)
        .order_by(col(Ticket.acknowledgement_wanted_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()


def set_status(
    session: Session, ticket: Ticket, status: str, *, actor: str = "", now: datetime
) -> None:
    """Change the status; resolved and closed stop counting as open, and that moment is kept."""
    if status == ticket.status:
        return
    before, ticket.status = ticket.status, status
    ticket.closed_at = None if status in OPEN else now
    add_event(session, ticket, "status", actor=actor, before=before, after=status)


def texts_to_classify(session: Session, tickets: Sequence[Ticket]) -> dict[int, InboundMessage]:
    """The first message of each ticket, by ticket id."""
    first = (
        select(func.min(InboundMessage.id))
        .where(col(InboundMessage.ticket_id).in_([ticket.id for ticket in tickets]))
        .group_by(col(InboundMessage.ticket_id))
    )
    messages = session.exec(select(InboundMessage).where(col(InboundMessage.id).in_(first)))
    return {message.ticket_id: message for message in messages if message.ticket_id is not None}


def open_to_label(session: Session, *, limit: int) -> Sequence[Ticket]:
    """The newest open tickets that nobody has labelled."""
    labelled = select(Label.ticket_id)
    return session.exec(
        select(Ticket)
        .where(col(Ticket.status).in_(OPEN), col(Ticket.id).not_in(labelled))
        .order_by(col(Ticket.id).desc())
        .limit(limit)
    ).all()


@dataclass(frozen=True)
class QueueFilter:
    """What a person wants to see of the queue; None: everything."""

    status: str | None = None  # a status, or "open"
    needs_review: bool | None = None
    cause: str | None = None
    urgency: str | None = None
    text: str = ""  # part of the reference, the subject, the requester's name or address
    due_on: date | None = None  # the safe date is this day
    due_before: date | None = None  # the safe date is earlier than this day


def _filtered(wanted: QueueFilter) -> Any:
    statement = select(Ticket)
    if wanted.status == "open":
        statement = statement.where(col(Ticket.status).in_(OPEN))
    elif wanted.status:
        statement = statement.where(Ticket.status == wanted.status)
    if wanted.needs_review is not None:
        statement = statement.where(Ticket.needs_review == wanted.needs_review)
    if wanted.cause:
        statement = statement.where(Ticket.cause == wanted.cause)
    if wanted.urgency:
        statement = statement.where(Ticket.urgency == wanted.urgency)
    if wanted.due_on:
        statement = statement.where(Ticket.due_safe == wanted.due_on)
    if wanted.due_before:
        statement = statement.where(col(Ticket.due_safe) < wanted.due_before)
    if wanted.text:
        # contains() with autoescape: what a person types is never a pattern.
        part = wanted.text.strip()
        statement = statement.where(
            col(Ticket.reference).icontains(part, autoescape=True)
            | col(Ticket.subject).icontains(part, autoescape=True)
            | col(Ticket.requester_addr).icontains(part, autoescape=True)
            | col(Ticket.requester_name).icontains(part, autoescape=True)
        )
    return statement


def queue(
    session: Session, wanted: QueueFilter, *, offset: int = 0, limit: int = 50
) -> Sequence[Ticket]:
    """Tickets in the order in which they should be answered: priority, then the safe date."""
    found: Sequence[Ticket] = session.exec(
        _filtered(wanted)
        .order_by(col(Ticket.priority), nulls_last(col(Ticket.due_safe)), col(Ticket.received_at))
        .offset(offset)
        .limit(limit)
    ).all()
    return found


def count_tickets(session: Session, wanted: QueueFilter) -> int:
    inner = _filtered(wanted).subquery()
    return session.exec(select(func.count()).select_from(inner)).one()


def all_tickets(session: Session) -> Iterable[Ticket]:
    return session.exec(select(Ticket).order_by(col(Ticket.id)).execution_options(yield_per=500))


def message_ids_of(session: Session, ticket_id: int) -> Sequence[str]:
    return session.exec(
        select(InboundMessage.message_id)
        .where(InboundMessage.ticket_id == ticket_id)
        .order_by(col(InboundMessage.id))
    ).all()


def open_with_clock(session: Session) -> Sequence[Ticket]:
    """Open tickets with a date: their priority rises as the date comes near."""
    return session.exec(
        select(Ticket).where(col(Ticket.status).in_(OPEN), col(Ticket.due_safe).is_not(None))
    ).all()


def count_by_requester(session: Session, address: str) -> int:
    return session.exec(
        select(func.count()).select_from(Ticket).where(Ticket.requester_addr == address)
    ).one()


def queue_summary(session: Session, *, today: date) -> dict[str, int]:
    """The figures above the queue."""
    is_open = col(Ticket.status).in_(OPEN)

    def count(*conditions: Any) -> int:
        return session.exec(
            select(func.count()).select_from(Ticket).where(is_open, *conditions)
        ).one()

    return {
        "open": count(),
        "needs_review": count(col(Ticket.needs_review)),
        "critical": count(Ticket.urgency == "critical"),
        "overdue": count(col(Ticket.due_safe) < today),
        "today": count(Ticket.due_safe == today),
    }


def classify_the_unclassified(session: Session, *, now: datetime) -> int:
    """Let the worker classify open tickets that no classifier has seen; return how many."""
    waiting = session.execute(
        update(Ticket)
        .where(
            col(Ticket.status).in_(OPEN),
            col(Ticket.classifier).is_(None),
            col(Ticket.next_attempt_at).is_(None),
        )
        .values(next_attempt_at=now, attempts=0)
        .returning(col(Ticket.id))
    ).all()
    return len(waiting)
