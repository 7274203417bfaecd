"""From examples to a version of the classifier: train, calibrate, evaluate, write.

The shipped classifier and a shop's own are made by the same steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.errors import PermanentError
from models.artifact import Manifest, write
from models.calibration import best_temperature, thresholds
from models.dataset import CAUSES, URGENCIES, Example, dataset_hash, folds
from models.evaluation import EvaluationReport, evaluate
from models.training import embed, out_of_fold_logits, train_head
from triage.classifier import Classifier, Head, softmax
from triage.encoder import Encoder, Progress
from triage.facts import facts_in, lift

FOLDS = 5
# Fewer examples of a label than folds would leave some fold without any to learn from.
LEAST_EXAMPLES = 2 * FOLDS


class TooFewExamplesError(PermanentError):
    """There is too little to train on; the message says what is missing."""


@dataclass(frozen=True)
class _Trained:
    """A calibrated head, and what heads trained on the other folds said of each example."""

    head: Head
    targets: NDArray[np.int64]  # (n,)
    probabilities: NDArray[np.float32]  # (n, k), out of fold


def build(
    examples: Sequence[Example],
    encoder: Encoder,
    folder: Path,
    *,
    version: str,
    parent: str | None,
    created_at: datetime,
    causes: tuple[str, ...] = CAUSES,
    urgencies: tuple[str, ...] = URGENCIES,
    cache: Path | None = None,
    encoder_folder: Path | None = None,
    on_progress: Progress | None = None,
) -> tuple[Manifest, EvaluationReport]:
    """Train on the examples and write the version; return its manifest and report.

    cache: a folder that keeps embeddings between calls. encoder_folder: the encoder to include in
    the version. The same examples and encoder give the same heads.

    Raises TooFewExamplesError when a label has fewer than LEAST_EXAMPLES examples.
    """
    _require_enough(examples, causes, urgencies)
    embeddings = embed(
        [example.text for example in examples], encoder, cache=cache, on_progress=on_progress
    )
    classifier, report = train(
        examples,
        embeddings,
        version=version,
        encoder_hash=encoder.hash,
        causes=causes,
        urgencies=urgencies,
    )
    manifest = write(
        folder,
        classifier,
        training_hash=dataset_hash(examples),
        metrics=report.as_json(),
        parent=parent,
        created_at=created_at,
        encoder_folder=encoder_folder,
    )
    return manifest, report


def train(
    examples: Sequence[Example],
    embeddings: NDArray[np.float32],
    *,
    version: str,
    encoder_hash: str,
    causes: tuple[str, ...] = CAUSES,
    urgencies: tuple[str, ...] = URGENCIES,
) -> tuple[Classifier, EvaluationReport]:
    """A classifier trained on all examples, and its report by cross-validation.

    embeddings: shape (n, d), in the order of ``examples``.
    """
    parts = folds(examples, count=FOLDS)
    mean = embeddings.mean(0)
    cause = _train_head(embeddings, parts, mean, causes, [e.cause for e in examples])
    urgency = _train_head(embeddings, parts, mean, urgencies, [e.urgency for e in examples])
    classifier = Classifier(
        version=version,
        encoder_hash=encoder_hash,
        mean=mean,
        cause=cause.head,
        urgency=urgency.head,
        thresholds=thresholds(cause.probabilities, cause.targets, causes),
    )
    report = evaluate(
        cause.probabilities,
        cause.targets,
        _lifted(urgency.probabilities, examples, urgencies),
        urgency.targets,
        cause_labels=causes,
        urgency_labels=urgencies,
        decided=_decided(cause, parts, causes),
        urgency_scores_alone=urgency.probabilities,
    )
    return classifier, report


def _train_head(
    embeddings: NDArray[np.float32],
    parts: NDArray[np.int64],
    mean: NDArray[np.float32],
    labels: tuple[str, ...],
    values: Sequence[str],
) -> _Trained:
    targets = np.array([labels.index(value) for value in values], np.int64)

    def without_a_fold(chosen: NDArray[np.bool_]) -> tuple[Head, NDArray[np.float32]]:
        own_mean = embeddings[chosen].mean(0)
        return train_head(embeddings[chosen], targets[chosen], labels, mean=own_mean), own_mean

    logits = out_of_fold_logits(embeddings, parts, without_a_fold)
    temperature = best_temperature(logits, targets)
    head = train_head(embeddings, targets, labels, mean=mean)
    return _Trained(replace(head, temperature=temperature), targets, softmax(logits / temperature))


def _decided(
    cause: _Trained, parts: NDArray[np.int64], labels: tuple[str, ...]
) -> NDArray[np.bool_]:
    """Which mails nobody would need to look at; each fold by the thresholds of the others."""
    decided = np.zeros(len(parts), np.bool_)
    for part in np.unique(parts):
        inside = parts == part
        limits = thresholds(cause.probabilities[~inside], cause.targets[~inside], labels)
        by_label = np.array([limits[label] for label in labels])
        scores = cause.probabilities[inside]
        decided[inside] = scores.max(1) >= by_label[scores.argmax(1)]
    return decided


def _lifted(
    probabilities: NDArray[np.float32], examples: Sequence[Example], urgencies: tuple[str, ...]
) -> NDArray[np.float32]:
    """Urgencies with the facts of each text, as triage gives them."""
    rows = []
    for row, example in zip(probabilities, examples, strict=True):
        lifted = lift(dict(zip(urgencies, map(float, row), strict=True)), facts_in(example.text))
        rows.append([lifted[code] for code in urgencies])
    return np.array(rows, np.float32)


def _require_enough(
    examples: Sequence[Example], causes: tuple[str, ...], urgencies: tuple[str, ...]
) -> None:
    for labels, values in (
        (causes, [e.cause for e in examples]),
        (urgencies, [e.urgency for e in examples]),
    ):
        for label in labels:
            if values.count(label) < LEAST_EXAMPLES:
                raise TooFewExamplesError(
                    f"{values.count(label)} examples of {label}, at least {LEAST_EXAMPLES} needed"
                )
