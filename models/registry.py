"""Versions of the classifier: artifact folder, checksum and row; exactly one is active.

The shipped version lies in ``models/default`` and is never written to; a shop's own versions are
folders under ``<storage.path>/classifiers``. Promoting and rolling back change one row, take effect
without a restart, and never touch a label.
"""

import hashlib
import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from config.errors import PermanentError
from config.taxonomy import Taxonomy
from models.artifact import MANIFEST, read_manifest, verify
from models.gate import gate
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
from triage.classifier import Classifier
from triage.encoder import Encoder
from triage.triager import Triager

log = logging.getLogger(__name__)

DEFAULT = Path(__file__).parent / "default"


class UnknownVersion(PermanentError):
    """No classifier version has this name."""


class TaxonomyMismatch(PermanentError):
    """The version predicts a cause that the shop's taxonomy does not have."""


class GateRefused(PermanentError):
    """The version is worse than the active one; the message says in what."""


def default_folder() -> Path:
    """The shipped artifact; its encoder serves the shop's own versions too."""
    return DEFAULT


def folder_of(version: ClassifierVersion, storage: Path) -> Path:
    """Where a version lies; ``storage`` is the folder ``storage.path``, which may be moved."""
    return DEFAULT if version.shipped else storage / "classifiers" / version.version


def load_with_encoder(folder: Path) -> tuple[Classifier, Encoder, Path]:
    """A version's classifier, its encoder in 32 bits, and the folder of the encoder.

    Raises EncoderMismatchError for a version that was trained on an earlier encoder.
    """
    triager = Triager.load(folder, encoder_folder=DEFAULT, precision="fp32")
    source = folder if (folder / "encoder.json").exists() else DEFAULT
    return triager.classifier, triager.encoder, source


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


def register(
    session: Session, folder: Path, *, report: dict[str, Any] | None = None
) -> ClassifierVersion:
    """Add a finished artifact folder as a candidate; raises when it is damaged.

    report: figures in place of those that its manifest claims.
    """
    verify(folder)
    version = _row(folder, shipped=False)
    if report is not None:
        version.report = report
    add_version(session, version)
    session.commit()
    return version


def promote(
    session: Session,
    name: str,
    storage: Path,
    *,
    now: datetime,
    taxonomy: Taxonomy | None = None,
    override: str = "",
) -> ClassifierVersion:
    """Make a version active, through the gate.

    taxonomy: the shop's; None: not looked at.
    override: the reason for which somebody wants it although the gate refuses it; it is kept with
    the version and logged. A version that was active before passes: somebody let it in then.

    Raises UnknownVersion, TaxonomyMismatch, GateRefused, or an artifact error when it is damaged.
    """
    version = known_version(session, name)
    folder = folder_of(version, storage)
    verify(folder)
    if taxonomy is not None:
        require_known_causes(read_manifest(folder).causes, taxonomy, name)
    active = active_version(session)
    problems: tuple[str, ...] = ()
    if active is not None and version.promoted_at is None and not version.shipped:
        problems = gate(version.report, active.report, active.version)
    if problems:
        if not override.strip():
            raise GateRefused(
                f"{name} is not promoted: {'; '.join(problems)}; who wants it all the same must "
                "give a reason"
            )
        version.override_reason = override.strip()
        log.warning("gate overridden", extra={"classifier": name, "problem": "; ".join(problems)})
    make_active(session, version, now=now)
    classify_the_unclassified(session, now=now)
    session.commit()
    return version


def require_known_causes(causes: Iterable[str], taxonomy: Taxonomy, version: str) -> None:
    """Raise TaxonomyMismatch when a cause of the version is not in the taxonomy."""
    unknown = set(causes) - {cause.code for cause in taxonomy.causes}
    if unknown:
        raise TaxonomyMismatch(
            f"classifier {version} predicts {', '.join(sorted(unknown))}, which the taxonomy does "
            "not have; add it to the file (it may be retired) or use another version"
        )


def known_version(session: Session, name: str) -> ClassifierVersion:
    """The version with this name; raises UnknownVersion with the names that there are."""
    version = find_version(session, name)
    if version is None:
        known = ", ".join(row.version for row in all_versions(session)) or "none"
        raise UnknownVersion(f"there is no classifier version {name!r}; known: {known}")
    return version


def roll_back(
    session: Session, storage: Path, *, now: datetime, taxonomy: Taxonomy | None = None
) -> ClassifierVersion:
    """Make the version active that was active before; raises UnknownVersion when there is none."""
    current = active_version(session)
    before = None if current is None else version_before(session, current)
    if before is None:
        raise UnknownVersion("there is no earlier classifier version to roll back to")
    return promote(session, before.version, storage, now=now, taxonomy=taxonomy)


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
