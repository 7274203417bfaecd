import json
from dataclasses import replace

import numpy as np
import pytest

from models.evaluation import Predictions, evaluate, label_scores

CAUSES = ("question", "other")
URGENCIES = ("low", "critical")


def some_predictions() -> Predictions:
    urgencies = np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.9, 0.1]], np.float32)
    alone = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.9, 0.1]], np.float32)
    return Predictions(
        cause_labels=CAUSES,
        urgency_labels=URGENCIES,
        cause_scores=np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]], np.float32),
        urgency_scores=urgencies,
        urgency_scores_alone=alone,
        causes=np.array([0, 0, 1, 1]),
        urgencies=np.array([0, 1, 1, 0]),
        levels=("automatic", "preselect", "automatic", "suggest"),
        predicted_urgencies=urgencies.argmax(1),
        predicted_urgencies_alone=alone.argmax(1),
    )


def test_precision_and_recall_are_counted_by_label():
    scores = label_scores(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), CAUSES)
    assert scores["question"].precision == pytest.approx(2 / 3)
    assert scores["question"].recall == 1
    assert scores["other"].f1 == pytest.approx(2 / 3)
    assert scores["other"].support == 2


def test_a_label_that_never_occurs_has_zeros():
    scores = label_scores(np.array([0]), np.array([0]), CAUSES)
    assert (scores["other"].precision, scores["other"].recall, scores["other"].f1) == (0, 0, 0)


def test_the_report_counts_what_is_decided_without_a_person():
    report = evaluate(some_predictions())
    assert (report.decided, report.decided_accuracy, report.cause_accuracy) == (0.5, 1.0, 0.75)
    assert (report.preselected, report.preselected_accuracy) == (0.25, 1.0)


def test_the_report_says_what_the_facts_add():
    report = evaluate(some_predictions())
    assert (report.critical_recall, report.critical_recall_without_facts) == (1.0, 0.5)


def test_a_cause_that_the_classifier_does_not_know_is_a_miss():
    predictions = replace(some_predictions(), causes=np.array([0, 0, 1, -1]))
    assert evaluate(predictions).cause_accuracy == 0.75


def test_intervals_hold_the_figure_and_shrink_with_more_examples():
    few = evaluate(some_predictions())
    p = some_predictions()
    many = evaluate(
        replace(
            p,
            cause_scores=np.tile(p.cause_scores, (50, 1)),
            urgency_scores=np.tile(p.urgency_scores, (50, 1)),
            urgency_scores_alone=np.tile(p.urgency_scores_alone, (50, 1)),
            causes=np.tile(p.causes, 50),
            urgencies=np.tile(p.urgencies, 50),
            levels=p.levels * 50,
            predicted_urgencies=np.tile(p.predicted_urgencies, 50),
            predicted_urgencies_alone=np.tile(p.predicted_urgencies_alone, 50),
        )
    )

    def width(report) -> float:
        low, high = report.intervals["cause_accuracy"]
        assert low <= report.cause_accuracy <= high
        return high - low

    assert width(many) < width(few) / 3


def test_the_report_is_plain_json():
    report = json.loads(json.dumps(evaluate(some_predictions()).as_json()))
    assert report["examples"] == 4
    assert report["causes"]["question"]["support"] == 2
    assert len(report["intervals"]["critical_recall"]) == 2


def test_the_table_has_a_line_for_each_label():
    lines = evaluate(some_predictions()).table().splitlines()
    assert any(line.startswith("cause accuracy") and "0.750" in line for line in lines)
    assert {line.split()[0] for line in lines if line} >= {"question", "other", "low", "critical"}


def test_nothing_to_evaluate_on_is_refused():
    empty = replace(some_predictions(), causes=np.empty(0, np.int64))
    with pytest.raises(ValueError, match="no examples"):
        evaluate(empty)
