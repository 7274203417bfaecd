"""Making confidence mean what it says, from predictions on examples that were not trained on."""

import math

import numpy as np
from numpy.typing import NDArray

from triage.classifier import softmax

# How often a cause should be right that nobody looks at, and one that a person only confirms.
AUTOMATIC = 0.95
PRESELECT = 0.75
# Share of the critical mails that should be found on mails that were not trained on.
CRITICAL_RECALL = 0.95
# A cause seen seldom is judged as if it had so many more examples of the average precision.
_PRIOR = 4
_COARSE = np.exp(np.linspace(np.log(0.05), np.log(20), 60))


def best_temperature(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """The temperature with the least mean log loss; 0.05 to 20.

    logits: shape (n, k); targets: shape (n,). Temperature scaling: Guo et al. 2017, section 4.2.
    """
    best = min(_COARSE, key=lambda t: log_loss(logits, targets, temperature=t))
    fine = best * np.exp(np.linspace(-0.06, 0.06, 25))
    return round(float(min(fine, key=lambda t: log_loss(logits, targets, temperature=t))), 4)


def log_loss(
    logits: NDArray[np.float32], targets: NDArray[np.int64], *, temperature: float = 1.0
) -> float:
    """Mean negative log probability of the targets, in nats."""
    chosen = softmax(logits / temperature)[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def thresholds(
    probabilities: NDArray[np.float32],
    targets: NDArray[np.int64],
    labels: tuple[str, ...],
    *,
    precision: float,
) -> dict[str, float]:
    """For each cause the least confidence from which on its predictions are right often enough.

    probabilities: shape (n, k), calibrated. A cause that never reaches ``precision`` gets 1.0:
    a person looks at all of them.
    """
    predicted = probabilities.argmax(1)
    confidence = probabilities.max(1)
    average = float((predicted == targets).mean())
    result = {}
    for index, label in enumerate(labels):
        mine = predicted == index
        order = np.argsort(-confidence[mine], kind="stable")
        ordered = confidence[mine][order]
        right = (targets[mine][order] == index).cumsum()
        smoothed = (right + _PRIOR * average) / (np.arange(1, len(order) + 1) + _PRIOR)
        enough = np.flatnonzero(smoothed >= precision)
        # Rounded down, so that the example that set it passes.
        result[label] = (
            1.0 if not len(enough) else math.floor(float(ordered[enough[-1]]) * 1e4) / 1e4
        )
    return result


def critical_from(probabilities: NDArray[np.float32], critical: NDArray[np.bool_]) -> float:
    """The probability of critical from which on enough of the critical mails are found.

    probabilities: shape (n,), of critical, facts included; critical: shape (n,), the labels. Never
    below 0.2, so that a bad classifier does not call everything critical.
    """
    if not critical.any():
        return 1.0
    found = np.sort(probabilities[critical])
    missed = int(len(found) * (1 - CRITICAL_RECALL))
    return round(float(np.clip(found[missed], 0.2, 0.5)) - 5e-5, 4)


def coverage_curve(
    probabilities: NDArray[np.float32], targets: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(threshold, share decided, precision), from the surest example to all; each shape (n,)."""
    confidence = probabilities.max(1)
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(1) == targets)[order].astype(np.float64)
    count = np.arange(1, len(order) + 1, dtype=np.float64)
    return confidence[order].astype(np.float64), count / len(order), right.cumsum() / count


def calibration_error(
    probabilities: NDArray[np.float32], targets: NDArray[np.int64], *, bins: int = 10
) -> float:
    """Expected calibration error over bins of equal mass: Nguyen and O'Connor 2015, section 3."""
    return _binned_error(
        probabilities.max(1), (probabilities.argmax(1) == targets).astype(np.float64), bins
    )


def perfect_error(
    probabilities: NDArray[np.float32], *, bins: int = 10, draws: int = 200, seed: int = 0
) -> float:
    """What ``calibration_error`` shows of a perfectly calibrated classifier that is as confident.

    Its outcomes are drawn from its own confidence: with finitely many examples no bin comes out
    even (Kumar et al. 2019, "Verified Uncertainty Calibration", section 5, on this bias).
    """
    confidence = probabilities.max(1)
    draw = np.random.default_rng(seed)
    errors = [
        _binned_error(
            confidence, (draw.random(len(confidence)) < confidence).astype(np.float64), bins
        )
        for _ in range(draws)
    ]
    return float(np.mean(errors))


def reliability(
    probabilities: NDArray[np.float32], targets: NDArray[np.int64], *, bins: int = 10
) -> list[tuple[float, float, int]]:
    """(mean confidence, share right, examples) of each bin of equal mass."""
    confidence = probabilities.max(1)
    right = (probabilities.argmax(1) == targets).astype(np.float64)
    return [
        (float(confidence[part].mean()), float(right[part].mean()), len(part))
        for part in np.array_split(np.argsort(confidence, kind="stable"), bins)
        if len(part)
    ]


def _binned_error(confidence: NDArray[np.float32], right: NDArray[np.float64], bins: int) -> float:
    parts = np.array_split(np.argsort(confidence, kind="stable"), bins)
    return float(
        sum(
            abs(right[part].mean() - confidence[part].mean()) * len(part)
            for part in parts
            if len(part)
        )
        / max(len(confidence), 1)
    )
