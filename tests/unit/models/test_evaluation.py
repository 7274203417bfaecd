import json

import numpy as np
import pytest

from models.evaluation import evaluate, label_scores

CAUSES = ("question", "other")
URGENCIES = ("low", "critical")


def a_report():
    causes = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]], np.float32)
    urgencies = np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.9, 0.1]], np.float32)
    alone = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.9, 0.1]], np.float32)
    return evaluate(
        causes,
        np.array([0, 0, 1, 1]),
        urgencies,
        np.array([0, 1, 1, 0]),
        cause_labels=CAUSES,
        urgency_labels=URGENCIES,
        decided=np.array([True, False, True, False]),
        urgency_scores_alone=alone,
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
    report = a_report()
    assert (report.decided, report.decided_accuracy, report.cause_accuracy) == (0.5, 1.0, 0.75)


def test_the_report_says_what_the_facts_add():
    report = a_report()
    assert (report.critical_recall, report.critical_recall_without_facts) == (1.0, 0.5)


def test_the_report_is_plain_json():
    report = json.loads(json.dumps(a_report().as_json()))
    assert report["examples"] == 4
    assert report["causes"]["question"]["support"] == 2


def test_the_table_has_a_line_for_each_label():
    lines = a_report().table().splitlines()
    assert any(line.startswith("cause accuracy") and line.endswith("0.750") for line in lines)
    assert {line.split()[0] for line in lines if line} >= {"question", "other", "low", "critical"}
