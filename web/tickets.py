"""One ticket: its messages, what the classifier thinks, what happened, and its attachments."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, Response

from storage.labels import latest_label
from storage.mail import attachments_of, find_attachment, messages_of_ticket
from storage.outbox import acknowledgement_of
from storage.tables import STATUSES, URGENCIES, Attachment, InboundMessage, Prediction, Ticket
from storage.tickets import (
    OPEN,
    QueueFilter,
    count_by_requester,
    events_of,
    find_ticket,
    get_ticket,
    latest_prediction,
    queue,
)
from web.pages import SignedIn, Visit
from web.plain_text import Folded, content_disposition, fold, reply_link
from web.reasons import reason_code

router = APIRouter()

LIKELY = 0.03  # a cause below this probability is offered without a bar
PREVIEW_EVENTS = 200


@dataclass(frozen=True)
class ShownMessage:
    message: InboundMessage
    folded: Folded
    attachments: Sequence[Attachment]


@dataclass(frozen=True)
class Option:
    """A cause or urgency that a person may state by one click."""

    code: str
    probability: float | None  # what the classifier gave it; None where it said nothing
    is_current: bool

    @property
    def width(self) -> str:
        """Of its bar, in percent; something is seen of every likely one."""
        return f"{max(1.5, 100 * (self.probability or 0)):.1f}%"


def require_ticket(visit: Visit, reference: str) -> Ticket:
    ticket = find_ticket(visit.db, reference[:40])
    if ticket is None:
        raise HTTPException(404)
    return ticket


@router.get("/tickets/{reference}")
def show_ticket(visit: SignedIn, reference: str) -> Response:
    ticket = require_ticket(visit, reference)
    assert ticket.id is not None
    prediction = latest_prediction(visit.db, ticket.id)
    causes = _cause_options(visit, ticket, prediction)
    is_open = ticket.status in OPEN
    label = latest_label(visit.db, ticket.id)
    address = ticket.requester_addr
    return visit.page(
        "ticket.html",
        ticket=ticket,
        is_open=is_open,
        due=visit.formats.due(ticket.due_safe, is_open=is_open),
        clock=next((c.clock for c in visit.site.taxonomy.causes if c.code == ticket.cause), ""),
        is_statutory_over=ticket.due_at is not None and ticket.due_at <= visit.now,
        messages=_messages(visit, ticket.id),
        prediction=prediction,
        label=label,
        # Where the classifier is not sure nothing is chosen for the person (triage.decision.Level).
        is_chosen=label is not None or prediction is None or prediction.level != "suggest",
        likely=[option for option in causes if (option.probability or 0) >= LIKELY],
        unlikely=[option for option in causes if (option.probability or 0) < LIKELY],
        urgencies=_urgency_options(ticket, prediction),
        statuses=STATUSES,
        description={
            cause.code: cause.description.in_language(visit.language)
            for cause in visit.site.taxonomy.causes
        },
        acknowledgement=acknowledgement_of(visit.db, ticket.id),
        reason_code=reason_code(ticket.acknowledgement_reason),
        reply=reply_link(address, ticket.subject, ticket.reference) if address else "",
        same_requester=count_by_requester(visit.db, address) - 1 if address else 0,
        related=(
            get_ticket(visit.db, ticket.related_ticket_id) if ticket.related_ticket_id else None
        ),
        events=events_of(visit.db, ticket.id)[-PREVIEW_EVENTS:],
        next_to_review=_next_to_review(visit, ticket),
    )


def _messages(visit: Visit, ticket_id: int) -> list[ShownMessage]:
    messages = messages_of_ticket(visit.db, ticket_id)
    found = attachments_of(visit.db, [message.id for message in messages if message.id])
    in_order = sorted(found, key=lambda attachment: attachment.message_id)
    by_message = {
        message_id: list(group)
        for message_id, group in groupby(in_order, key=lambda attachment: attachment.message_id)
    }
    return [
        ShownMessage(message, fold(message.text, message.body), by_message.get(message.id or 0, []))
        for message in messages
    ]


def _cause_options(visit: Visit, ticket: Ticket, prediction: Prediction | None) -> list[Option]:
    """The causes a person may choose, likeliest first, then in the order of the taxonomy."""
    probabilities = {} if prediction is None else prediction.causes
    codes = [cause.code for cause in visit.site.taxonomy.active_causes]
    if ticket.cause and ticket.cause not in codes:
        codes.append(ticket.cause)  # retired since; old tickets keep it
    options = [Option(code, probabilities.get(code), code == ticket.cause) for code in codes]
    return sorted(options, key=lambda option: -(option.probability or 0))


def _urgency_options(ticket: Ticket, prediction: Prediction | None) -> list[Option]:
    probabilities = {} if prediction is None else prediction.urgencies
    return [Option(code, probabilities.get(code), code == ticket.urgency) for code in URGENCIES]


def _next_to_review(visit: Visit, ticket: Ticket) -> str:
    """The reference of the first other ticket that waits for review, or nothing."""
    waiting = queue(visit.db, QueueFilter(status="open", needs_review=True), limit=2)
    return next((other.reference for other in waiting if other.id != ticket.id), "")


@router.get("/tickets/{reference}/attachments/{attachment_id}")
def download(visit: SignedIn, reference: str, attachment_id: int) -> Response:
    """The bytes of an attachment, to be saved and never shown by the browser (F-11)."""
    ticket = require_ticket(visit, reference)
    found = find_attachment(visit.db, attachment_id) if attachment_id < 2**31 else None
    if found is None or found[1] != ticket.id:
        raise HTTPException(404)
    attachment = found[0]
    path = visit.site.files.path(attachment.sha256)
    if not path.is_file():
        raise HTTPException(404)
    return FileResponse(
        path,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": content_disposition(attachment.name),
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )
