"""What the nodes of a fleet share on PostgreSQL: the queue's schema, ticks, and who is alive.

The queue's own tables are Procrastinate's, in a schema that Alembic does not manage: jobs are only
wake-ups that name a step, so the schema may be thrown away and made anew at any time.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from psycopg.conninfo import make_conninfo
from sqlalchemy import BigInteger, Connection, Engine, cast, delete, func, or_, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlmodel import Session, col, select

from config.errors import PermanentError
from storage.database import (
    DATABASE_DOWN,
    KEEPALIVES,
    DatabaseUnreachable,
    explain,
    open_session,
)
from storage.tables import FleetNode, FleetTick

SCHEMA = "odzew_fleet"
ALIVE = timedelta(seconds=20)  # a node that has not been seen for longer is taken for dead
REMEMBERED = timedelta(days=1)  # a dead node is shown for so long
LARGEST_SKEW = timedelta(seconds=5)  # leases of 20 seconds stand on the clocks of the machines
NEVER_SO_LONG = timedelta(hours=2)  # twice the longest wait after failures
_SCHEMA_LOCK = 0x6F647A6578  # an advisory lock's number, ours by chance alone


class NoFleet(PermanentError):
    """A fleet cannot work on this database or on this machine."""


def require_fleet(engine: Engine) -> None:
    """Raise NoFleet where the database is not PostgreSQL, or this machine's clock is wrong."""
    if engine.dialect.name != "postgresql":
        raise NoFleet(
            "a fleet needs PostgreSQL, and database.url names SQLite; "
            "use `odzew worker`, or set database.url to postgresql+psycopg://USER@HOST/NAME"
        )
    try:
        with engine.connect() as connection:
            theirs = connection.execute(select(func.clock_timestamp())).scalar_one()
    except DBAPIError as error:
        raise DatabaseUnreachable(explain(engine, error)) from error
    skew = datetime.now(theirs.tzinfo) - theirs
    if abs(skew) > LARGEST_SKEW:
        raise NoFleet(
            f"this machine's clock and the database's differ by {abs(skew).total_seconds():.0f} s; "
            f"{LARGEST_SKEW.total_seconds():.0f} are allowed: set both, for example by NTP"
        )


def make_queue(engine: Engine, definition: str) -> None:
    """Make the queue's schema from its SQL, unless it is there; safe to call at any time.

    One that was made from another definition, by another version of the engine, is replaced, but
    not under the feet of nodes that use it: then NoFleet is raised.
    """
    version = sha256(definition.encode()).hexdigest()
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
            if _version(connection) != version:
                with Session(connection) as session:
                    alive = [node for node in nodes(session) if node.alive]
                if alive and _version(connection) is not None:
                    raise NoFleet(
                        f"{len(alive)} nodes of another version are running; stop them all first"
                    )
                _replace(connection, definition, version)
    except ProgrammingError as error:
        raise NoFleet(
            f"{explain(engine, error)}; the fleet keeps its queue in the schema {SCHEMA}: "
            "let the database belong to its user, or GRANT CREATE ON DATABASE"
        ) from error
    except DATABASE_DOWN as error:
        raise DatabaseUnreachable(explain(engine, error)) from error


def _version(connection: Connection) -> str | None:
    statement = text("SELECT obj_description(to_regnamespace(:name), 'pg_namespace')")
    return connection.execute(statement, {"name": SCHEMA}).scalar()


def _replace(connection: Connection, definition: str, version: str) -> None:
    connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
    _look_into_schema(connection)
    # Many statements, with percent signs in them: only the driver itself takes them as they are.
    driver_connection(connection).execute(definition)
    connection.exec_driver_sql(f"COMMENT ON SCHEMA {SCHEMA} IS '{version}'")


def _look_into_schema(connection: Connection) -> None:
    """Find the queue's functions and types until the transaction ends."""
    path = f"'{SCHEMA},' || current_setting('search_path')"
    connection.exec_driver_sql(f"SELECT set_config('search_path', {path}, true)")


def driver_connection(connection: Connection) -> Any:
    """psycopg's own connection."""
    return connection.connection.driver_connection


