"""What this installation is, and what a person has paused."""

from sqlmodel import Session

from storage.tables import Instance


def get_instance(session: Session) -> Instance:
    instance = session.get(Instance, 1)
    assert instance is not None, "storage.database.migrate creates it"
    return instance


def set_paused(session: Session, *, what: str, paused: bool) -> None:
    """Pause or resume ``acknowledgements`` or the ``worker``; the caller commits."""
    instance = get_instance(session)
    if what == "acknowledgements":
        instance.acknowledgements_paused = paused
    else:
        instance.worker_paused = paused
    session.add(instance)
