"""Step 3: cause, urgency and confidence for tickets that wait for them.

Classification is never on the path that can lose mail (D-P8): a ticket is whole without it.
Without a usable classifier a ticket stays in the review queue, in the order of its deadline.
"""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from config.checkpoint import checkpoint
from config.errors import OdzewError
from config.taxonomy import Taxonomy
from models.artifact import verify
from models.registry import active_folder, default_folder, require_known_causes
from storage.database import Session, open_session
from storage.tables import Prediction, Ticket
from storage.tickets import (
    add_event,
    open_with_clock,
    store_prediction,
    texts_to_classify,
)
from storage.work import Lease, claim, keep_lease, lease_of
from triage.clock import deadlines, priority
from triage.triager import Triage, Triager
from worker.context import Context
from worker.fast_triager import with_fast_encoder
from worker.loop import work_through

log = logging.getLogger(__name__)

BATCH = 64


class ActiveTriager:
    """The classifier that is active now; promoting another takes effect at the next batch."""

    def __init__(self, storage: Path, taxonomy: Taxonomy) -> None:
        self._storage = storage
        self._taxonomy = taxonomy
        self._folder: Path | None = None
        self._triager: Triager | None = None

    def get(self, session: Session) -> Triager | None:
        """The active triager, or None where there is no usable one; why is in the log, once.

        A version that cannot be used, because its file was altered, its cause left the taxonomy or
        an upgrade brought another encoder, is stood in for by the shipped one.
        """
        folder = active_folder(session, self._storage)
        session.commit()
        if folder != self._folder:
            self._triager = None
            if folder is not None:
                shipped = default_folder()
                self._triager = self._loaded(folder)
                if self._triager is None and folder != shipped:
                    self._triager = self._loaded(shipped)
            self._folder = folder
        return self._triager

    def _loaded(self, folder: Path) -> Triager | None:
        try:
            # Files may have been altered since the promotion, by a disk or by a hand.
            verify(folder)
            triager = Triager.load(folder, encoder_folder=default_folder())
            classifier = triager.classifier
            require_known_causes(classifier.cause.labels, self._taxonomy, classifier.version)
            return with_fast_encoder(triager, self._storage / "classifiers" / "fast")
        except OdzewError as error:
            log.error("classifier cannot be used", extra={"problem": str(error)})
            return None


def assign(context: Context, active: ActiveTriager) -> int:
    """Classify one batch of tickets; return how many were handled."""
    with open_session(context.engine) as session:
        rows = claim(session, Ticket, now=context.clock(), limit=BATCH)
        if not rows:
            return 0
        lease = lease_of(rows)
        with keep_lease(context.engine, rows, clock=context.clock):
            triager = active.get(session)
            handled = work_through(
                session,
                rows,
                partial(_assign_batch, context, session, triager, lease),
                lease=lease,
                clock=context.clock,
                give_up=_leave_to_people,
            )
    log.info("tickets classified", extra={"step": "assign", "count": handled})
    return handled


def _leave_to_people(ticket: Ticket, problem: str) -> None:  # noqa: ARG001 - it is on the row
    ticket.needs_review = True


def _assign_batch(
    context: Context,
    session: Session,
    triager: Triager | None,
    lease: Lease,
    tickets: Sequence[Ticket],
) -> None:
    if triager is None:
        lease.require(session, tickets)
        for ticket in tickets:
            ticket.needs_review = True
            add_event(session, ticket, "not_classified")
        return
    messages = texts_to_classify(session, tickets)
    session.commit()  # no transaction stays open while the encoder works
    known = [ticket for ticket in tickets if ticket.id in messages]
    texts = [(messages[t.id].subject, messages[t.id].text) for t in known if t.id is not None]
    checkpoint("CP-14")
    results = triager.triage(texts)
    checkpoint("CP-15")
    lease.require(session, tickets)
    for ticket, result in zip(known, results, strict=True):
        _apply(context, session, ticket, result)


def _apply(context: Context, session: Session, ticket: Ticket, result: Triage) -> None:
    assert ticket.id is not None
    prediction = Prediction(
        ticket_id=ticket.id,
        classifier=result.classifier,
        cause=result.cause,
        cause_confidence=result.cause_confidence,
        urgency=result.urgency,
        urgency_confidence=result.urgency_confidence,
        needs_review=result.needs_review,
        level=result.level,
        causes=dict(result.causes),
        urgencies=dict(result.urgencies),
    )
    store_prediction(session, ticket, prediction)
    shop = context.settings.shop
    cause = context.taxonomy.cause(ticket.cause or result.cause)
    # A doubtful "question" keeps the clock of a complaint until a person has looked.
    clock = "complaint" if ticket.needs_review else cause.clock
    term = deadlines(ticket.received_at, clock=clock, timezone=shop.timezone, country=shop.country)
    ticket.due_at = None if term is None else term.due_at
    ticket.due_safe = None if term is None else term.due_safe
    today = context.local_date(context.clock())
    ticket.priority = priority(ticket.urgency, ticket.due_safe, today, country=shop.country)
    if not ticket.needs_review and ticket.status == "new":
        ticket.status = "assigned"
    add_event(session, ticket, "classified", classifier=result.classifier)


def refresh_priorities(context: Context) -> int:
    """Raise the priority of open tickets as their date comes near; return how many changed."""
    changed = 0
    country = context.settings.shop.country
    today = context.local_date(context.clock())
    with open_session(context.engine) as session:
        for ticket in open_with_clock(session):
            now = priority(ticket.urgency, ticket.due_safe, today, country=country)
            if now != ticket.priority:
                ticket.priority = now
                session.add(ticket)
                changed += 1
        session.commit()
    return changed
