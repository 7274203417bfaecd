"""How good a classifier is: an ``EvaluationReport`` from predictions and labels."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration import calibration_error

CRITICAL = "critical"


@dataclass(frozen=True)
class LabelScore:
    precision: float  # 0 where it was never predicted
    recall: float  # 0 where it never occurs
    f1: float
    support: int  # examples with this label


@dataclass(frozen=True)
class EvaluationReport:
    """All shares are 0 to 1; measured on examples that the measured heads were not trained on."""

    examples: int
    cause_accuracy: float
    cause_macro_f1: float
    cause_calibration_error: float
    decided: float  # share of mails that no person needs to look at
    decided_accuracy: float  # of their causes
    urgency_accuracy: float
    urgency_macro_f1: float
    urgency_calibration_error: float
    critical_recall: float
    critical_precision: float
    critical_recall_without_facts: float  # what the urgency head finds alone
    causes: Mapping[str, LabelScore]
    urgencies: Mapping[str, LabelScore]

    def as_json(self) -> dict[str, Any]:
        """Plain values, shares rounded to four digits."""
        rounded: dict[str, Any] = _rounded(asdict(self))
        return rounded

    def table(self) -> str:
        """The report for people: the figures, then one line for each label."""
        figures = [
            f"{name.replace('_', ' '):<32}{value:>8.3f}"
            if isinstance(value, float)
            else f"{name.replace('_', ' '):<32}{value:>8}"
            for name, value in asdict(self).items()
            if isinstance(value, int | float)
        ]
        head = f"{'':<22}{'precision':>10}{'recall':>10}{'f1':>10}{'examples':>10}"
        labels = [
            f"{code:<22}{score.precision:>10.3f}{score.recall:>10.3f}{score.f1:>10.3f}"
            f"{score.support:>10}"
            for code, score in [*self.causes.items(), *self.urgencies.items()]
        ]
        return "\n".join([*figures, "", head, *labels])


def evaluate(
    cause_scores: NDArray[np.float32],
    causes: NDArray[np.int64],
    urgency_scores: NDArray[np.float32],
    urgencies: NDArray[np.int64],
    *,
    cause_labels: Sequence[str],
    urgency_labels: Sequence[str],
    decided: NDArray[np.bool_],
    urgency_scores_alone: NDArray[np.float32],
) -> EvaluationReport:
    """Compare n predictions with their labels.

    cause_scores, urgency_scores: shapes (n, k), probabilities as triage gives them, facts included;
    urgency_scores_alone: without the facts. causes, urgencies: shape (n,), indices of the labels.
    decided: shape (n,), where nobody is asked.
    """
    by_cause = label_scores(cause_scores.argmax(1), causes, cause_labels)
    by_urgency = label_scores(urgency_scores.argmax(1), urgencies, urgency_labels)
    alone = label_scores(urgency_scores_alone.argmax(1), urgencies, urgency_labels)
    right = cause_scores.argmax(1) == causes
    critical = by_urgency.get(CRITICAL, LabelScore(0, 0, 0, 0))
    return EvaluationReport(
        examples=len(causes),
        cause_accuracy=float(right.mean()),
        cause_macro_f1=_macro_f1(by_cause),
        cause_calibration_error=calibration_error(cause_scores, causes),
        decided=float(decided.mean()),
        decided_accuracy=float(right[decided].mean()) if decided.any() else 0.0,
        urgency_accuracy=float((urgency_scores.argmax(1) == urgencies).mean()),
        urgency_macro_f1=_macro_f1(by_urgency),
        urgency_calibration_error=calibration_error(urgency_scores, urgencies),
        critical_recall=critical.recall,
        critical_precision=critical.precision,
        critical_recall_without_facts=alone.get(CRITICAL, critical).recall,
        causes=by_cause,
        urgencies=by_urgency,
    )


def label_scores(
    predicted: NDArray[np.int64], targets: NDArray[np.int64], labels: Sequence[str]
) -> dict[str, LabelScore]:
    """Precision, recall and F1 of each label."""
    scores = {}
    for index, label in enumerate(labels):
        hits = int(((predicted == index) & (targets == index)).sum())
        support = int((targets == index).sum())
        guesses = int((predicted == index).sum())
        scores[label] = LabelScore(
            precision=hits / guesses if guesses else 0.0,
            recall=hits / support if support else 0.0,
            f1=2 * hits / (guesses + support) if guesses + support else 0.0,
            support=support,
        )
    return scores


def _macro_f1(scores: Mapping[str, LabelScore]) -> float:
    """Mean F1 over the labels that occur."""
    present = [score.f1 for score in scores.values() if score.support]
    return float(np.mean(present)) if present else 0.0


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value
