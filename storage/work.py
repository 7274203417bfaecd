"""Rows as work: who may do it now, and what became of it.

A row is claimed in one short transaction, worked on, and closed in another. A claim is a short
lease, renewed while the work runs (``keep_lease``): when a process dies, its rows become free
again once ``claimed_until`` has passed. The same statement serves one process on SQLite and many
on PostgreSQL.

Rows found with an expired lease belonged to a process that died. One of them may have killed it,
so they are taken one at a time, and only then does taking count as an attempt: the row in hand at
the next death is known. Those that were in hand already come last: else the oldest one would be in
hand whenever a new process dies young, whatever the reason, and be taken for the cause.

Each claim has a word of its own (``claimed_by``). A worker that stood still for longer than its
lease, and wakes when another has taken its rows, finds another word there before it writes
anything (``Lease``).
"""

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import ColumnElement, Engine, func, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from storage.database import open_session
from storage.tables import WorkColumns

Row = TypeVar("Row", bound=WorkColumns)

LEASE = timedelta(seconds=20)
RENEW_EVERY = 5.0  # seconds
# Beyond these no living worker plans; the clocks of two machines may differ by less.
UNTRIED_WITHIN = timedelta(minutes=5)
RETRIED_WITHIN = timedelta(days=7)
LEASED_WITHIN = timedelta(hours=1)


_AGAIN = "again-"  # how the word of a claim begins that counted as an attempt


def a_claim(*, counted: bool = False) -> str:
    """The word of a new claim."""
    return (_AGAIN if counted else "") + secrets.token_hex(8)


def claim(session: Session, table: type[Row], *, now: datetime, limit: int) -> Sequence[Row]:
    """Take up to ``limit`` rows that are due and free, oldest first; or one of a dead process.

    On PostgreSQL, rows that another process is taking are skipped, not waited for. SQLite
    has a single writer and SQLAlchemy leaves the locking clause out there.
    """
    orphaned = col(table.claimed_until) < now
    free = col(table.claimed_until).is_(None)
    return _take(
        session, table, orphaned, now=now, limit=1, counted=True, first=col(table.attempts)
    ) or _take(session, table, free, now=now, limit=limit, counted=False)


