import json

import numpy as np
import pytest

from triage.classifier import ARRAYS, DESCRIPTION, Classifier, DamagedClassifierError, Head, softmax

DRAW = np.random.default_rng(3)


def a_head(*labels: str, temperature: float = 1.0) -> Head:
    weight = DRAW.normal(size=(len(labels), 8)).astype(np.float32)
    return Head(labels, weight, np.zeros(len(labels), np.float32), temperature)


def a_classifier() -> Classifier:
    return Classifier(
        version="test-1",
        encoder_hash="ab" * 32,
        mean=DRAW.normal(size=8).astype(np.float32),
        cause=a_head("defective", "question", "other", temperature=0.7),
        urgency=a_head("low", "normal", "high", "critical"),
        thresholds={"defective": 0.5, "question": 0.7, "other": 1.0},
        preselect={"defective": 0.5, "question": 0.7, "other": 1.0},
    )


EMBEDDINGS = DRAW.normal(size=(5, 8)).astype(np.float32)


def test_probabilities_sum_to_one():
    causes, urgencies = a_classifier().predict(EMBEDDINGS)
    assert (causes.shape, urgencies.shape) == ((5, 3), (5, 4))
    np.testing.assert_allclose(causes.sum(1), 1, rtol=1e-5)


def test_a_saved_classifier_predicts_the_same_after_loading(tmp_path):
    classifier = a_classifier()
    classifier.save(tmp_path)
    loaded = Classifier.load(tmp_path)
    for before, after in zip(
        classifier.predict(EMBEDDINGS), loaded.predict(EMBEDDINGS), strict=True
    ):
        np.testing.assert_array_equal(before, after)
    assert loaded.thresholds == classifier.thresholds


def test_a_higher_temperature_makes_less_confident():
    logits = np.array([[2.0, 0.0]], np.float32)
    assert softmax(logits / 2).max() < softmax(logits).max()


def test_large_logits_do_not_overflow():
    assert np.isfinite(softmax(np.array([[1e4, -1e4]], np.float32))).all()


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DamagedClassifierError, match="cannot be read"):
        Classifier.load(tmp_path)


def test_arrays_that_are_cut_short_are_refused(tmp_path):
    a_classifier().save(tmp_path)
    path = tmp_path / ARRAYS
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DamagedClassifierError, match="cannot be read"):
        Classifier.load(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", 99, "schema 99"),
        ("causes", ["defective", "question"], "does not fit"),
        ("causes", ["defective", "defective", "other"], "does not fit"),
        ("cause_temperature", 0, "temperature"),
        ("thresholds", {"defective": 0.5}, "thresholds"),
        ("thresholds", {"defective": 2, "question": 0, "other": 0}, "thresholds"),
        ("thresholds", None, "does not describe"),
    ],
)
def test_a_description_that_cannot_be_true_is_refused(tmp_path, key, value, message):
    a_classifier().save(tmp_path)
    path = tmp_path / DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(DamagedClassifierError, match=message):
        Classifier.load(tmp_path)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    """E-79: a damaged classifier predicts nothing at all."""
    classifier = a_classifier()
    classifier.cause.weight[0, 0] = np.nan
    classifier.save(tmp_path)
    with pytest.raises(DamagedClassifierError, match="finite"):
        Classifier.load(tmp_path)
