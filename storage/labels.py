"""Labels: what people said a ticket is, and the material for training."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from storage.tables import InboundMessage, Label, Prediction, Ticket
from storage.tickets import add_event, latest_prediction


@dataclass(frozen=True)
class LabelledText:
    """One ticket as training material: the newest label with the text a classifier saw."""

    ticket_id: int
    subject: str
    text: str
    cause: str
    urgency: str
    language: str | None
    labelled_at: datetime
    received_at: datetime
    requester_addr: str
    requester_name: str


def add_label(
    session: Session, ticket: Ticket, *, cause: str, urgency: str, author: str, source: str
) -> Label:
    """Record what a person stated; it decides the ticket from now on.

    The caller sets the dates and the priority that follow from it.
    """
    assert ticket.id is not None
    prediction: Prediction | None = latest_prediction(session, ticket.id)
    label = Label(
        ticket_id=ticket.id,
        cause=cause,
        urgency=urgency,
        author=author,
        source=source,
        prediction_id=None if prediction is None else prediction.id,
    )
    session.add(label)
    add_event(
        session,
        ticket,
        "label",
        actor=author,
        before={"cause": ticket.cause, "urgency": ticket.urgency},
        after={"cause": cause, "urgency": urgency},
    )
    ticket.cause, ticket.urgency, ticket.needs_review = cause, urgency, False
    return label


def count_labels(session: Session, *, since: datetime | None) -> int:
    """How many labels were given after a moment, or ever."""
    statement = select(func.count()).select_from(Label)
    if since is not None:
        statement = statement.where(col(Label.created_at) > since)
    return session.exec(statement).one()


def latest_label(session: Session, ticket_id: int) -> Label | None:
    return session.exec(
        select(Label).where(Label.ticket_id == ticket_id).order_by(col(Label.id).desc()).limit(1)
    ).first()


def labels_for_training(session: Session) -> Sequence[LabelledText]:
    """The newest label of each ticket with the text of its first message, oldest ticket first."""
    newest = select(func.max(Label.id)).group_by(col(Label.ticket_id))
    first = (
        select(func.min(InboundMessage.id))
        .where(col(InboundMessage.kind) == "person")
        .group_by(col(InboundMessage.ticket_id))
    )
    rows = session.exec(
        select(Label, InboundMessage, Ticket)
        .join(InboundMessage, col(InboundMessage.ticket_id) == Label.ticket_id)
        .join(Ticket, col(Ticket.id) == Label.ticket_id)
        .where(col(Label.id).in_(newest), col(InboundMessage.id).in_(first))
        .order_by(col(Label.ticket_id))
    )
    return [
        LabelledText(
            ticket_id=label.ticket_id,
            subject=message.subject,
            text=message.text,
            cause=label.cause,
            urgency=label.urgency,
            language=message.language,
            labelled_at=label.created_at,
            received_at=message.received_at,
            requester_addr=ticket.requester_addr,
            requester_name=ticket.requester_name,
        )
        for label, message, ticket in rows
    ]


def labelled_tickets(session: Session) -> Sequence[Ticket]:
    """The tickets that have a label."""
    labelled = select(Label.ticket_id)
    return session.exec(select(Ticket).where(col(Ticket.id).in_(labelled))).all()
