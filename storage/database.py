"""Opening the database and bringing its schema up to date."""

import logging
import secrets
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, ExceptionContext, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlmodel import Session, create_engine

from config.errors import PermanentError, TemporaryError
from storage.file_systems import network_file_system
from storage.tables import Instance

__all__ = [
    "CONFLICT",
    "DATABASE_DOWN",
    "DatabaseNewer",
    "DatabaseUnreachable",
    "Engine",
    "Session",
    "database_file",
    "is_about_the_data",
    "is_schema_current",
    "migrate",
    "open_database",
    "open_session",
]

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
ALLOWED = "sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME"
# Kept open to PostgreSQL: about as many as the steps of one process use at a time; a few more are
# opened when a moment needs them.
CONNECTIONS = 10
# A machine that lost its power does not say good-bye: PostgreSQL would hold its locks for hours.
KEEPALIVES = {
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 2,
}
MIGRATION_LOCK = 0x6F647A6577  # an advisory lock's number, ours by chance alone

# What the driver raises when the database is away, locked, read-only or full: nothing about a row.
DATABASE_DOWN = (OperationalError, InterfaceError)
# Classes of SQLSTATE that tell of the values in a row (PostgreSQL appendix A): data exception,
# integrity constraint violation, program limit exceeded. The driver calls some of them operational.
_ABOUT_THE_DATA = ("22", "23", "54")
# A unique key refused what another process was quicker to write.
CONFLICT = (IntegrityError,)


def is_about_the_data(error: Exception) -> bool:
    """Whether a database error comes from the values written, not from the database being away."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return state[:2] in _ABOUT_THE_DATA


class DatabaseNewer(PermanentError):
    """The schema was made by a newer odzew; running on would damage it."""


class DatabaseUnreachable(TemporaryError):
    """No connection, or a file that cannot be written."""


def open_database(url: str) -> Engine:
    """Open SQLite or PostgreSQL by its SQLAlchemy URL; nothing is connected yet.

    Raises PermanentError when the URL is not one of these.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # What was found is not shown: nobody can say where in it a password would be.
        raise PermanentError(f"database.url is not a database URL; allowed: {ALLOWED}") from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise PermanentError(
            f"database.url names {parsed.get_backend_name()!r}; allowed: {ALLOWED}"
        )
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        on_server = {"pool_size": CONNECTIONS, "pool_pre_ping": True}
        engine = create_engine(
            parsed,
            hide_parameters=True,
            **(on_server if parsed.get_backend_name() == "postgresql" else {}),
        )
    except (NoSuchModuleError, ArgumentError) as error:
        raise PermanentError(f"database.url cannot be used: {error}") from None
    event.listen(engine, "handle_error", _keep_data_out_of_errors)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_sqlite_pragmas)
    else:
        event.listen(engine, "connect", _let_go_of_dead_machines)
    return engine


def open_session(engine: Engine) -> Session:
    """A session whose rows stay readable after a commit.

    So a claimed row can be worked on with no transaction open.
    """
    return Session(engine, expire_on_commit=False)


def database_file(engine: Engine) -> Path | None:
    """The SQLite file, or None for a database server or a database in memory."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return None
    return Path(name)


def migrate(engine: Engine) -> None:
    """Bring the schema to this code's revision and make sure the instance row is there.

    Raises DatabaseNewer when the database knows a revision that this code does not,
    DatabaseUnreachable when it cannot be connected to or written, and PermanentError when it is a
    file on another machine.
    """
    file = database_file(engine)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    try:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            _refuse_network(file)
        with engine.begin() as connection:
            _one_at_a_time(connection)
            current = MigrationContext.configure(connection).get_current_revision()
            if current is not None and not _is_known(scripts, current):
                raise DatabaseNewer(
                    f"the database is at revision {current}, which this version of odzew does not "
                    "know: it was written by a newer one; install that version again"
                )
            if current != scripts.get_current_head():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            with Session(connection) as session:
                if session.get(Instance, 1) is None:
                    session.add(
                        Instance(shop_id=secrets.token_hex(6), loop_key=secrets.token_bytes(32))
                    )
                    session.commit()
    except (DBAPIError, OSError) as error:
        raise DatabaseUnreachable(explain(engine, error)) from error


def _refuse_network(file: Path) -> None:
    kind = network_file_system(file.parent)
    if kind is not None:
        raise PermanentError(
            f"the database {file} lies on a network file system ({kind}), where SQLite loses data; "
            "put it on a local disk, or use PostgreSQL"
        )


def is_schema_current(engine: Engine) -> bool:
    """Whether the schema is this code's; raises one of DATABASE_DOWN when nobody answers."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == _head()


@cache
def _head() -> str | None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config).get_current_head()


def _one_at_a_time(connection: Connection) -> None:
    """Hold until the end of the transaction what another process that starts now waits for.

    SQLite would otherwise begin its transaction only after the first tables have been made, and a
    process killed between them would leave half a schema.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")


def _is_known(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        return scripts.get_revision(revision) is not None
    except CommandError:
        return False


def explain(engine: Engine, error: Exception) -> str:
    """One sentence for a database that cannot be used; never with the password."""
    where = engine.url.render_as_string(hide_password=True)
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return f"the database {where} cannot be used: {cause}"


def _keep_data_out_of_errors(context: ExceptionContext) -> None:
    # An error ends in the log, where no address or text may be; PostgreSQL quotes the whole row
    # in the second line of its message.
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None and error.args:
            error.args = (str(error.args[0]).splitlines()[0], *error.args[1:])


def _set_sqlite_pragmas(connection, _record) -> None:  # type: ignore[no-untyped-def]
    # WAL lets the web page read while the worker writes; FULL makes a commit survive power loss;
    # a writer waits for another one instead of failing.
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "busy_timeout = 10000",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    # SQLite's own lower() knows only ASCII: "ŁÓŻKO" would not be found by "łóżko".
    connection.create_function("lower", 1, _lower, deterministic=True)


def _let_go_of_dead_machines(connection, _record) -> None:  # type: ignore[no-untyped-def]
    with connection.cursor() as cursor:
        for name, seconds in KEEPALIVES.items():
            cursor.execute(f"SET {name} = {seconds}")
    connection.commit()


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value
