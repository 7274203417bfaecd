"""One worker at a time on a SQLite file; PostgreSQL takes as many as there are."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from config.errors import PermanentError
from storage.database import database_file, open_session
from storage.tables import Alarm, OutboxMessage, RawMessage, Ticket
from storage.work import release_all
from worker.context import Context


class AnotherWorker(PermanentError):
    """A worker is running on this database already."""


@contextmanager
def only_worker(context: Context) -> Iterator[None]:
    """Hold the database for one worker, and free what a dead one had claimed."""
    file = database_file(context.engine)
    if file is None:
        context.files.sweep()
        yield
        return
    lock = FileLock(f"{file}.worker.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AnotherWorker(
            f"another worker is running on {file}; stop it first, or use PostgreSQL for several"
        ) from None
    except OSError as error:
        raise PermanentError(
            f"{file.parent} cannot be written ({error.strerror}); "
            "give the user who runs odzew the right to, or change database.url"
        ) from error
    try:
        context.files.sweep()
        with open_session(context.engine) as session:
            release_all(session, (RawMessage, Ticket, OutboxMessage, Alarm), now=context.clock())
        yield
    finally:
        lock.release()
