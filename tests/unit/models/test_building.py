from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from models.artifact import read_manifest, verify
from models.building import TooFewExamplesError, build
from models.dataset import Example, dataset_hash, read_examples
from triage.classifier import Classifier

CAUSES = ("question", "other")
URGENCIES = ("low", "critical")
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DEFAULT = Path("models/default")


class StandInEncoder:
    """Two clouds: the first letter of a text says which, the rest where in it."""

    hash = "ab" * 32
    precision = "fp32"
    dimensions = 8

    def encode(self, texts, *, on_progress=None):
        rows = []
        for text in texts:
            draw = np.random.default_rng(list(text.encode()))
            rows.append(draw.normal(size=8) + (4 if text[0] == "a" else -4))
        return np.array(rows, np.float32)


def examples(n: int = 40) -> list[Example]:
    return [
        Example(
            id=str(i),
            text=f"{'ab'[i % 2]} mail {i}",
            cause=CAUSES[i % 2],
            urgency=URGENCIES[i % 2],
        )
        for i in range(n)
    ]


def built(folder: Path, rows: list[Example]):
    return build(
        rows,
        StandInEncoder(),
        folder,
        version="test-1",
        parent=None,
        created_at=NOW,
        causes=CAUSES,
        urgencies=URGENCIES,
    )


def test_examples_become_a_version_that_is_whole(tmp_path):
    manifest, report = built(tmp_path / "test-1", examples())
    verify(tmp_path / "test-1")
    assert read_manifest(tmp_path / "test-1") == manifest
    assert manifest.metrics == report.as_json()
    assert manifest.training_hash == dataset_hash(examples())
    assert (report.cause_accuracy, report.critical_recall) == (1.0, 1.0)


def test_the_same_examples_give_the_same_files(tmp_path):
    one, _ = built(tmp_path / "one", examples())
    two, _ = built(tmp_path / "two", examples())
    assert one == two


def test_a_label_with_too_few_examples_is_named(tmp_path):
    with pytest.raises(TooFewExamplesError, match="3 examples of question, at least 10 needed"):
        built(tmp_path / "test-1", examples(6))
    assert not (tmp_path / "test-1").exists()


def test_the_shipped_version_is_whole_and_small():
    verify(DEFAULT)
    assert sum(path.stat().st_size for path in DEFAULT.iterdir()) < 30_000_000


def test_the_shipped_version_is_made_of_the_shipped_examples():
    shipped = read_examples(sorted(Path("models/data/train").glob("*.jsonl")))
    manifest = read_manifest(DEFAULT)
    assert manifest.training_hash == dataset_hash(shipped)
    assert Classifier.load(DEFAULT).version == manifest.version
