"""How good a classifier is: an ``EvaluationReport`` from examples that it has never seen."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import calibration_error, perfect_error
from models.dataset import Example
from triage.classifier import Classifier
from triage.decision import CRITICAL, choose_urgency, decide
from triage.facts import facts_in, lift

_DRAWS = 1000  # of the bootstrap: Efron and Tibshirani 1993, chapter 13 (percentile intervals)
_SEED = 0

Interval = tuple[float, float]  # 95 %


@dataclass(frozen=True)
class LabelScore:
    precision: float  # 0 where it was never predicted
    recall: float  # 0 where it never occurs
    f1: float
    support: int  # examples with this label
    precision_interval: Interval = (0, 1)
    recall_interval: Interval = (0, 1)
    f1_interval: Interval = (0, 1)


@dataclass(frozen=True)
class Predictions:
    """What a classifier says of n labelled examples, as triage says it of mails."""

    cause_labels: tuple[str, ...]
    urgency_labels: tuple[str, ...]
    cause_scores: NDArray[np.float32]  # (n, causes), calibrated probabilities
    urgency_scores: NDArray[np.float32]  # (n, urgencies), with the facts of the text
    urgency_scores_alone: NDArray[np.float32]  # (n, urgencies), without them
    causes: NDArray[np.int64]  # (n,), the labels; -1 for one that the classifier does not know
    urgencies: NDArray[np.int64]  # (n,)
    levels: tuple[str, ...]  # suggest, preselect or automatic
    predicted_urgencies: NDArray[np.int64]  # (n,)
    predicted_urgencies_alone: NDArray[np.int64]  # (n,)

    @property
    def predicted_causes(self) -> NDArray[np.int64]:
        result: NDArray[np.int64] = self.cause_scores.argmax(1)
        return result

    @property
    def right(self) -> NDArray[np.bool_]:
        result: NDArray[np.bool_] = self.predicted_causes == self.causes
        return result


@dataclass(frozen=True)
class EvaluationReport:
    """All shares are 0 to 1; measured on examples that the classifier has never seen."""

    examples: int
    cause_accuracy: float
    cause_macro_f1: float
    cause_calibration_error: float  # 10 bins of equal mass
    cause_calibration_excess: float  # the same less what a perfectly calibrated one would show
    decided: float  # share of mails that no person needs to look at
    decided_accuracy: float  # of their causes
    preselected: float  # share of mails whose cause a person only confirms
    preselected_accuracy: float
    urgency_accuracy: float
    urgency_macro_f1: float
    urgency_calibration_error: float
    critical_recall: float
    critical_precision: float
    critical_recall_without_facts: float  # what the urgency head finds alone
    causes: Mapping[str, LabelScore]
    urgencies: Mapping[str, LabelScore]
    intervals: Mapping[str, Interval] = field(default_factory=dict)  # by name of a figure

    def as_json(self) -> dict[str, Any]:
        """Plain values, shares rounded to four digits."""
        rounded: dict[str, Any] = _rounded(asdict(self))
        return rounded

    def table(self) -> str:
        """The report for people: the figures, then one line for each label."""
        figures = [
            f"{name.replace('_', ' '):<32}{_number(value):>8}{_range(self.intervals.get(name))}"
            for name, value in asdict(self).items()
            if isinstance(value, int | float)
        ]
        head = f"{'':<22}{'precision':>10}{'recall':>10}{'':>16}{'f1':>8}{'examples':>10}"
        labels = [
            f"{code:<22}{score.precision:>10.3f}{score.recall:>10.3f}"
            f"{_range(score.recall_interval):>16}{score.f1:>8.3f}{score.support:>10}"
            for code, score in [*self.causes.items(), *self.urgencies.items()]
        ]
        return "\n".join([*figures, "", head, *labels])


def predict(
    classifier: Classifier, embeddings: NDArray[np.float32], examples: Sequence[Example]
) -> Predictions:
    """What the classifier says of the examples; embeddings: shape (n, d), in their order."""
    cause_labels, urgency_labels = classifier.cause.labels, classifier.urgency.labels
    cause_scores, alone = classifier.predict(embeddings)
    lifted = [
        lift(dict(zip(urgency_labels, map(float, row), strict=True)), facts_in(example.text))
        for row, example in zip(alone, examples, strict=True)
    ]
    chosen = [choose_urgency(row, classifier.critical_from) for row in lifted]
    chosen_alone = [
        choose_urgency(
            dict(zip(urgency_labels, map(float, row), strict=True)), classifier.critical_from
        )
        for row in alone
    ]
    return Predictions(
        cause_labels=cause_labels,
        urgency_labels=urgency_labels,
        cause_scores=cause_scores,
        urgency_scores=np.array(
            [[row[code] for code in urgency_labels] for row in lifted], np.float32
        ).reshape(len(examples), len(urgency_labels)),
        urgency_scores_alone=alone,
        causes=_indices([e.cause for e in examples], cause_labels),
        urgencies=_indices([e.urgency for e in examples], urgency_labels),
        levels=tuple(
            decide(row, cause_labels, classifier.thresholds, classifier.preselect).level
            for row in cause_scores
        ),
        predicted_urgencies=_indices(chosen, urgency_labels),
        predicted_urgencies_alone=_indices(chosen_alone, urgency_labels),
    )


def evaluate(predictions: Predictions) -> EvaluationReport:
    """Compare predictions with the labels; raises ValueError when there are none."""
    p = predictions
    if not len(p.causes):
        raise ValueError("there are no examples to evaluate on")
    weights = _bootstrap_weights(len(p.causes))
    by_cause = label_scores(p.predicted_causes, p.causes, p.cause_labels, weights)
    by_urgency = label_scores(p.predicted_urgencies, p.urgencies, p.urgency_labels, weights)
    alone = label_scores(p.predicted_urgencies_alone, p.urgencies, p.urgency_labels)
    right = p.right
    levels = np.array(p.levels)
    automatic, preselected = levels == "automatic", levels == "preselect"
    critical = by_urgency.get(CRITICAL, LabelScore(0, 0, 0, 0))
    error = calibration_error(p.cause_scores, p.causes)
    return EvaluationReport(
        examples=len(p.causes),
        cause_accuracy=float(right.mean()),
        cause_macro_f1=_macro_f1(by_cause),
        cause_calibration_error=error,
        cause_calibration_excess=max(0.0, error - perfect_error(p.cause_scores)),
        decided=float(automatic.mean()),
        decided_accuracy=_share(right, automatic),
        preselected=float(preselected.mean()),
        preselected_accuracy=_share(right, preselected),
        urgency_accuracy=float((p.predicted_urgencies == p.urgencies).mean()),
        urgency_macro_f1=_macro_f1(by_urgency),
        urgency_calibration_error=calibration_error(p.urgency_scores, p.urgencies),
        critical_recall=critical.recall,
        critical_precision=critical.precision,
        critical_recall_without_facts=alone.get(CRITICAL, critical).recall,
        causes=by_cause,
        urgencies=by_urgency,
        intervals={
            "cause_accuracy": _interval(_means(right, weights)),
            "cause_macro_f1": _interval(
                _macro_f1_draws(p.predicted_causes, p.causes, len(p.cause_labels), weights)
            ),
            "cause_calibration_error": _interval(
                np.array(
                    [
                        calibration_error(p.cause_scores[rows], p.causes[rows])
                        for rows in _resampled(weights[:200])
                    ]
                )
            ),
            "urgency_accuracy": _interval(_means(p.predicted_urgencies == p.urgencies, weights)),
            "critical_recall": critical.recall_interval,
            "critical_precision": critical.precision_interval,
        },
    )


def label_scores(
    predicted: NDArray[np.int64],
    targets: NDArray[np.int64],
    labels: Sequence[str],
    weights: NDArray[np.float32] | None = None,
) -> dict[str, LabelScore]:
    """Precision, recall and F1 of each label.

    weights: shape (draws, n), how often each example is in a resample; gives the intervals.
    """
    scores = {}
    for index, label in enumerate(labels):
        guess, mine = predicted == index, targets == index
        hits, guesses, support = int((guess & mine).sum()), int(guess.sum()), int(mine.sum())
        values = _rates(np.array(hits), np.array(guesses), np.array(support))
        precision, recall, f1 = (float(value) for value in values)
        if weights is None:
            scores[label] = LabelScore(precision, recall, f1, support)
            continue
        hit, guessed, there = (weights @ v.astype(np.float32) for v in (guess & mine, guess, mine))
        draws = _rates(hit, guessed, there)
        scores[label] = LabelScore(
            precision, recall, f1, support, *(_interval(drawn) for drawn in draws)
        )
    return scores


def _rates(
    hits: NDArray[Any], guesses: NDArray[Any], support: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Precision, recall, F1; 0 where nothing was predicted, or nothing was there."""
    return (
        hits / np.maximum(guesses, 1),
        hits / np.maximum(support, 1),
        2 * hits / np.maximum(guesses + support, 1),
    )


