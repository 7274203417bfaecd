"""What becomes of a row when its work succeeds or fails: decided here and nowhere else."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from config.errors import PermanentError, TemporaryError
from storage.database import CONFLICT, DATABASE_DOWN, Session, is_about_the_data
from storage.files import StorageFull
from storage.tables import WorkColumns
from storage.work import (
    ClaimLost,
    Lease,
    count_attempt,
    finish,
    release,
    retry_later,
    set_aside,
    uncount_attempt,
)

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
UNREACHABLE = (*DATABASE_DOWN, StorageFull)

Row = TypeVar("Row", bound=WorkColumns)


def work_through(
    session: Session,
    rows: Sequence[Row],
    do: Callable[[Sequence[Row]], None],
    *,
    lease: Lease,
    clock: Callable[[], datetime],
    give_up: Callable[[Row, str], None],
) -> int:
    """Do the work on a batch of claimed rows in one transaction; return how many were handled.

    ``do`` returns, and all rows are done in one commit; or it raises, and the batch is taken again
    one row at a time, so that a bad row spoils nothing but itself. Alone, a PermanentError sets the
    row aside; any other error puts it back, MAX_ATTEMPTS times in all, and one that is not ours is
    logged in full, for it is a bug. A row that killed its process that often is set aside before
    it does so again. ``give_up(row, problem)`` says what setting aside means for this table.

    Nothing is written to a row that is another worker's by now: the database is asked in each
    transaction that writes. ``do`` asks it, too, before its first write (``lease.require``).

    A database or a disk that is away is no row's fault: that is raised, the rows given back.
    """
    batch = _Batch(session, do, lease, clock, give_up)
    fit = [row for row in rows if row.attempts < MAX_ATTEMPTS]
    handled = 0
    try:
        for row in rows:
            if row.attempts >= MAX_ATTEMPTS:
                handled += batch.unless_lost(row, batch.set_aside_untouched)
        if len(fit) > 1 and batch.done(fit):
            return handled + len(fit)
        for row in lease.held(session, fit):
            handled += batch.unless_lost(row, batch.work_alone)
    except UNREACHABLE:
        session.rollback()
        give_back(session, fit, lease)
        raise
    if handled < len(rows):
        lost = {"table": rows[0].__tablename__, "count": len(rows) - handled}
        log.warning("claim lost", extra=lost)
    return handled


def give_back(session: Session, rows: Sequence[WorkColumns], lease: Lease) -> None:
    """Free claimed rows untouched; where the database is away, too, their lease ends."""
    with suppress(*DATABASE_DOWN):
        for row in lease.held(session, rows):
            uncount_attempt(row, lease)
            release(row)
            session.add(row)
        session.commit()


@contextmanager
def given_back(session: Session, rows: Sequence[WorkColumns], lease: Lease) -> Iterator[None]:
    """Work through rows that were claimed together part by part: an outage frees the rest."""
    try:
        yield
    except UNREACHABLE:
        session.rollback()
        give_back(session, rows, lease)
        raise


@dataclass
class _Batch(Generic[Row]):
    """What is done with the rows of one batch."""

    session: Session
    do: Callable[[Sequence[Row]], None]
    lease: Lease
    clock: Callable[[], datetime]
    give_up: Callable[[Row, str], None]

    def done(self, rows: Sequence[Row]) -> bool:
        """Whether the batch went through as a whole; if not, nothing of it has happened."""
        try:
            self._commit(rows)
        except Exception as error:
            if _is_nobodys_fault(error):
                raise
            self.session.rollback()  # each row will say for itself what was wrong
            return False
        return True

    def unless_lost(self, row: Row, act: Callable[[Row], None]) -> bool:
        """Whether a row was handled; not when another worker has taken it."""
        try:
            act(row)
        except ClaimLost:
            self.session.rollback()
            return False
        return True

    def work_alone(self, row: Row) -> None:
        try:
            try:
                self._commit([row])
            except CONFLICT:
                # Another process was first with the same mail: what it committed is seen now.
                self.session.rollback()
                self._commit([row])
        except ClaimLost:
            raise
        except Exception as error:
            if _is_nobodys_fault(error):
                raise
            self.session.rollback()
            self.lease.require(self.session, [row])
            self._close_failed(row, error)

    def set_aside_untouched(self, row: Row) -> None:
        self.lease.require(self.session, [row])
        self._set_aside(row, f"the worker died over it {MAX_ATTEMPTS} times")

    def _commit(self, rows: Sequence[Row]) -> None:
        self.do(rows)
        self.lease.require(self.session, rows)
        for row in rows:
            finish(row)
            self.session.add(row)
        self.session.commit()

    def _close_failed(self, row: Row, error: Exception) -> None:
        known = isinstance(error, TemporaryError | PermanentError)
        problem = str(error) if known else f"bug: {type(error).__name__}: {error}"
        if not known:
            log.error("unexpected error", exc_info=error, extra=about(row))
        count_attempt(row, self.lease)
        if isinstance(error, PermanentError) or row.attempts >= MAX_ATTEMPTS:
            self._set_aside(row, problem)
        else:
            at = self.clock() + timedelta(seconds=30 * row.attempts)
            retry_later(row, at=at, problem=problem)
            self.session.add(row)
            self.session.commit()

    def _set_aside(self, row: Row, problem: str) -> None:
        set_aside(row, problem=problem)
        self.give_up(row, problem)
        self.session.add(row)
        self.session.commit()
        log.warning("row set aside", extra=about(row) | {"attempt": row.attempts})


def about(row: WorkColumns) -> dict[str, object]:
    """Which row it is, for the log: by what it can be found by elsewhere."""
    names = {"row": "id", "mailbox": "mailbox", "uid": "uid", "ticket": "reference"}
    return {"table": row.__tablename__} | {
        field: getattr(row, column, None) for field, column in names.items()
    }


def _is_nobodys_fault(error: Exception) -> bool:
    """A database or a disk that is away; not a value that the database refuses."""
    return isinstance(error, UNREACHABLE) and not is_about_the_data(error)
