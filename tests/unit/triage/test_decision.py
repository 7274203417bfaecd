import numpy as np
import pytest

from triage.decision import decide

CAUSES = ("question", "other")
THRESHOLDS = {"question": 0.6, "other": 0.9}


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_the_likeliest_cause_is_chosen():
    decision = decide(scores(0.75, 0.25), CAUSES, THRESHOLDS)
    assert (decision.cause, decision.confidence) == ("question", 0.75)


def test_confidence_at_the_threshold_needs_no_review():
    assert not decide(scores(0.5, 0.5), CAUSES, {"question": 0.5, "other": 0.9}).needs_review


def test_each_cause_has_its_own_threshold():
    assert not decide(scores(0.7, 0.3), CAUSES, THRESHOLDS).needs_review
    assert decide(scores(0.3, 0.7), CAUSES, THRESHOLDS).needs_review


def test_scores_of_another_taxonomy_are_refused():
    with pytest.raises(ValueError, match="for 2 causes"):
        decide(scores(0.2, 0.3, 0.5), CAUSES, THRESHOLDS)


def test_other_likely_causes_are_secondary():
    decision = decide(scores(0.4, 0.35, 0.25), ("question", "other", "defective"), THRESHOLDS)
    assert (decision.cause, decision.secondary) == ("question", ("other", "defective"))


def test_an_unlikely_cause_is_not_secondary():
    assert decide(scores(0.9, 0.1), CAUSES, THRESHOLDS).secondary == ()
