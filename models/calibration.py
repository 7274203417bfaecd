"""Making confidence mean what it says, from predictions on examples that were not trained on."""

import math

import numpy as np
from numpy.typing import NDArray

from triage.classifier import softmax

# How often an unreviewed cause should be right.
PRECISION = 0.9
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
    precision: float = PRECISION,
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


def calibration_error(
    probabilities: NDArray[np.float32], targets: NDArray[np.int64], *, bins: int = 10
) -> float:
    """Expected calibration error over bins of equal width: Guo et al. 2017, section 2."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == targets
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    return float(
        sum(
            abs(right[bin_of == b].mean() - confidence[bin_of == b].mean()) * (bin_of == b).mean()
            for b in np.unique(bin_of)
        )
    )
