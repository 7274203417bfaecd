from pathlib import Path

import numpy as np
import pytest

from models.artifact import read_manifest, verify
from models.building import Material, TooFewExamplesError, calibrate, train
from models.corpus import corpus
from models.dataset import Example, dataset_hash
from models.evaluation import evaluate, predict
from triage.classifier import Classifier

CAUSES = ("question", "other")
URGENCIES = ("low", "critical")
DEFAULT = Path("models/default")


def clouds(n: int, *, seed: int, causes: tuple[str, ...] = CAUSES, noise: float = 1) -> Material:
    """A cloud for each cause in 8 dimensions, the same ones whatever the seed."""
    centres = np.random.default_rng(0).normal(size=(4, 8)) * 3
    draw = np.random.default_rng(seed)
    examples = [
        Example(f"{seed}-{i}", f"mail {seed} {i}", causes[i % len(causes)], URGENCIES[i % 2])
        for i in range(n)
    ]
    which = np.arange(n) % len(causes)
    points = centres[which] + draw.normal(size=(n, 8)) * noise
    return Material(examples, points.astype(np.float32))


def trained(own: Material, causes: tuple[str, ...] = CAUSES, **options: float) -> Classifier:
    return train(
        clouds(80, seed=1),
        clouds(60, seed=2),
        own,
        version="test-1",
        encoder_hash="ab" * 32,
        causes=causes,
        urgencies=URGENCIES,
        **options,
    )


def test_a_candidate_knows_what_its_examples_teach():
    classifier = trained(clouds(40, seed=3))
    seen = clouds(100, seed=4)
    report = evaluate(predict(classifier, seen.embeddings, seen.examples))
    assert report.cause_accuracy > 0.95
    assert report.critical_recall > 0.95


def test_the_same_examples_give_the_same_classifier():
    one, two = trained(clouds(40, seed=3)), trained(clouds(40, seed=3))
    np.testing.assert_array_equal(one.cause.weight, two.cause.weight)
    assert one.thresholds == two.thresholds


def test_a_cause_of_the_shop_is_learnt_from_ten_examples():
    causes = (*CAUSES, "assembly")
    own = clouds(30, seed=3, causes=causes)
    classifier = trained(own, causes)
    seen = clouds(90, seed=4, causes=causes)
    report = evaluate(predict(classifier, seen.embeddings, seen.examples))
    assert report.causes["assembly"].recall > 0.8
    assert report.causes["question"].recall > 0.9


def test_without_labels_of_its_own_a_shop_gets_the_shipped_knowledge():
    nothing = Material((), np.empty((0, 8), np.float32))
    seen = clouds(100, seed=4)
    report = evaluate(predict(trained(nothing), seen.embeddings, seen.examples))
    assert report.cause_accuracy > 0.95


def test_a_label_with_too_few_examples_is_named():
    with pytest.raises(TooFewExamplesError, match="3 examples of assembly, at least 10 needed"):
        trained(clouds(9, seed=3, causes=(*CAUSES, "assembly")), (*CAUSES, "assembly"))


def test_calibration_makes_confidence_true():
    noisy = clouds(600, seed=5, noise=4)
    bold = trained(clouds(40, seed=3))
    calibrated = calibrate(bold, noisy)
    seen = clouds(600, seed=6, noise=4)
    before = evaluate(predict(bold, seen.embeddings, seen.examples))
    after = evaluate(predict(calibrated, seen.embeddings, seen.examples))
    assert after.cause_calibration_error < before.cause_calibration_error
    assert after.cause_calibration_excess < 0.05


def test_the_shipped_version_is_whole_and_small():
    verify(DEFAULT)
    assert sum(path.stat().st_size for path in DEFAULT.iterdir()) < 50_000_000


def test_the_shipped_version_is_made_of_the_shipped_examples():
    manifest = read_manifest(DEFAULT)
    assert manifest.training_hash == dataset_hash(corpus("train"))
    assert manifest.metrics["test_hash"] == dataset_hash(corpus("test"))
    assert Classifier.load(DEFAULT).version == manifest.version
