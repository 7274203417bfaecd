import json
from datetime import UTC, datetime

import numpy as np
import pytest

from config.errors import PermanentError
from models.artifact import MANIFEST, DamagedArtifactError, read_manifest, verify, write
from triage.classifier import ARRAYS, DESCRIPTION, Classifier, Head

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def a_classifier(version: str = "20260302-1") -> Classifier:
    def head(*labels: str) -> Head:
        return Head(labels, np.ones((len(labels), 4), np.float32), np.ones(len(labels), np.float32))

    return Classifier(
        version=version,
        encoder_hash="ab" * 32,
        mean=np.zeros(4, np.float32),
        cause=head("question", "other"),
        urgency=head("low", "critical"),
        thresholds={"question": 0.5, "other": 1.0},
        preselect={"question": 0.5, "other": 1.0},
    )


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "classifiers" / "20260302-1"
    write(
        folder,
        a_classifier(),
        training_hash="cd" * 32,
        metrics={"cause_accuracy": 0.7},
        parent="default-1",
        created_at=NOW,
    )
    return folder


def test_a_written_version_is_whole(folder):
    verify(folder)
    manifest = read_manifest(folder)
    assert manifest.version == "20260302-1"
    assert (manifest.parent, manifest.metrics) == ("default-1", {"cause_accuracy": 0.7})
    assert manifest.created_at == "2026-03-02T08:00:00+00:00"
    assert manifest.files.keys() == {ARRAYS, DESCRIPTION}


def test_nothing_else_is_left_beside_it(folder):
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_version_is_replaced_as_a_whole(folder):
    changed = a_classifier("20260302-2")
    write(folder, changed, training_hash="", metrics={}, parent=None, created_at=NOW)
    assert read_manifest(folder).version == "20260302-2"
    verify(folder)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_failed_write_leaves_what_was_there(folder):
    broken = a_classifier("broken")
    broken.mean[0] = np.inf
    with pytest.raises(PermanentError):
        write(folder, broken, training_hash="", metrics={}, parent=None, created_at=NOW)
    verify(folder)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", [ARRAYS, DESCRIPTION])
def test_a_changed_byte_is_found(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(DamagedArtifactError, match="is not the file of the manifest"):
        verify(folder)


def test_a_missing_file_is_found(folder):
    (folder / ARRAYS).unlink()
    with pytest.raises(DamagedArtifactError, match="cannot be read"):
        verify(folder)


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(DamagedArtifactError, match="is not the manifest of a version"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 7}, "schema 7"),
        ({"version": "another"}, "version is '20260302-1', but the manifest says 'another'"),
        ({"causes": ["question"]}, "causes is"),
        ({"files": {"../secret": {"sha256": "", "size": 0}}}, "not a file of a version"),
        ({"colour": "red"}, "is not the manifest"),
    ],
)
def test_a_manifest_that_cannot_be_true_is_refused(folder, change, message):
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DamagedArtifactError, match=message):
        verify(folder)
