"""A shop's own candidate: the shipped examples and what its people corrected.

Only heads are trained, on embeddings of the shipped encoder that are kept between calls: seconds,
not hours. The candidate is registered; promoting it is a person's decision.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from models.building import build
from models.dataset import Example, examples_from_rows, read_examples, unique
from models.registry import default_folder, register
from storage.classifiers import active_version, all_versions
from storage.database import Session
from storage.labels import count_labels, labels_for_training
from storage.tables import ClassifierVersion
from triage.encoder import Encoder, Progress

SHIPPED_EXAMPLES = Path(__file__).parent / "data" / "train"


def retrain(
    session: Session,
    storage: Path,
    *,
    now: datetime,
    shipped: Path = SHIPPED_EXAMPLES,
    on_progress: Progress | None = None,
) -> ClassifierVersion:
    """Train, write and register a candidate.

    storage: the folder ``storage.path``; the version is written below ``classifiers/``.
    shipped: the folder of labelled mails to which the shop's own labels are added.
    Raises BadExampleError or TooFewExamplesError. A crash leaves no half version: the folder takes
    its name when it is whole, and the row comes after it (CP-34 to CP-36).
    """
    examples = _examples(session, shipped)
    parent = active_version(session)
    session.commit()  # no transaction stays open while the encoder works
    folder = storage / "classifiers"
    # Other processes may be training too: their number keeps two names of one second apart.
    name = f"{now:%Y%m%d-%H%M%S}-{os.getpid()}"
    build(
        examples,
        Encoder.load(default_folder(), precision="fp32"),
        folder / name,
        version=name,
        parent=None if parent is None else parent.version,
        created_at=now,
        cache=folder / "cache",
        on_progress=on_progress,
    )
    return register(session, folder / name)


def new_labels(session: Session) -> int:
    """How many labels people have given since the newest version was made."""
    versions = all_versions(session)
    since = max((version.created_at for version in versions), default=None)
    return count_labels(session, since=since)


def _examples(session: Session, shipped: Path) -> Sequence[Example]:
    common = read_examples(sorted(shipped.glob("*.jsonl")))
    own = examples_from_rows(
        {
            "id": f"ticket-{row.ticket_id}",
            "subject": row.subject,
            "body": row.text,
            "cause": row.cause,
            "urgency": row.urgency,
            "language": row.language,
            "group": f"ticket-{row.ticket_id}",
        }
        for row in labels_for_training(session)
    )
    return unique([*common, *own])
