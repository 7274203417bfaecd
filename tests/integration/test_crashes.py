"""A worker killed at an edge of a transaction, then started again: nothing lost, nothing twice.

What a death in the middle of a delivery means is in ``test_deliver``.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from sqlmodel import select

from storage.columns import utc_now
from storage.database import open_session
from storage.mail import INLINE_LIMIT, raw_bytes
from storage.tables import InboundMessage, OutboxMessage, RawMessage, Ticket
from tests.factories import a_mail, a_mailbox, an_smtp_server
from worker.deliver import deliver
from worker.imap import KEYWORD
from worker.ingest import ingest
from worker.only_worker import only_worker
from worker.parsed_message import KnownAddresses
from worker.parser_process import ParserProcess
from worker.pull import pull

ROOT = Path(__file__).parents[2]

# The steps in one process; the schedule is not what is tested.
PROGRAM = """
import sys
from pathlib import Path
from odzew.opening import open_context
from worker.context import known_addresses
from worker.deliver import deliver
from worker.ingest import ingest
from worker.only_worker import only_worker
from worker.parser_process import ParserProcess
from worker.pull import pull
if __name__ == "__main__":
    context = open_context(Path(sys.argv[1]))
    with only_worker(context):
        pull(context, context.settings.mailboxes[0])
        parser = ParserProcess(known_addresses(context.settings))
        while ingest(context, parser):
            continue
        while deliver(context):
            continue
"""


@pytest.fixture(scope="module")
def parser():
    child = ParserProcess(KnownAddresses(own_domains=("sklep.example",)))
    yield child
    child.close()


@pytest.fixture
def work(sqlite_engine, make_context, dovecot, catcher, tmp_path, clock):
    """A shop whose mailbox holds four mails, one of them twice and one of them large."""
    user = dovecot.new_user()
    secret = tmp_path / "secret"
    secret.write_text(dovecot.password)
    mailbox = a_mailbox(
        port=dovecot.imap_port, username=user, password_file=secret, after_import="keyword"
    )
    clock.now = utc_now()  # the process that is killed has the machine's clock
    context = make_context(
        sqlite_engine, mailboxes=[mailbox], smtp=an_smtp_server(port=catcher.port)
    )
    twice = a_mail(date=clock.now)
    large = a_mail(date=clock.now, text="Paczka.\n" * (INLINE_LIMIT // 8))
    mails = [twice, a_mail(date=clock.now), twice, large]
    dovecot.append(user, *mails)
    return context, user, mails


def wait_for_children_of(session):
    """The parser is a process of its own and ends by itself when its worker was killed."""
    pause, end = threading.Event(), time.monotonic() + 10
    while any(children_of(session)):
        assert time.monotonic() < end, "the parser outlived its worker"
        pause.wait(0.02)


def children_of(session):
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if os.getsid(int(file.parent.name)) == session and b"spawn_main" in file.read_bytes():
                yield int(file.parent.name)


def die_at(checkpoint, context, tmp_path):
    settings = context.settings
    [mailbox] = settings.mailboxes
    configuration = tmp_path / "odzew.toml"
    configuration.write_text(
        f"""
        [shop]
        own_domains = ["sklep.example"]
        [database]
        url = "{context.engine.url}"
        [storage]
        path = "{settings.storage.path}"
        [[mailboxes]]
        name = "{mailbox.name}"
        host = "127.0.0.1"
        port = {mailbox.port}
        security = "none"
        username = "{mailbox.username}"
        password_file = "{mailbox.password_file}"
        start = "all"
        after_import = "keyword"
        [smtp]
        host = "127.0.0.1"
        port = {settings.smtp.port}
        security = "none"
        sender = "{settings.smtp.sender}"
        """,
        encoding="utf-8",
    )
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    log = tmp_path / "log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, str(program), str(configuration)],
            cwd=ROOT,
            env=os.environ | {"ODZEW_CRASH_AT": checkpoint, "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        worker.wait()
    wait_for_children_of(worker.pid)
    assert worker.returncode == -signal.SIGKILL, log.read_text()


def start_again(context, clock, parser):
    clock.forward(minutes=5)
    with only_worker(context):
        pull(context, context.settings.mailboxes[0])
        while ingest(context, parser):
            continue
        while deliver(context):
            continue


@pytest.mark.parametrize(
    ("checkpoint", "stored"),
    [
        pytest.param("CP-04", 0, id="CP-04 fetched"),
        pytest.param("CP-08", 0, id="CP-08 not committed"),
        pytest.param("CP-27", 4, id="CP-27 not marked"),
        pytest.param("CP-09", 4, id="CP-09 stored and marked"),
        pytest.param("CP-11", 4, id="CP-11 claimed"),
        pytest.param("CP-12", 4, id="CP-12 parsed"),
        pytest.param("CP-16", 4, id="CP-16 tickets not committed"),
        pytest.param("CP-17", 4, id="CP-17 tickets committed"),
    ],
)
def test_a_worker_that_was_killed_goes_on_where_it_was(
    work, parser, dovecot, catcher, tmp_path, clock, checkpoint, stored
):
    """D-P1 to D-P6, D-P10"""
    context, user, mails = work
    die_at(checkpoint, context, tmp_path)
    with open_session(context.engine) as session:
        assert len(session.exec(select(RawMessage)).all()) == stored

    start_again(context, clock, parser)

    with open_session(context.engine) as session:
        rows = session.exec(select(RawMessage).order_by(RawMessage.uid)).all()
        assert [raw_bytes(session, context.files, row.sha256) for row in rows] == mails
        tickets = session.exec(select(Ticket)).all()
        owed = session.exec(select(OutboxMessage)).all()
        messages = session.exec(select(InboundMessage)).all()
    assert Counter(row.outcome for row in rows) == {"ticket": 3, "duplicate": 1}
    assert len(tickets) == len(messages) == len(owed) == 3
    assert len({ticket.reference for ticket in tickets}) == 3
    assert {row.state for row in owed} == {"sent"}
    assert sorted(m.content for m in catcher.mails) == sorted(row.content for row in owed)
    assert context.files.path(sha256(mails[3]).hexdigest()).exists()
    assert not list(context.files.root.rglob("*.part"))
    with dovecot.connect(user) as connection:
        connection.select(readonly=True)
        _, [marked] = connection.uid("SEARCH", "KEYWORD", KEYWORD)
    assert marked.split() == [b"1", b"2", b"3", b"4"]
