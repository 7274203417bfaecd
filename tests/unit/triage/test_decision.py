import numpy as np
import pytest

from triage.decision import decide

CAUSES = ("question", "other")
THRESHOLDS = {"question": 0.6, "other": 0.9}
PRESELECT = {"question": 0.3, "other": 0.55}


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_the_likeliest_cause_is_chosen():
    decision = decide(scores(0.75, 0.25), CAUSES, THRESHOLDS, PRESELECT)
    assert (decision.cause, decision.confidence) == ("question", 0.75)


def test_confidence_at_the_threshold_needs_no_review():
    assert not decide(
        scores(0.5, 0.5), CAUSES, {"question": 0.5, "other": 0.9}, PRESELECT
    ).needs_review


def test_each_cause_has_its_own_threshold():
    assert not decide(scores(0.7, 0.3), CAUSES, THRESHOLDS, PRESELECT).needs_review
    assert decide(scores(0.3, 0.7), CAUSES, THRESHOLDS, PRESELECT).needs_review


def test_scores_of_another_taxonomy_are_refused():
    with pytest.raises(ValueError, match="for 2 causes"):
        decide(scores(0.2, 0.3, 0.5), CAUSES, THRESHOLDS, PRESELECT)


def test_other_likely_causes_are_secondary():
    decision = decide(
        scores(0.4, 0.35, 0.25), ("question", "other", "defective"), THRESHOLDS, PRESELECT
    )
    assert (decision.cause, decision.secondary) == ("question", ("other", "defective"))


def test_an_unlikely_cause_is_not_secondary():
    assert decide(scores(0.9, 0.1), CAUSES, THRESHOLDS, PRESELECT).secondary == ()


@pytest.mark.parametrize(
    ("confidence", "level"),
    [(0.52, "suggest"), (0.56, "preselect"), (0.89, "preselect"), (0.91, "automatic")],
)
def test_the_level_follows_the_confidence(confidence, level):
    decision = decide(scores(1 - confidence, confidence), CAUSES, THRESHOLDS, PRESELECT)
    assert decision.level == level
    assert decision.needs_review == (level != "automatic")


def test_a_cause_without_limits_is_only_suggested():
    assert decide(scores(0.0, 1.0), CAUSES, {}, {}).level == "suggest"
