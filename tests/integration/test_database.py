"""Opening and migrating a database of either kind, and what is said when that cannot be done."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import SQLModel

from config.errors import PermanentError
from storage.database import (
    DatabaseNewer,
    DatabaseUnreachable,
    database_file,
    migrate,
    open_database,
    open_session,
)
from storage.instance import get_instance
from storage.reports import is_reachable
from storage.tables import Instance, RawMessage
from tests.factories import a_raw_message
from tests.rigs.process import free_port, new_folder, remove_folder, server_user

ROOT = Path(__file__).parents[2]


@contextmanager
def opened(url):
    engine = open_database(str(url))
    try:
        yield engine
    finally:
        engine.dispose()


def test_migrating_twice_changes_nothing(engine):
    with open_session(engine) as session:
        before = get_instance(session).model_dump()
    migrate(engine)
    with open_session(engine) as session:
        assert get_instance(session).model_dump() == before


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'a' / 'folder' / 'odzew.db'}"
    else:
        server = request.getfixturevalue("postgres")
        name = server.new_database()
        yield server.url(name)
        server.drop_database(name)


def test_an_empty_database_becomes_an_installation_with_a_key_of_its_own(empty_url):
    with opened(empty_url) as engine:
        migrate(engine)
        with open_session(engine) as session:
            instance = get_instance(session)
    assert len(instance.shop_id) == 12
    assert len(instance.loop_key) == 32
    assert not instance.acknowledgements_paused
    assert not instance.worker_paused


def test_workers_that_start_together_on_an_empty_database_migrate_it_once(empty_url):
    program = (
        "import sys; from storage.database import migrate, open_database;"
        "migrate(open_database(sys.argv[1]))"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_url], cwd=ROOT, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [worker.communicate()[1].decode() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said


@pytest.mark.parametrize("number", [1, 5, 12])
def test_a_migration_that_was_killed_halfway_has_not_begun(empty_url, number):
    """Killed after so many tables: nothing is left of them, and the next start makes them all."""
    program = """
import os, signal, sys
from sqlalchemy import event
from storage.database import migrate, open_database
made = 0
engine = open_database(sys.argv[1])
@event.listens_for(engine, "after_cursor_execute")
def count(connection, cursor, statement, *rest):
    global made
    made += "CREATE TABLE" in statement
    if made == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
