"""What this installation is, and what a person has paused."""

from datetime import datetime

from sqlmodel import Session

from storage.tables import Instance


def get_instance(session: Session) -> Instance:
    instance = session.get(Instance, 1)
    assert instance is not None, "storage.database.migrate creates it"
    return instance


def set_paused(
    session: Session, *, what: str, paused: bool, now: datetime, reason: str = ""
) -> None:
    """Pause or resume ``acknowledgements`` or the ``worker``; the caller commits.

    reason: why odzew itself pauses them; empty when a person does.
    """
    instance = get_instance(session)
    if what == "acknowledgements":
        instance.acknowledgements_paused, instance.pause_reason = paused, reason
        if not paused:
            instance.acknowledgements_resumed_at = now
    else:
        instance.worker_paused = paused
    session.add(instance)
