"""A candidate beside the active version: on the frozen test part and on the shop's own labels."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from config.errors import OdzewError
from models.building import Material
from models.corpus import corpus, material
from models.dataset import dataset_hash
from models.evaluation import EvaluationReport, evaluate, predict
from models.registry import default_folder, folder_of
from storage.classifiers import active_version
from storage.database import Session
from storage.tables import ClassifierVersion
from triage.classifier import Classifier
from triage.encoder import Encoder, encoder_hash

log = logging.getLogger(__name__)

RECENT = timedelta(days=30)


@dataclass(frozen=True)
class Comparison:
    """What a candidate is worth; each part with the active version beside it where there is one."""

    frozen: EvaluationReport
    test_hash: str
    beside: str  # the version that was active then
    held_out: tuple[str, ...]  # ids of the shop's own examples that were not trained on
    own: Mapping[str, EvaluationReport]  # "candidate" and "active"; {} without held-out labels
    recent: Mapping[str, EvaluationReport]  # the same on mail of the last 30 days

    def metrics(self) -> dict[str, Any]:
        """As stored with the version: the frozen figures, and the others below their names."""
        return self.frozen.as_json() | {
            "test_hash": self.test_hash,
            "beside": self.beside,
            "held_out": list(self.held_out),
            "own": {who: report.as_json() for who, report in self.own.items()},
            "recent": {who: report.as_json() for who, report in self.recent.items()},
        }


def compare(
    session: Session,
    storage: Path,
    candidate: Classifier,
    test: Material,
    held_out: Material,
    *,
    now: datetime,
) -> Comparison:
    """Measure a candidate that has seen neither ``test`` nor ``held_out``.

    Both are embedded by the candidate's encoder; where the active version has another one, the
    shop's own texts are read again by it.
    """
    active_row = active_version(session)
    if active_row is not None:
        # Mail that the active version has learnt from would flatter it.
        learnt = set(active_row.report.get("learnt", ()))
        held_out = held_out.chosen(
            np.array([e.id not in learnt for e in held_out.examples], np.bool_)
        )
    session.commit()  # no transaction stays open while an encoder works
    recent = np.array(
        [e.at is not None and e.at >= now - RECENT for e in held_out.examples], np.bool_
    )
    own = {"candidate": predict(candidate, held_out.embeddings, held_out.examples)}
    late = held_out.chosen(recent)
    lately = {"candidate": predict(candidate, late.embeddings, late.examples)}
    test_hash = dataset_hash(test.examples)
    active = _active(active_row, storage, candidate.encoder_hash)
    if active_row is not None and active is not None:
        classifier, embedded = active
        if active_row.report.get("test_hash") != test_hash:
            # An upgrade has brought another test part: its old figures compare to nothing.
            seen = embedded(test)
            frozen = evaluate(predict(classifier, seen.embeddings, seen.examples)).as_json()
            active_row.report = active_row.report | frozen | {"test_hash": test_hash}
            session.commit()
        theirs = embedded(held_out)
        own["active"] = predict(classifier, theirs.embeddings, theirs.examples)
        late = theirs.chosen(recent)
        lately["active"] = predict(classifier, late.embeddings, late.examples)
    return Comparison(
        frozen=evaluate(predict(candidate, test.embeddings, test.examples)),
        test_hash=test_hash,
        held_out=tuple(example.id for example in held_out.examples),
        beside="" if active_row is None else active_row.version,
        own={who: evaluate(p) for who, p in own.items() if len(p.causes)},
        recent={who: evaluate(p) for who, p in lately.items() if len(p.causes)},
    )


def _active(
    version: ClassifierVersion | None, storage: Path, encoder_hash_here: str
) -> tuple[Classifier, Callable[[Material], Material]] | None:
    """The active classifier, and what embeds material as its own encoder does."""
    if version is None:
        return None
    folder = folder_of(version, storage)
    try:
        classifier = Classifier.load(folder)
        if classifier.encoder_hash == encoder_hash_here:
            return classifier, lambda examples: examples
        own = (folder / "encoder.json").exists()
        source = folder if own else default_folder()
        if encoder_hash(source) != classifier.encoder_hash:
            return None
        encoder = Encoder.load(source, precision="fp32")
    except OdzewError as error:
        # A damaged active version is no reason not to train the one that may replace it.
        log.error("classifier cannot be used", extra={"problem": str(error)})
        return None
    cache = storage / "classifiers" / "cache"
    return classifier, lambda seen: material(seen.examples, encoder, shipped=source, cache=cache)


def frozen_metrics(folder: Path, shipped: Path) -> dict[str, Any]:
    """What a version is worth on the frozen test part, measured now.

    folder: the version; shipped: the encoder for one that has none of its own.
    """
    classifier = Classifier.load(folder)
    source = folder if (folder / "encoder.json").exists() else shipped
    encoder = Encoder.load(source, precision="fp32")
    test = corpus("test")
    seen = material(test, encoder, shipped=source)
    report = evaluate(predict(classifier, seen.embeddings, test))
    return report.as_json() | {"test_hash": dataset_hash(test)}
