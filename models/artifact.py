"""A version of the classifier as a folder: what is in it, that it is whole, how it comes to be.

``manifest.json`` lists every other file with size and SHA-256. A shop's version has only the
classifier's two files and names its encoder by hash; the shipped one has the encoder too. Nothing
in such a folder runs when it is loaded.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from config.errors import PermanentError
from triage.classifier import Classifier
from triage.encoder import FILES as ENCODER_FILES
from triage.encoder import encoder_hash

MANIFEST = "manifest.json"
NOTICE = "NOTICE"  # the licences of the encoder
EMBEDDINGS = "corpus.safetensors"  # of the shipped corpus, by the encoder beside it
_SCHEMA = 1


class DamagedArtifactError(PermanentError):
    """The folder is no whole version of the classifier; the message says why."""


@dataclass(frozen=True)
class FileEntry:
    sha256: str
    size: int  # bytes


@dataclass(frozen=True)
class Manifest:
    schema: int
    version: str
    created_at: str  # RFC 3339, UTC
    parent: str | None  # the version that was active when this one was trained
    encoder_hash: str
    training_hash: str  # see models.dataset.dataset_hash
    causes: tuple[str, ...]
    urgencies: tuple[str, ...]
    metrics: dict[str, Any]  # models.evaluation.EvaluationReport as JSON
    files: dict[str, FileEntry]  # by name; all but the manifest


def write(
    folder: Path,
    classifier: Classifier,
    *,
    training_hash: str,
    metrics: Mapping[str, Any],
    parent: str | None,
    created_at: datetime,
    encoder_folder: Path | None = None,
) -> Manifest:
    """Write a version, whole or not at all, and return its manifest.

    encoder_folder: the encoder to include; None for a version that only refers to it. A version
    that is already in ``folder`` is replaced.
    """
    with _becoming(folder) as fresh:
        classifier.save(fresh)
        if encoder_folder is not None:
            for name in (*ENCODER_FILES, NOTICE, EMBEDDINGS):
                if (encoder_folder / name).exists():
                    shutil.copyfile(encoder_folder / name, fresh / name)
        manifest = Manifest(
            schema=_SCHEMA,
            version=classifier.version,
            created_at=created_at.astimezone(UTC).isoformat(timespec="seconds"),
            parent=parent,
            encoder_hash=classifier.encoder_hash,
            training_hash=training_hash,
            causes=classifier.cause.labels,
            urgencies=classifier.urgency.labels,
            metrics=dict(metrics),
            files={path.name: _entry(path) for path in sorted(fresh.iterdir())},
        )
        text = json.dumps(asdict(manifest), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        (fresh / MANIFEST).write_text(text, "utf-8")
        verify(fresh)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a version; raises DamagedArtifactError when there is none that we can use."""
    path = folder / MANIFEST
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        if content["schema"] != _SCHEMA:
            raise DamagedArtifactError(f"{path} has schema {content['schema']}, expected {_SCHEMA}")
        files = {str(name): FileEntry(**entry) for name, entry in content.pop("files").items()}
        causes, urgencies = tuple(content.pop("causes")), tuple(content.pop("urgencies"))
        manifest = Manifest(**content, causes=causes, urgencies=urgencies, files=files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedArtifactError(f"{path} is not the manifest of a version: {error!r}") from error
    for name in manifest.files:
        if Path(name).name != name or name == MANIFEST:
            raise DamagedArtifactError(f"{path} lists {name!r}, which is not a file of a version")
    return manifest


def verify(folder: Path) -> None:
    """Check sizes, hashes, labels and shapes of a version.

    Raises DamagedArtifactError, or the DamagedClassifierError of its parts, with the first finding.
    """
    manifest = read_manifest(folder)
    for name, expected in manifest.files.items():
        try:
            found = _entry(folder / name)
        except OSError as error:
            raise DamagedArtifactError(f"{folder / name} cannot be read: {error}") from error
        if found != expected:
            raise DamagedArtifactError(
                f"{folder / name} is not the file of the manifest: {found.size} bytes with SHA-256 "
                f"{found.sha256[:12]}, expected {expected.size} with {expected.sha256[:12]}"
            )
    classifier = Classifier.load(folder)
    claims = {
        "version": (classifier.version, manifest.version),
        "encoder_hash": (classifier.encoder_hash, manifest.encoder_hash),
        "causes": (classifier.cause.labels, manifest.causes),
        "urgencies": (classifier.urgency.labels, manifest.urgencies),
    }
    if all(name in manifest.files for name in ENCODER_FILES):
        claims["encoder"] = (encoder_hash(folder), manifest.encoder_hash)
    for name, (found_value, claimed) in claims.items():
        if found_value != claimed:
            raise DamagedArtifactError(
                f"{folder}: {name} is {found_value!r}, but the manifest says {claimed!r}"
            )


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(digest, path.stat().st_size)


@contextmanager
def _becoming(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` that takes its place when all went well; else it is removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    fresh, replaced = scratch / "new", scratch / "old"
    try:
        fresh.mkdir()
        yield fresh
        take_place(fresh, folder, replaced)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def take_place(fresh: Path, folder: Path, replaced: Path | None = None) -> None:
    """Give a finished folder its name, after everything in it is on the disk.

    replaced: where a folder goes that has this name already.
    """
    for path in [*fresh.iterdir(), fresh]:
        _sync(path)
    if replaced is not None and folder.exists():
        folder.rename(replaced)
    fresh.rename(folder)
    _sync(folder.parent)


def sweep(classifiers: Path, *, older_than: float = 24 * 3600) -> None:
    """Remove the scratch folders of trainings and imports that were killed.

    older_than: seconds; a younger one may belong to a process that is at work.
    """
    for left in [*classifiers.glob(".*"), *classifiers.glob("cache/encoder-*")]:
        if left.is_dir() and time.time() - left.stat().st_mtime > older_than:
            shutil.rmtree(left, ignore_errors=True)


def _sync(path: Path) -> None:
    """Make sure that a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
