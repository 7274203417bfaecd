"""From probabilities to a decision: assign the ticket, or ask a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A second cause is named when it is about as likely as this.
SECONDARY_FROM = 0.2


@dataclass(frozen=True)
class Decision:
    """What triage concluded about the cause of one message."""

    cause: str
    confidence: float  # calibrated probability of ``cause``, 0 to 1
    secondary: tuple[str, ...]  # other likely causes, likeliest first
    needs_review: bool


def decide(
    probabilities: NDArray[np.float32], causes: Sequence[str], thresholds: Mapping[str, float]
) -> Decision:
    """Choose the likeliest cause; ask for a review when it does not reach its threshold.

    probabilities: shape (k,), calibrated, in the order of ``causes``; they sum to 1.
    thresholds: per cause, the least confidence at which nobody needs to look; a cause without
    one always needs a review.

    Raises ValueError when the lengths differ: the classifier and the taxonomy do not belong
    together.
    """
    if probabilities.shape != (len(causes),):
        raise ValueError(f"{probabilities.shape} probabilities for {len(causes)} causes")
    order = np.argsort(-probabilities, kind="stable")
    cause, confidence = causes[order[0]], float(probabilities[order[0]])
    secondary = tuple(causes[i] for i in order[1:3] if probabilities[i] >= SECONDARY_FROM)
    return Decision(
        cause, confidence, secondary, needs_review=confidence < thresholds.get(cause, 1.1)
    )
