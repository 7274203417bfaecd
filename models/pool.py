"""The training pool: what people of the shop said of its tickets, fit to learn from.

Only labels of people, the newest of each ticket, personal data masked, each text once. Unreviewed
predictions are never in it: a classifier must not learn its own mistakes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.dataset import Example
from models.similarity import near_duplicates
from storage.database import Session
from storage.labels import LabelledText, labels_for_training
from triage.redaction import redacted
from triage.text import MAX_CHARACTERS, folded, prepare

# The newest share of the labels is never trained on: it shows what a candidate is worth.
HELD_OUT = 0.2
# Below so many labels nothing is held out: every one is needed.
LEAST_TO_HOLD_OUT = 100


@dataclass(frozen=True)
class Conflict:
    """Two tickets that say nearly the same and were labelled differently; the newer one counts."""

    first: str  # ids of examples: ticket-17
    second: str
    labels: tuple[str, str]  # causes, in the order of the tickets


@dataclass(frozen=True)
class Pool:
    learn: tuple[Example, ...]
    held_out: tuple[Example, ...]
    collapsed: int  # labels left out because a newer one of nearly the same text is there
    conflicts: tuple[Conflict, ...]

    @property
    def examples(self) -> tuple[Example, ...]:
        return (*self.learn, *self.held_out)


def training_pool(session: Session) -> Pool:
    """The pool of this moment, oldest mail first; split by requester and time."""
    labelled = sorted(labels_for_training(session), key=lambda row: row.received_at)
    session.commit()  # no transaction stays open while the texts are read
    every = [example for row in labelled if (example := _example(row)).text]
    duplicates = near_duplicates([example.text for example in every])
    conflicts = tuple(
        Conflict(every[i].id, every[j].id, (every[i].cause, every[j].cause))
        for i, j, _ in duplicates
        if every[i].cause != every[j].cause
    )
    older = {i for i, _, _ in duplicates}
    kept = [example for index, example in enumerate(every) if index not in older]
    learn, held_out = _split(kept)
    return Pool(learn, held_out, len(every) - len(kept), conflicts)


def masked(subject: str, text: str, names: Sequence[str]) -> str:
    """As triage.text.prepare gives it, without personal data; no more is read than it keeps."""
    return prepare(
        redacted(folded(subject[:MAX_CHARACTERS]), names),
        redacted(folded(text[: 2 * MAX_CHARACTERS]), names),
    )


def _example(row: LabelledText) -> Example:
    names = [row.requester_name]
    return Example(
        id=f"ticket-{row.ticket_id}",
        text=masked(row.subject, row.text, names),
        cause=row.cause,
        urgency=row.urgency,
        language=row.language,
        group=row.requester_addr or f"ticket {row.ticket_id}",
        at=row.received_at,
    )


def _split(examples: Sequence[Example]) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """(to learn from, held out): the requesters who wrote last are held out with all their mail."""
    if len(examples) < LEAST_TO_HOLD_OUT:
        return tuple(examples), ()
    last: dict[str, int] = {example.group: index for index, example in enumerate(examples)}
    sizes = dict.fromkeys(last, 0)
    for example in examples:
        sizes[example.group] += 1
    room = HELD_OUT * len(examples)
    chosen = set()
    # A sender of half of all mail, a contact form or a marketplace, is learnt from.
    for group in sorted(last, key=lambda group: -last[group]):
        if sizes[group] <= room:
            chosen.add(group)
            room -= sizes[group]
    return (
        tuple(example for example in examples if example.group not in chosen),
        tuple(example for example in examples if example.group in chosen),
    )
