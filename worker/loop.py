"""What becomes of a row when its work succeeds or fails: decided here and nowhere else."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from config.errors import PermanentError, TemporaryError
from storage.database import CONFLICT, DATABASE_DOWN, Session, is_about_the_data
from storage.files import StorageFull
from storage.tables import WorkColumns
from storage.work import finish, release, retry_later, set_aside

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3

Row = TypeVar("Row", bound=WorkColumns)


def work_through(
    session: Session,
    rows: Sequence[Row],
    do: Callable[[Sequence[Row]], None],
    *,
    clock: Callable[[], datetime],
    give_up: Callable[[Row, str], None],
) -> int:
    """Do the work on a batch of claimed rows in one transaction; return how many were handled.

    ``do`` returns, and all rows are done in one commit; or it raises, and the batch is taken again
    one row at a time, so that a bad row spoils nothing but itself. Alone, a PermanentError sets the
    row aside; any other error puts it back, MAX_ATTEMPTS times in all, and one that is not ours is
    logged in full, for it is a bug. A row that killed its process that often is set aside before
    it does so again. ``give_up(row, problem)`` says what setting aside means for this table.

    A database or a disk that is away is no row's fault: that is raised, the rows given back.
    """
    fit = []
    for row in rows:
        if row.attempts >= MAX_ATTEMPTS:
            _set_aside(session, row, f"the worker died over it {MAX_ATTEMPTS} times", give_up)
        else:
            fit.append(row)
    try:
        if len(fit) > 1 and _done(session, fit, do):
            return len(rows)
        for row in fit:
            _work_alone(session, row, do, clock=clock, give_up=give_up)
    except (*DATABASE_DOWN, StorageFull):
        session.rollback()
        _give_back(session, fit)
        raise
    return len(rows)


def _done(session: Session, rows: Sequence[Row], do: Callable[[Sequence[Row]], None]) -> bool:
    """Whether the batch went through as a whole; if not, nothing of it has happened."""
    try:
        _commit(session, rows, do)
    except Exception as error:
        if _is_nobodys_fault(error):
            raise
        session.rollback()  # each row will say for itself what was wrong
        return False
    return True


def _work_alone(
    session: Session,
    row: Row,
    do: Callable[[Sequence[Row]], None],
    *,
    clock: Callable[[], datetime],
    give_up: Callable[[Row, str], None],
) -> None:
    try:
        try:
            _commit(session, [row], do)
        except CONFLICT:
            # Another process was first with the same mail: what it committed is seen now.
            session.rollback()
            _commit(session, [row], do)
    except Exception as error:
        if _is_nobodys_fault(error):
            raise
        session.rollback()
        _close_failed(session, row, error, now=clock(), give_up=give_up)


def _is_nobodys_fault(error: Exception) -> bool:
    """A database or a disk that is away; not a value that the database refuses."""
    return isinstance(error, (*DATABASE_DOWN, StorageFull)) and not is_about_the_data(error)


def _commit(session: Session, rows: Sequence[Row], do: Callable[[Sequence[Row]], None]) -> None:
    do(rows)
    for row in rows:
        finish(row)
        session.add(row)
    session.commit()


def _give_back(session: Session, rows: Sequence[WorkColumns]) -> None:
    """Free claimed rows untouched; where the database is away too, their lease ends by itself."""
    with suppress(*DATABASE_DOWN):
        for row in rows:
            release(row)
            session.add(row)
        session.commit()


def _close_failed(
    session: Session,
    row: WorkColumns,
    error: Exception,
    *,
    now: datetime,
    give_up: Callable[..., None],
) -> None:
    known = isinstance(error, TemporaryError | PermanentError)
    problem = str(error) if known else f"bug: {type(error).__name__}: {error}"
    if not known:
        log.error("unexpected error", exc_info=error, extra={"table": row.__tablename__})
    row.attempts += 1
    if isinstance(error, PermanentError) or row.attempts >= MAX_ATTEMPTS:
        _set_aside(session, row, problem, give_up)
    else:
        retry_later(row, at=now + timedelta(seconds=30 * row.attempts), problem=problem)
        session.add(row)
        session.commit()


def _set_aside(
    session: Session, row: WorkColumns, problem: str, give_up: Callable[..., None]
) -> None:
    set_aside(row, problem=problem)
    give_up(row, problem)
    session.add(row)
    session.commit()
    log.warning("row set aside", extra={"table": row.__tablename__, "attempt": row.attempts})
