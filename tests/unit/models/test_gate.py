import copy

import pytest

from models.gate import gate


def figures(**changes: object) -> dict:
    scores = {
        "cause_accuracy": 0.9,
        "cause_macro_f1": 0.9,
        "critical_recall": 0.95,
        "cause_calibration_excess": 0.01,
        "examples": 1000,
        "test_hash": "ab",
        "causes": {
            "defective": {"recall": 0.9, "support": 80},
            "rare": {"recall": 0.9, "support": 5},
        },
    }
    return copy.deepcopy(scores | changes)


def test_an_equal_candidate_passes():
    assert gate(figures(), figures()) == ()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"critical_recall": 0.9}, "critical recall falls from 0.950 to 0.900"),
        ({"cause_accuracy": 0.85}, "cause accuracy falls"),
        ({"cause_calibration_excess": 0.05}, "calibration error grows by 0.040"),
        ({"causes": {"defective": {"recall": 0.7, "support": 80}}}, "recall of defective falls"),
        ({"causes": {}}, "does not know defective any more"),
    ],
)
def test_a_loss_that_matters_is_named(changes, named):
    [problem] = gate(figures(**changes), figures())
    assert named in problem
    assert "frozen" in problem or "does not know" in problem


@pytest.mark.parametrize(
    "changes",
    [
        {"critical_recall": 0.94},
        {
            "causes": {
                "defective": {"recall": 0.9, "support": 80},
                "rare": {"recall": 0.0, "support": 5},
            }
        },
        {"cause_accuracy": 0.99},
    ],
)
def test_noise_and_gains_pass(changes):
    assert gate(figures(**changes), figures()) == ()


def test_the_shop_s_own_labels_count_when_there_are_enough():
    worse, better = figures(critical_recall=0.5), figures()
    own = {"candidate": worse | {"examples": 60}, "active": better}
    assert any("shop's own" in problem for problem in gate(figures(own=own), figures()))
    own["candidate"]["examples"] = 10
    assert gate(figures(own=own), figures()) == ()


def test_figures_of_another_test_part_are_not_compared():
    [problem] = gate(figures(test_hash="cd"), figures())
    assert "cannot be compared" in problem


def test_without_an_active_version_everything_passes():
    assert gate(figures(critical_recall=0.0), {}) == ()


def test_the_shop_s_labels_count_only_beside_the_version_that_is_active_now():
    own = {"candidate": figures(critical_recall=0.5) | {"examples": 60}, "active": figures()}
    assert gate(figures(own=own, beside="a"), figures(), "a")
    assert gate(figures(own=own, beside="a"), figures(), "b") == ()
