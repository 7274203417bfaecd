"""Where a person's time is spent best: labels to look at again, tickets to label next."""

from dataclasses import dataclass
from pathlib import Path

from models.building import Material
from models.corpus import corpus, material
from models.dataset import Example
from models.label_quality import suspects, worth_labelling
from models.pool import masked, training_pool
from models.registry import active_folder, load_with_encoder
from storage.database import Session
from storage.labels import labelled_tickets
from storage.tables import InboundMessage, Ticket
from storage.tickets import open_to_label, texts_to_classify
from triage.classifier import Classifier
from triage.encoder import Encoder

# So many of the newest open tickets are looked at: more would take minutes.
_MOST = 500


@dataclass(frozen=True)
class DoubtfulLabel:
    ticket: str  # reference
    label: str
    suggested: str
    doubt: float  # 0 to 1


@dataclass(frozen=True)
class TicketToLabel:
    ticket: str  # reference
    cause: str  # the likeliest
    confidence: float


def doubtful_labels(session: Session, storage: Path) -> tuple[DoubtfulLabel, ...]:
    """Labels of people that the others contradict; () where there is no classifier."""
    known = _active(session, storage)
    if known is None:
        return ()
    classifier, encoder, folder = known
    own = training_pool(session).examples
    session.commit()  # no transaction stays open while the encoder works
    cache = storage / "classifiers" / "cache"
    found = suspects(
        classifier,
        material(corpus("train"), encoder, shipped=folder, cache=cache),
        material(own, encoder, cache=cache),
    )
    tickets = {f"ticket-{row.id}": row.reference for row in labelled_tickets(session)}
    return tuple(
        DoubtfulLabel(tickets[s.id], s.label, s.suggested, s.doubt)
        for s in found
        if s.id in tickets
    )


def tickets_to_label(session: Session, storage: Path, *, count: int) -> tuple[TicketToLabel, ...]:
    """The open tickets without a label from which the next training would learn most."""
    known = _active(session, storage)
    if known is None:
        return ()
    classifier, encoder, _ = known
    tickets = open_to_label(session, limit=_MOST)
    messages = texts_to_classify(session, tickets)
    own = training_pool(session).examples
    session.commit()
    candidates = [ticket for ticket in tickets if ticket.id in messages]
    if not candidates:
        return ()
    cache = storage / "classifiers" / "cache"
    seen = material([_example(t, messages[t.id or 0]) for t in candidates], encoder, cache=cache)
    labelled: Material = material(own, encoder, cache=cache)
    probabilities, _ = classifier.predict(seen.embeddings)
    chosen = worth_labelling(probabilities, seen.embeddings, labelled.embeddings, count=count)
    return tuple(
        TicketToLabel(
            candidates[index].reference,
            classifier.cause.labels[int(probabilities[index].argmax())],
            round(float(probabilities[index].max()), 3),
        )
        for index in chosen
    )


def _example(ticket: Ticket, message: InboundMessage) -> Example:
    text = masked(message.subject, message.text, [ticket.requester_name])
    return Example(id=ticket.reference, text=text, cause="", urgency="")


def _active(session: Session, storage: Path) -> tuple[Classifier, Encoder, Path] | None:
    """The active classifier with its encoder and the folder of the encoder."""
    folder = active_folder(session, storage)
    return None if folder is None else load_with_encoder(folder)
