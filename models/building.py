"""From examples to a version of the classifier: heads, calibration, report, folder.

The shipped classifier and a shop's own end in the same steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from config.errors import PermanentError
from models.calibration import (
    AUTOMATIC,
    PRESELECT,
    best_temperature,
    critical_from,
    thresholds,
)
from models.dataset import CAUSES, URGENCIES, Example, folds
from models.training import out_of_fold_logits, train_head
from triage.classifier import Classifier, Head, softmax
from triage.decision import CRITICAL
from triage.facts import facts_in, lift

FOLDS = 5
# Fewer examples of a label than folds would leave some fold without any to learn from.
LEAST_EXAMPLES = 2 * FOLDS
# How many shipped mails one of the shop's counts as, at most: `make learning`.
MOST_OWN_WEIGHT = 10.0


class TooFewExamplesError(PermanentError):
    """There is too little to train on; the message says what is missing."""


@dataclass(frozen=True)
class Material:
    """Examples with their embeddings, shape (n, d), in the same order."""

    examples: Sequence[Example]
    embeddings: NDArray[np.float32]

    def __add__(self, other: "Material") -> "Material":
        return Material(
            [*self.examples, *other.examples], np.concatenate([self.embeddings, other.embeddings])
        )

    def chosen(self, mask: NDArray[np.bool_]) -> "Material":
        kept = [example for example, keep in zip(self.examples, mask, strict=True) if keep]
        return Material(kept, self.embeddings[mask])


def calibrate(
    classifier: Classifier,
    unseen: Material,
    cause_logits: NDArray[np.float32] | None = None,
    urgency_logits: NDArray[np.float32] | None = None,
) -> Classifier:
    """The classifier with the temperatures and limits that its logits on unseen examples ask for.

    cause_logits, urgency_logits: shapes (n, k), in place of the classifier's own where the examples
    were trained on, from heads that had not seen them.
    """
    centred = unseen.embeddings - classifier.mean
    causes, urgencies = classifier.cause, classifier.urgency
    cause_logits = causes.logits(centred) if cause_logits is None else cause_logits
    urgency_logits = urgencies.logits(centred) if urgency_logits is None else urgency_logits
    cause_targets = _targets([e.cause for e in unseen.examples], causes.labels)
    urgency_targets = _targets([e.urgency for e in unseen.examples], urgencies.labels)
    cause = replace(causes, temperature=best_temperature(cause_logits, cause_targets))
    urgency = replace(urgencies, temperature=best_temperature(urgency_logits, urgency_targets))
    scores = softmax(cause_logits / cause.temperature)
    levels = softmax(urgency_logits / urgency.temperature)
    return replace(
        classifier,
        cause=cause,
        urgency=urgency,
        thresholds=thresholds(scores, cause_targets, causes.labels, precision=AUTOMATIC),
        preselect=thresholds(scores, cause_targets, causes.labels, precision=PRESELECT),
        critical_from=_critical_from(levels, unseen.examples, urgencies.labels),
    )


def train(
    corpus: Material,
    validation: Material,
    own: Material,
    *,
    version: str,
    encoder_hash: str,
    causes: tuple[str, ...] = CAUSES,
    urgencies: tuple[str, ...] = URGENCIES,
    own_weight: float | None = None,
    own_is_unseen: bool = True,
) -> Classifier:
    """New heads for a shop: its own labels, with the shipped corpus beside them.

    corpus: what the encoder was trained on; validation: what it was not, for the calibration;
    own: the shop's labels, which are calibrated on by cross-validation. own_weight: how many
    shipped examples one of the shop's counts as; None: as many as make both equally heavy, but at
    most MOST_OWN_WEIGHT. own_is_unseen: whether the encoder has not been trained on the shop's
    labels; else only the validation part can be calibrated on. The same material gives the same
    classifier.

    Raises TooFewExamplesError when a label has fewer than LEAST_EXAMPLES examples.
    """
    everything = corpus + own
    _require_enough(everything.examples, causes, urgencies)
    n, m = len(corpus.examples), len(own.examples)
    if own_weight is None:
        own_weight = min(MOST_OWN_WEIGHT, max(1.0, n / max(m, 1)))
    weights = np.concatenate([np.ones(n), np.full(m, own_weight)])
    mean = everything.embeddings.mean(0)
    # Only the shop's own examples are left out in turn: the encoder has seen the corpus anyway.
    parts = np.concatenate([np.full(n, -1, np.int64), folds(own.examples, count=FOLDS)])
    heads, logits = [], []
    for labels, values in (
        (causes, [e.cause for e in everything.examples]),
        (urgencies, [e.urgency for e in everything.examples]),
    ):
        targets = _targets(values, labels)
        fit = partial(_fit, everything.embeddings, targets, weights, labels, mean)
        head = fit(np.ones(n + m, np.bool_))
        heads.append(head)
        out_of_fold = out_of_fold_logits(
            everything.embeddings - mean, parts, partial(fit, start=head), labels=len(labels)
        )
        logits.append(np.concatenate([head.logits(validation.embeddings - mean), out_of_fold[n:]]))
    bare = Classifier(
        version=version,
        encoder_hash=encoder_hash,
        mean=mean,
        cause=heads[0],
        urgency=heads[1],
        thresholds=dict.fromkeys(causes, 1.0),
        preselect=dict.fromkeys(causes, 1.0),
    )
    if not own_is_unseen:
        return calibrate(bare, validation)
    return calibrate(bare, validation + own, *logits)


def _fit(
    embeddings: NDArray[np.float32],
    targets: NDArray[np.int64],
    weights: NDArray[np.float64],
    labels: tuple[str, ...],
    mean: NDArray[np.float32],
    chosen: NDArray[np.bool_],
    start: Head | None = None,
) -> Head:
    """A head trained on the chosen examples."""
    return train_head(
        embeddings[chosen],
        targets[chosen],
        labels,
        mean=mean,
        weights=weights[chosen],
        start=start,
    )


def _critical_from(
    scores: NDArray[np.float32], examples: Sequence[Example], labels: tuple[str, ...]
) -> float:
    if CRITICAL not in labels:
        return 1.0
    index = labels.index(CRITICAL)
    lifted = np.array(
        [
            lift(dict(zip(labels, map(float, row), strict=True)), facts_in(example.text))[CRITICAL]
            for row, example in zip(scores, examples, strict=True)
        ]
    )
    mine = np.array([labels.index(example.urgency) == index for example in examples])
    return critical_from(lifted, mine)


def _targets(values: Sequence[str], labels: tuple[str, ...]) -> NDArray[np.int64]:
    return np.array([labels.index(value) for value in values], np.int64)


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
