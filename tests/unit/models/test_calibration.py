import numpy as np
import pytest

from models.calibration import (
    best_temperature,
    calibration_error,
    coverage_curve,
    critical_from,
    log_loss,
    perfect_error,
    reliability,
    thresholds,
)
from triage.classifier import softmax


def drawn(temperature: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from their probabilities at a temperature."""
    draw = np.random.default_rng(2)
    logits = draw.normal(size=(n, 4)).astype(np.float32) * 3
    chances = softmax(logits / temperature)
    targets = (chances.cumsum(1) < draw.random((n, 1))).sum(1)
    return logits, targets.clip(0, 3)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_again(true):
    assert best_temperature(*drawn(true)) == pytest.approx(true, rel=0.1)


def test_a_better_temperature_has_a_smaller_log_loss():
    logits, targets = drawn(2.5)
    best = best_temperature(logits, targets)
    assert log_loss(logits, targets, temperature=best) < log_loss(logits, targets)


def test_calibrated_probabilities_have_little_error():
    logits, targets = drawn(2.5)
    assert calibration_error(softmax(logits / 2.5), targets) < 0.03
    assert calibration_error(softmax(logits * 2), targets) > 0.2


def of_one_cause(confidences: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    scores = np.array([[c, 1 - c] for c in confidences], np.float32)
    return scores, np.array([0 if r else 1 for r in right])


def test_a_threshold_lies_where_precision_is_reached():
    scores, targets = of_one_cause(
        [0.99 - n * 0.005 for n in range(60)], [n < 40 for n in range(60)]
    )
    found = thresholds(scores, targets, ("a", "b"), precision=0.9)["a"]
    kept = scores[:, 0] >= found
    assert (targets[kept] == 0).mean() >= 0.9
    assert kept.sum() >= 38


def test_a_cause_that_is_never_right_enough_always_needs_a_person():
    scores, targets = of_one_cause([0.9, 0.8, 0.7] * 10, [True, False, False] * 10)
    assert thresholds(scores, targets, ("a", "b"), precision=0.9) == {"a": 1.0, "b": 1.0}


def test_a_few_lucky_guesses_do_not_make_a_low_threshold():
    scores, targets = of_one_cause([0.9, 0.6, 0.6, 0.6], [True, False, False, False])
    assert thresholds(scores, targets, ("a", "b"), precision=0.9)["a"] == 1.0


def test_a_perfect_classifier_shows_the_error_of_chance_alone():
    logits, targets = drawn(1.0, 1000)
    scores = softmax(logits)
    assert calibration_error(scores, targets) == pytest.approx(perfect_error(scores), abs=0.012)
    assert perfect_error(scores[:50]) > perfect_error(scores)


def test_the_coverage_curve_goes_from_the_surest_to_all():
    scores, targets = of_one_cause([0.6, 0.9, 0.8], [False, True, True])
    threshold, share, precision = coverage_curve(scores, targets)
    assert threshold.round(2).tolist() == [0.9, 0.8, 0.6]
    assert share.round(2).tolist() == [0.33, 0.67, 1.0]
    assert precision.round(2).tolist() == [1.0, 1.0, 0.67]


def test_reliability_has_bins_of_equal_mass():
    logits, targets = drawn(1.0, 1000)
    bins = reliability(softmax(logits), targets)
    assert [count for _, _, count in bins] == [100] * 10
    assert all(abs(confidence - right) < 0.15 for confidence, right, _ in bins)


def test_critical_mails_are_found_at_the_chosen_probability():
    scores = np.linspace(0, 1, 200, dtype=np.float32)
    critical = scores > 0.35
    limit = critical_from(scores, critical)
    assert (scores[critical] >= limit).mean() >= 0.95
    assert critical_from(scores, np.zeros(200, np.bool_)) == 1.0


def test_a_hopeless_classifier_does_not_call_everything_critical():
    assert critical_from(np.zeros(20, np.float32), np.ones(20, np.bool_)) >= 0.19