migrate(engine)
"""
    killed = subprocess.run(
        [sys.executable, "-c", program, empty_url, str(number)], cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    with opened(empty_url) as engine:
        assert inspect(engine).get_table_names() == []
        migrate(engine)
        with open_session(engine) as session:
            assert get_instance(session).id == 1


def test_the_migrations_make_the_tables_of_the_code(engine):
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_the_migrations_make_the_check_constraints_of_the_code(engine):
    """Alembic compares everything but these."""
    made = {
        table: {check["name"] for check in inspect(engine).get_check_constraints(table)}
        for table in SQLModel.metadata.tables
    }
    with opened("sqlite://") as fresh:
        SQLModel.metadata.create_all(fresh)
        expected = {
            table: {check["name"] for check in inspect(fresh).get_check_constraints(table)}
            for table in SQLModel.metadata.tables
        }
    assert made == expected
    assert expected["ticket"]


def test_a_newer_database_is_refused_in_one_sentence(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseNewer) as refusal:
        migrate(engine)
    assert str(refusal.value) == (
        "the database is at revision 9999, which this version of odzew does not know: "
        "it was written by a newer one; install that version again"
    )
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == [
            ("9999",)
        ]


# What cannot be used


@contextmanager
def without_root_rights():
    """Root may write everywhere; a test of rights has to be somebody else."""
    if os.getuid():
        yield
        return
    os.seteuid(server_user().pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("exists", [False, True], ids=["new file", "existing file"])
def test_a_folder_that_cannot_be_written_is_one_sentence(exists):
    folder = new_folder("readonly")
    path = folder / "odzew.db"
    try:
        if exists:
            with opened(f"sqlite:///{path}") as engine:
                migrate(engine)
            path.chmod(0o444)
        folder.chmod(0o555)
        with (
            without_root_rights(),
            opened(f"sqlite:///{path}") as engine,
            pytest.raises(DatabaseUnreachable) as refusal,
        ):
            migrate(engine)
    finally:
        remove_folder(folder)
    assert str(refusal.value).startswith(f"the database sqlite:///{path} cannot be used: ")
    assert "\n" not in str(refusal.value)


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "var").write_bytes(b"")
    with opened(f"sqlite:///{tmp_path / 'var' / 'odzew.db'}") as engine:
        with pytest.raises(DatabaseUnreachable, match=r"^the database sqlite:///.* cannot be used"):
            migrate(engine)
        assert not is_reachable(engine)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path):
    path = tmp_path / "odzew.db"
    path.write_bytes(b"To nie jest baza danych, tylko notatka. " * 100)
    with (
        opened(f"sqlite:///{path}") as engine,
        pytest.raises(DatabaseUnreachable, match=f"^the database sqlite:///{path} cannot be used"),
    ):
        migrate(engine)


def test_a_server_that_is_down_is_one_sentence_without_the_password():
    url = f"postgresql+psycopg://odzew:hunter2@127.0.0.1:{free_port()}/odzew"
    with opened(url) as engine, pytest.raises(DatabaseUnreachable) as refusal:
        migrate(engine)
    assert "cannot be used" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("odzew.db", "is not a database URL"),
        ("", "is not a database URL"),
        ("mysql://odzew@localhost/odzew", "names 'mysql'; allowed: sqlite"),
        ("sqlite+nothing:///odzew.db", "cannot be used"),
        ("postgresql://localhost:port/odzew", "is not a database URL"),
    ],
)
def test_a_wrong_url_is_one_sentence_that_names_the_key(url, said):
    with pytest.raises(PermanentError) as refusal:
        open_database(url)
    assert str(refusal.value).startswith("database.url ")
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_wrong_url_does_not_show_its_password():
    with pytest.raises(PermanentError) as refusal:
        open_database("postgresql://odzew:hunter2@localhost:port/odzew")
    assert "hunter2" not in str(refusal.value)


def test_a_plain_postgresql_url_gets_the_driver_that_is_installed():
    with opened("postgresql://odzew@localhost/odzew") as engine:
        assert engine.url.drivername == "postgresql+psycopg"


# What a database promises


def test_sqlite_is_set_so_that_a_commit_survives_a_loss_of_power(sqlite_engine):
    with sqlite_engine.connect() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 10000,
        "foreign_keys": 1,
    }


def test_a_naive_moment_is_refused(session):
    session.add(a_raw_message(received_at=datetime(2026, 3, 2, 8)))  # noqa: DTZ001
    with pytest.raises(StatementError, match="2026-03-02T08:00:00 has no time zone"):
        session.flush()


def test_a_moment_comes_back_in_utc_whatever_zone_it_was_given_in(engine, session):
    warsaw = timezone(timedelta(hours=1))
    row = a_raw_message(received_at=datetime(2026, 3, 2, 9, tzinfo=warsaw))
    session.add(row)
    session.commit()
    with open_session(engine) as other:
        found = other.get(RawMessage, row.id)
        assert found.received_at == datetime(2026, 3, 2, 8, tzinfo=UTC)
        assert found.received_at.utcoffset() == timedelta(0)


def test_there_is_only_one_installation_in_a_database(session):
    session.add(Instance(id=2, shop_id="another", loop_key=b"key"))
    with pytest.raises(IntegrityError, match="ck_instance_is_single"):
        session.flush()


def test_a_message_of_a_folder_is_in_the_ledger_once(session):
    first = a_raw_message()
    session.add_all([first, a_raw_message(uid=first.uid)])
    with pytest.raises(IntegrityError):
        session.flush()


def test_the_file_of_a_database_is_known_for_sqlite_alone(sqlite_engine, tmp_path):
    assert database_file(sqlite_engine) == tmp_path / "odzew.db"
    assert database_file(create_engine("sqlite://")) is None
    with opened("postgresql://odzew@localhost/odzew") as engine:
        assert database_file(engine) is None


def test_a_database_that_answers_is_reachable(engine):
    assert is_reachable(engine)
