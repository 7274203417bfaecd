"""From probabilities to a decision: assign the ticket, or ask a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# A second cause is named when it is about as likely as this.
SECONDARY_FROM = 0.2
# The urgency that must not be overlooked.
CRITICAL = "critical"
# No confidence reaches it.
NEVER = 1.1


# How far a prediction is trusted: suggest - a person chooses among the likeliest; preselect - a
# person confirms; automatic - nobody is asked.
Level = Literal["suggest", "preselect", "automatic"]


@dataclass(frozen=True)
class Decision:
    """What triage concluded about the cause of one message."""

    cause: str
    confidence: float  # calibrated probability of ``cause``, 0 to 1
    secondary: tuple[str, ...]  # other likely causes, likeliest first
    level: Level

    @property
    def needs_review(self) -> bool:
        return self.level != "automatic"


def decide(
    probabilities: NDArray[np.float32],
    causes: Sequence[str],
    thresholds: Mapping[str, float],
    preselect: Mapping[str, float],
) -> Decision:
    """Choose the likeliest cause; ask for a review when it does not reach its threshold.

    probabilities: shape (k,), calibrated, in the order of ``causes``; they sum to 1.
    thresholds: per cause, the least confidence at which nobody needs to look; preselect: the least
    at which a person only confirms. A cause without one never gets there.

    Raises ValueError when the lengths differ: the classifier and the taxonomy do not belong
    together.
    """
    if probabilities.shape != (len(causes),):
        raise ValueError(f"{probabilities.shape} probabilities for {len(causes)} causes")
    order = np.argsort(-probabilities, kind="stable")
    cause, confidence = causes[order[0]], float(probabilities[order[0]])
    secondary = tuple(causes[i] for i in order[1:3] if probabilities[i] >= SECONDARY_FROM)
    level: Level = "suggest"
    if confidence >= thresholds.get(cause, NEVER):
        level = "automatic"
    elif confidence >= preselect.get(cause, NEVER):
        level = "preselect"
    return Decision(cause, confidence, secondary, level)


def choose_urgency(urgencies: Mapping[str, float], critical_from: float) -> str:
    """The likeliest urgency; critical already when its probability reaches ``critical_from``.

    A critical mail that waits hurts more than one that was looked at first for nothing.
    """
    if urgencies.get(CRITICAL, 0.0) >= critical_from:
        return CRITICAL
    return max(urgencies, key=urgencies.__getitem__)
