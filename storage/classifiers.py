"""Rows of classifier versions; exactly one is active, by a unique index."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from storage.tables import ClassifierVersion


def all_versions(session: Session) -> Sequence[ClassifierVersion]:
    return session.exec(select(ClassifierVersion).order_by(col(ClassifierVersion.id))).all()


def find_version(session: Session, version: str) -> ClassifierVersion | None:
    return session.exec(
        select(ClassifierVersion).where(ClassifierVersion.version == version)
    ).first()


def active_version(session: Session) -> ClassifierVersion | None:
    return session.exec(
        select(ClassifierVersion).where(ClassifierVersion.state == "active")
    ).first()


def add_version(session: Session, version: ClassifierVersion) -> None:
    session.add(version)
    session.flush()


def make_active(session: Session, version: ClassifierVersion, *, now: datetime) -> None:
    """Retire the active version and put this one in its place, in the caller's transaction."""
    current = active_version(session)
    if current is not None and current.id == version.id:
        return
    if current is not None:
        current.state = "retired"
        session.add(current)
        session.flush()  # the unique index allows one active row at any moment
    version.state = "active"
    version.promoted_at = now
    session.add(version)
    session.flush()


def version_before(session: Session, version: ClassifierVersion) -> ClassifierVersion | None:
    """The version that was active before this one."""
    return session.exec(
        select(ClassifierVersion)
        .where(
            ClassifierVersion.state == "retired",
            ClassifierVersion.id != version.id,
            col(ClassifierVersion.promoted_at).is_not(None),
        )
        .order_by(col(ClassifierVersion.promoted_at).desc())
        .limit(1)
    ).first()
