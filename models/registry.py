"""Versions of the classifier: artifact folder, checksum and row; exactly one is active.

The shipped version lies in ``models/default`` and is never written to; a shop's own versions are
folders under ``<storage.path>/classifiers``. Promoting and rolling back change one row, take effect
without a restart, and never touch a label.
"""

import hashlib
from datetime import datetime
from pathlib import Path

from config.errors import PermanentError
from models.artifact import MANIFEST, read_manifest, verify
from storage.classifiers import (
    active_version,
    add_version,
    all_versions,
    find_version,
    make_active,
    version_before,
)
from storage.database import CONFLICT, Session
from storage.tables import ClassifierVersion
from storage.tickets import classify_the_unclassified

DEFAULT = Path(__file__).parent / "default"


class UnknownVersion(PermanentError):
    """No classifier version has this name."""


def default_folder() -> Path:
    """The shipped artifact; its encoder serves the shop's own versions too."""
    return DEFAULT


def folder_of(version: ClassifierVersion, storage: Path) -> Path:
    """Where a version lies; ``storage`` is the folder ``storage.path``, which may be moved."""
    return DEFAULT if version.shipped else storage / "classifiers" / version.version


def ensure_default(session: Session, *, now: datetime) -> None:
    """Register the shipped classifier where it is new.

    It becomes active when nothing is, or when the active one is an earlier shipped one: an upgrade
    of odzew must not silently take the place of what a shop has trained itself.
    """
    if not (DEFAULT / MANIFEST).exists():
        return
    manifest = read_manifest(DEFAULT)
    if find_version(session, manifest.version) is not None:
        return
    current = active_version(session)
    version = _row(DEFAULT, shipped=True)
    try:
        add_version(session, version)
        if current is None or current.shipped:
            make_active(session, version, now=now)
        session.commit()
    except CONFLICT:
        session.rollback()  # another process that started at the same moment was first


def register(session: Session, folder: Path) -> ClassifierVersion:
    """Add a finished artifact folder as a candidate; raises when it is damaged."""
    verify(folder)
    version = _row(folder, shipped=False)
    add_version(session, version)
    session.commit()
    return version


def promote(session: Session, name: str, storage: Path, *, now: datetime) -> ClassifierVersion:
    """Make a version active; raises UnknownVersion, or an artifact error when it is damaged."""
    version = find_version(session, name)
    if version is None:
        known = ", ".join(row.version for row in all_versions(session)) or "none"
        raise UnknownVersion(f"there is no classifier version {name!r}; known: {known}")
    verify(folder_of(version, storage))
    make_active(session, version, now=now)
    classify_the_unclassified(session, now=now)
    session.commit()
    return version


def roll_back(session: Session, storage: Path, *, now: datetime) -> ClassifierVersion:
    """Make the version active that was active before; raises UnknownVersion when there is none."""
    current = active_version(session)
    before = None if current is None else version_before(session, current)
    if before is None:
        raise UnknownVersion("there is no earlier classifier version to roll back to")
    return promote(session, before.version, storage, now=now)


def active_folder(session: Session, storage: Path) -> Path | None:
    version = active_version(session)
    return None if version is None else folder_of(version, storage)


def _row(folder: Path, *, shipped: bool) -> ClassifierVersion:
    manifest = read_manifest(folder)
    return ClassifierVersion(
        version=manifest.version,
        state="candidate",
        shipped=shipped,
        manifest_sha256=hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest(),
        report=manifest.metrics,
    )