def queue_address(engine: Engine) -> str:
    """How to connect to the queue, with the password: for the engine alone, never to be shown."""
    _, arguments = engine.dialect.create_connect_args(engine.url)
    arguments.pop("context", None)  # the adapters of SQLAlchemy
    settings = {"search_path": SCHEMA, **KEEPALIVES}
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    options = f"{arguments.pop('options', '')} {options}".strip()
    return make_conninfo(**arguments, options=options, application_name="odzew fleet")


@contextmanager
def next_tick(
    engine: Engine, step: str, *, every: int, offset: int = 0
) -> Iterator[Connection | None]:
    """A transaction in which a tick of a step is this caller's; None where it is not due.

    Time is cut into periods of ``every`` seconds, beginning at ``offset``, by the database's clock
    alone: each period has one tick, whichever node asks first. It counts once the block has ended
    without an exception. Nothing is due while a wake-up for this step still waits in the queue.
    """
    period = cast(func.floor((_epoch() - offset) / every), BigInteger)
    statement = insert(FleetTick).values(step=step, tick=period, failures=0)
    ticked = statement.on_conflict_do_update(
        index_elements=["step"],
        set_={"tick": statement.excluded.tick},
        where=(col(FleetTick.tick) != statement.excluded.tick)
        & or_(
            col(FleetTick.not_before).is_(None),
            col(FleetTick.not_before) <= _now(),
            col(FleetTick.not_before) > _now() + NEVER_SO_LONG,  # the clock was set back
        ),
    ).returning(col(FleetTick.step))
    with engine.begin() as connection:
        due = not _waits(connection, step) and connection.execute(ticked).first() is not None
        if due:
            _look_into_schema(connection)
        yield connection if due else None


def _waits(connection: Connection, step: str) -> bool:
    waiting = text(
        f"SELECT 1 FROM {SCHEMA}.procrastinate_jobs WHERE queueing_lock = :step AND status = 'todo'"
    )
    return connection.execute(waiting, {"step": step}).first() is not None


def _now() -> Any:
    return func.clock_timestamp()


def _epoch() -> Any:
    return func.extract("epoch", _now())


def failures_of(session: Session, step: str) -> int:
    """How often in a row a step has failed, on whichever node."""
    return session.exec(select(FleetTick.failures).where(FleetTick.step == step)).first() or 0


def set_failures(session: Session, step: str, failures: int, *, wait: timedelta) -> None:
    """Note it for all nodes, and let no tick of the step come before the wait is over."""
    session.execute(
        update(FleetTick)
        .where(col(FleetTick.step) == step)
        .values(failures=failures, not_before=_now() + wait if failures else None)
    )
    session.commit()


def say_alive(engine: Engine, name: str, steps: Sequence[str]) -> None:
    """Note that a node is alive; what has been dead for long is forgotten."""
    row = insert(FleetNode).values(name=name, steps=list(steps), started_at=_now(), seen_at=_now())
    with open_session(engine) as session:
        session.execute(
            row.on_conflict_do_update(index_elements=["name"], set_={"seen_at": _now()})
        )
        session.execute(delete(FleetNode).where(col(FleetNode.seen_at) < _now() - REMEMBERED))
        session.commit()


def forget(engine: Engine, name: str) -> None:
    """A node ends as it should."""
    with open_session(engine) as session:
        session.execute(delete(FleetNode).where(col(FleetNode.name) == name))
        session.commit()


@dataclass(frozen=True)
class Node:
    """A process of ``odzew fleet``, alive or dead without a farewell."""

    name: str
    steps: tuple[str, ...]
    seen_at: datetime
    alive: bool


def nodes(session: Session) -> list[Node]:
    """The nodes of the last day, oldest first; none on SQLite."""
    if session.get_bind().dialect.name != "postgresql":
        return []
    alive = col(FleetNode.seen_at) >= _now() - ALIVE
    found = session.exec(select(FleetNode, alive).order_by(col(FleetNode.started_at)))
    return [
        Node(row.name, tuple(row.steps), row.seen_at, bool(is_alive)) for row, is_alive in found
    ]
