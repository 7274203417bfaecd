"""A backup taken while odzew runs comes back whole, and nobody is acknowledged twice (D-P11)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from config.settings import Storage
from storage.backup import BackupError, after_restore, back_up, restore
from storage.database import Engine, database_file, migrate, open_database, open_session
from storage.files import FileStore
from storage.mail import INLINE_LIMIT, raw_bytes
from storage.tables import OutboxMessage, RawMessage, Ticket
from tests.factories import NOW, a_mail, a_mailbox, an_smtp_server, in_the_ledger
from worker.context import Context, known_addresses
from worker.ingest import ingest
from worker.parser_process import ParserProcess


@pytest.fixture
def context(engine, make_context):
    return make_context(engine, smtp=an_smtp_server(), mailboxes=[a_mailbox()])


@pytest.fixture
def parser(context):
    child = ParserProcess(known_addresses(context.settings))
    yield child
    child.close()


@pytest.fixture
def empty(context, request, tmp_path) -> Iterator[Context]:
    """A second installation of the same kind, with nothing in it."""
    if database_file(context.engine):
        url = f"sqlite:///{tmp_path / 'second' / 'odzew.db'}"
    else:
        postgres = request.getfixturevalue("postgres")
        url = postgres.url(postgres.new_database())
    engine = open_database(url)
    storage = Storage(path=tmp_path / "second" / "var")
    settings = context.settings.model_copy(update={"storage": storage})
    yield replace(context, engine=engine, settings=settings, files=FileStore(storage.path))
    engine.dispose()


def rows(engine: Engine, table):
    with open_session(engine) as session:
        return [row.model_dump() for row in session.exec(select(table).order_by(table.id)).all()]


def backed_up(context, folder: Path) -> Path:
    storage = context.settings.storage.path
    return back_up(context.engine, storage, folder, now=NOW, on_progress=lambda _: None)


def test_everything_comes_back_and_what_waited_is_for_a_person(context, parser, empty, tmp_path):
    large = a_mail(text="x" * (INLINE_LIMIT + 1))
    in_the_ledger(context, a_mail(), a_mail(), large)
    ingest(context, parser)
    with open_session(context.engine) as session:
        sent, *_ = session.exec(select(OutboxMessage).order_by(OutboxMessage.id)).all()
        sent.state, sent.next_attempt_at = "sent", None
        session.add(sent)
        session.commit()
    copy = backed_up(context, tmp_path / "backups")
    # Since then the world has gone on: this mail is not in the copy.
    lost = a_mail(subject="Po kopii")
    in_the_ledger(context, lost)
    ingest(context, parser)

    restore(empty.engine, empty.settings.storage.path, copy)
    migrate(empty.engine)
    with open_session(empty.engine) as session:
        assert after_restore(session, now=NOW + timedelta(hours=1)) == 2
        assert raw_bytes(session, empty.files, rows(empty.engine, RawMessage)[2]["sha256"]) == large
    assert rows(empty.engine, RawMessage) == rows(context.engine, RawMessage)[:3]
    states = [row["state"] for row in rows(empty.engine, OutboxMessage)]
    assert states == ["sent", "unknown", "unknown"]

    # The server still has the mail that the copy lacks: a ticket, a new number, no second answer.
    in_the_ledger(empty, lost)
    ingest(empty, parser)
    *_, before = rows(context.engine, Ticket)
    *_, again = rows(empty.engine, Ticket)
    assert again["subject"] == before["subject"]
    assert again["reference"] > before["reference"]
    assert again["acknowledgement_reason"].startswith("D-P11: ")
    assert len(rows(empty.engine, OutboxMessage)) == 3
    # What arrives from now on is acknowledged as ever.
    later = NOW + timedelta(hours=2)
    in_the_ledger(empty, a_mail(), received_at=later, fetched_at=later)
    ingest(empty, parser)
    assert rows(empty.engine, OutboxMessage)[-1]["state"] == "waiting"


def test_cp_40_a_copy_that_was_interrupted_is_never_used(context, empty, tmp_path):
    copy = backed_up(context, tmp_path / "backups")
    part = copy.with_name(copy.name + ".x.part")
    copy.rename(part)
    with pytest.raises(BackupError, match="no finished backup"):
        restore(empty.engine, empty.settings.storage.path, part)


def test_a_damaged_copy_is_refused(context, empty, tmp_path):
    copy = backed_up(context, tmp_path / "backups")
    [database] = copy.glob("database.*")
    database.write_bytes(database.read_bytes()[:-1])
    with pytest.raises(BackupError, match="damaged"):
        restore(empty.engine, empty.settings.storage.path, copy)


def test_nothing_that_is_there_is_written_over(context, tmp_path):
    copy = backed_up(context, tmp_path / "backups")
    assert json.loads((copy / "backup.json").read_text())["files"] == 0
    with pytest.raises(BackupError, match="not empty"):
        restore(context.engine, tmp_path / "elsewhere", copy)