def _bootstrap_weights(n: int) -> NDArray[np.float32]:
    """How often each of n examples is drawn, with replacement; shape (_DRAWS, n)."""
    draw = np.random.default_rng(_SEED)
    return draw.multinomial(n, np.full(n, 1 / n), size=_DRAWS).astype(np.float32)


def _resampled(weights: NDArray[np.float32]) -> list[NDArray[np.int64]]:
    return [np.repeat(np.arange(len(row)), row.astype(np.int64)) for row in weights]


def _means(values: NDArray[np.bool_], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = (weights @ values.astype(np.float32)) / np.float32(len(values))
    return result


def _macro_f1_draws(
    predicted: NDArray[np.int64],
    targets: NDArray[np.int64],
    count: int,
    weights: NDArray[np.float32],
) -> NDArray[np.float32]:
    present = [index for index in range(count) if (targets == index).any()]
    if not present:
        return np.zeros(len(weights), np.float32)
    draws = []
    for index in present:
        guess, mine = predicted == index, targets == index
        hit, guessed, there = (weights @ v.astype(np.float32) for v in (guess & mine, guess, mine))
        draws.append(_rates(hit, guessed, there)[2])
    result: NDArray[np.float32] = np.mean(draws, 0)
    return result


def _interval(draws: NDArray[Any]) -> Interval:
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(low), float(high)


def _macro_f1(scores: Mapping[str, LabelScore]) -> float:
    """Mean F1 over the labels that occur."""
    present = [score.f1 for score in scores.values() if score.support]
    return float(np.mean(present)) if present else 0.0


def _share(right: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> float:
    return float(right[chosen].mean()) if chosen.any() else 0.0


def _indices(values: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    known = {label: index for index, label in enumerate(labels)}
    return np.array([known.get(value, -1) for value in values], np.int64)


def _number(value: float) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _range(interval: Interval | None) -> str:
    return "" if interval is None else f"  {interval[0]:.3f}-{interval[1]:.3f}"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value
