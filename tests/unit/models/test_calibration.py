import numpy as np
import pytest

from models.calibration import best_temperature, calibration_error, log_loss, thresholds
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
    found = thresholds(scores, targets, ("a", "b"))["a"]
    kept = scores[:, 0] >= found
    assert (targets[kept] == 0).mean() >= 0.9
    assert kept.sum() >= 38


def test_a_cause_that_is_never_right_enough_always_needs_a_person():
    scores, targets = of_one_cause([0.9, 0.8, 0.7] * 10, [True, False, False] * 10)
    assert thresholds(scores, targets, ("a", "b")) == {"a": 1.0, "b": 1.0}


def test_a_few_lucky_guesses_do_not_make_a_low_threshold():
    scores, targets = of_one_cause([0.9, 0.6, 0.6, 0.6], [True, False, False, False])
    assert thresholds(scores, targets, ("a", "b"))["a"] == 1.0