def _take(
    session: Session,
    table: type[Row],
    available: ColumnElement[bool],
    *,
    now: datetime,
    limit: int,
    counted: bool,
    first: Mapped[int] | None = None,
) -> Sequence[Row]:
    row_id = _id_of(table)
    due = (
        select(row_id)
        .where(col(table.next_attempt_at) <= now, available)
        .order_by(*([] if first is None else [first]), col(table.next_attempt_at), row_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # A CTE, not a subquery: PostgreSQL may run a subquery again and take too many rows.
        .cte("due")
    )
    taken = (
        update(table)
        .where(row_id.in_(select(due.c.id)))
        .values(
            claimed_until=now + LEASE,
            claimed_by=a_claim(counted=counted),
            attempts=table.attempts + int(counted),
        )
        .returning(table)
        # Rows this session has seen before would otherwise come back with their old values.
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    rows = list(session.scalars(taken))
    session.commit()
    return sorted(rows, key=lambda row: (row.next_attempt_at, getattr(row, "id", 0)))


def _id_of(table: type[WorkColumns]) -> ColumnElement[int]:
    # Each table of work has an integer primary key of this name; WorkColumns itself is no table.
    return table.id  # type: ignore[attr-defined, no-any-return]


class ClaimLost(Exception):
    """This process stood still for longer than its lease: the rows are another worker's by now."""


@dataclass(frozen=True)
class Lease:
    """A claim as its worker remembers it; after a rollback the rows show whose they are now."""

    word: str | None

    @property
    def is_counted(self) -> bool:
        """Whether taking the rows was an attempt, for a process had died with them in hand."""
        return self.word is not None and self.word.startswith(_AGAIN)

    def held(self, session: Session, rows: Sequence[Row]) -> list[Row]:
        """Those of the rows that are still this claim's.

        On PostgreSQL they are locked, so they stay so until the transaction ends; on SQLite one
        worker runs at a time. To be called in the transaction that writes, before it writes.
        """
        if not rows:
            return []
        held = set(session.scalars(self.rows(rows).with_for_update()))
        return [row for row in rows if row.id in held]  # type: ignore[attr-defined]

    def require(self, session: Session, rows: Sequence[WorkColumns]) -> None:
        """Raise ClaimLost unless all of the rows are held."""
        if len(self.held(session, rows)) != len(rows):
            raise ClaimLost

    def rows(self, rows: Sequence[WorkColumns]) -> SelectOfScalar[int]:
        table = type(rows[0])
        row_id = _id_of(table)
        ids = [row.id for row in rows]  # type: ignore[attr-defined]
        return (
            select(row_id)
            .where(row_id.in_(ids), col(table.claimed_by) == self.word)
            # As everybody does who locks several of them, so that no two wait for each other.
            .order_by(row_id)
        )


def lease_of(rows: Sequence[WorkColumns]) -> Lease:
    """The lease on rows that have just been claimed together."""
    return Lease(rows[0].claimed_by if rows else None)


def has_work(session: Session, table: type[WorkColumns], *, now: datetime) -> bool:
    """Whether a row is due and nobody living is at work on it."""
    row = select(_id_of(table)).where(
        col(table.next_attempt_at) <= now,
        col(table.claimed_until).is_(None) | (col(table.claimed_until) < now),
    )
    return session.scalars(row.limit(1)).first() is not None


def release_all(session: Session, tables: Sequence[type[WorkColumns]], *, now: datetime) -> None:
    """Free the claims of a dead process at once: for SQLite, where one worker runs at a time."""
    for table in tables:
        session.execute(
            update(table)
            .where(col(table.claimed_until) > now)
            .values(claimed_until=now - timedelta(microseconds=1), claimed_by=None)
        )
    session.commit()


def bring_back(session: Session, tables: Sequence[type[WorkColumns]], *, now: datetime) -> int:
    """Make due what lies in a future that nobody meant: the clock was set back (CP-47).

    A first attempt at a row of these tables is never put off, a later one never for a week, a
    lease never for an hour.
    Returns how many rows.
    """
    rows = 0
    for table in tables:
        untried = (col(table.attempts) == 0) & col(table.problem).is_(None)
        due = col(table.next_attempt_at)
        put_off = (untried & (due > now + UNTRIED_WITHIN)) | (due > now + RETRIED_WITHIN)
        leased = col(table.claimed_until) > now + LEASED_WITHIN
        for wrong, right in (
            (put_off, {"next_attempt_at": now}),
            (leased, {"claimed_until": now - timedelta(microseconds=1)}),
        ):
            changed = update(table).where(wrong).values(right).returning(_id_of(table))
            rows += len(session.scalars(changed).all())
    session.commit()
    return rows


@contextmanager
def keep_lease(
    engine: Engine, rows: Sequence[WorkColumns], *, clock: Callable[[], datetime]
) -> Iterator[None]:
    """Renew the lease of claimed rows from a thread of its own while the work runs."""
    if not rows:
        yield
        return
    done = threading.Event()
    table = type(rows[0])
    # Rows that are being closed just now are skipped: they need no lease any more. Those that are
    # closed, or another's, have another word.
    held = lease_of(rows).rows(rows).with_for_update(skip_locked=True).cte("held")
    renewal = update(table).where(_id_of(table).in_(select(held.c.id)))

    def renew() -> None:
        while not done.wait(RENEW_EVERY):
            try:
                with open_session(engine) as session:
                    session.execute(renewal.values(claimed_until=clock() + LEASE))
                    session.commit()
            except DBAPIError:
                # The database is away or busy: the work itself will meet the same and say so.
                continue

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def finish(row: WorkColumns) -> None:
    """The work is done; there is nothing more to do for this row."""
    row.next_attempt_at = None
    row.claimed_until = row.claimed_by = None
    row.problem = None


def count_attempt(row: WorkColumns, lease: Lease) -> None:
    """It was tried and failed: one attempt, however it came to be claimed."""
    row.attempts += 0 if lease.is_counted else 1


def uncount_attempt(row: WorkColumns, lease: Lease) -> None:
    """It was claimed and not tried, for no fault of its own."""
    row.attempts -= 1 if lease.is_counted else 0


def retry_later(row: WorkColumns, *, at: datetime, problem: str) -> None:
    """Put the row back until then."""
    row.next_attempt_at = at
    row.claimed_until = row.claimed_by = None
    row.problem = problem


def set_aside(row: WorkColumns, *, problem: str) -> None:
    """Stop trying; the row waits for a person."""
    row.next_attempt_at = None
    row.claimed_until = row.claimed_by = None
    row.problem = problem


def release(row: WorkColumns) -> None:
    """Give a claimed row back untouched, as on a clean stop."""
    row.claimed_until = row.claimed_by = None


def wake(row: WorkColumns, *, now: datetime) -> None:
    """A person wants it tried again: now, and as if for the first time."""
    row.next_attempt_at = now
    row.claimed_until = row.claimed_by = None
    row.attempts = 0


def count_due(session: Session, table: type[WorkColumns], *, now: datetime) -> int:
    """How many rows could be worked on now."""
    statement = select(func.count()).select_from(table).where(col(table.next_attempt_at) <= now)
    return session.exec(statement).one()
