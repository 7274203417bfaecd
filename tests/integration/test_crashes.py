"""A worker killed at each named point, then started again: nothing lost, nothing twice (D-P10).

Points of ``promises.md`` D.3 that odzew has not: CP-01 is CP-11 and CP-18 (the lease on rows),
CP-10 is CP-27 (the mark comes before the cursor), CP-13 (parsing is no state of its own). CP-03,
CP-29 and CP-30 are deaths of a connection: ``test_pull``. CP-19 and CP-25 begin and end a
connection and change nothing: ``test_deliver``, as CP-26 is. CP-34 to CP-37: ``test_retraining``
and ``test_classifier_versions``; CP-33: ``test_work``; CP-45 and CP-46: ``test_bad_luck``.

Each point is killed at on SQLite; those about the database also on PostgreSQL. ``make crashes``
(ODZEW_EVERY_CRASH=1) kills at each on both.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from sqlmodel import select

from storage.columns import utc_now
from storage.database import open_session
from storage.mail import INLINE_LIMIT, raw_bytes
from storage.tables import OutboxMessage, RawMessage, Ticket
from tests.factories import a_mail, a_mailbox, an_smtp_server
from tests.oracle import broken_promises
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
        if sys.argv[2] == "with assign":
            from models.registry import ensure_default
            from storage.database import open_session
            from worker.assign import ActiveTriager, assign
            with open_session(context.engine) as session:
                ensure_default(session, now=context.clock())
            assign(context, ActiveTriager(context.settings.storage.path, context.taxonomy))
        while deliver(context):
            continue
"""


@pytest.fixture(scope="module")
def parser():
    child = ParserProcess(KnownAddresses(own_domains=("sklep.example",)))
    yield child
    child.close()


@pytest.fixture
def work(engine, make_context, dovecot, catcher, tmp_path, clock):
    """A shop whose mailbox holds four mails, one of them twice and one of them large."""
    user = dovecot.new_user()
    secret = tmp_path / "secret"
    secret.write_text(dovecot.password)
    mailbox = a_mailbox(
        port=dovecot.imap_port, username=user, password_file=secret, after_import="keyword"
    )
    clock.now = utc_now()  # the process that is killed has the machine's clock
    context = make_context(engine, mailboxes=[mailbox], smtp=an_smtp_server(port=catcher.port))
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
        url = "{context.engine.url.render_as_string(hide_password=False)}"
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
            [
                sys.executable,
                str(program),
                str(configuration),
                "with assign" if checkpoint in ("CP-14", "CP-15") else "",
            ],
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


# What the ledger holds right after the death; and what has become of the acknowledgement in hand.
POINTS = {
    "CP-02": (0, "sent"),  # listed
    "CP-04": (0, "sent"),  # fetched
    "CP-05": (0, "sent"),  # the large one written, not synced
    "CP-06": (0, "sent"),  # synced, without its name
    "CP-07": (0, "sent"),  # named, its folder not synced
    "CP-08": (0, "sent"),  # rows not committed
    "CP-27": (4, "sent"),  # not marked on the server
    "CP-28": (4, "sent"),  # marked, the cursor not moved
    "CP-09": (4, "sent"),  # stored and marked
    "CP-11": (4, "sent"),  # claimed
    "CP-12": (4, "sent"),  # parsed
    "CP-16": (4, "sent"),  # tickets not committed
    "CP-17": (4, "sent"),  # tickets committed
    "CP-14": (4, "sent"),  # before the classifier
    "CP-15": (4, "sent"),  # classified, not committed
    "CP-18": (4, "sent"),  # a message claimed
    "CP-20": (4, "sent"),  # its recipient accepted
    "CP-21": (4, "unknown"),  # about to send
    "CP-22": (4, "unknown"),  # half sent
    "CP-23": (4, "unknown"),  # sent, the answer not read
    "CP-24": (4, "unknown"),  # taken by the server, not committed
}
ON_BOTH = ("CP-08", "CP-09", "CP-16", "CP-18", "CP-24")
EVERY = os.environ.get("ODZEW_EVERY_CRASH") == "1"


@pytest.mark.parametrize(
    ("database_url", "checkpoint"),
    [
        pytest.param(kind, point, id=f"{point} {kind}")
        for point in POINTS
        for kind in ("sqlite", "postgres")
        if kind == "sqlite" or EVERY or point in ON_BOTH
    ],
    indirect=["database_url"],
)
def test_a_worker_that_was_killed_goes_on_where_it_was(
    work, parser, dovecot, catcher, tmp_path, clock, checkpoint
):
    context, user, mails = work
    stored, fate = POINTS[checkpoint]
    die_at(checkpoint, context, tmp_path)
    with open_session(context.engine) as session:
        assert len(session.exec(select(RawMessage)).all()) == stored

    start_again(context, clock, parser)

    assert broken_promises(context, mails, [mail.content for mail in catcher.mails]) == []
    with open_session(context.engine) as session:
        rows = session.exec(select(RawMessage).order_by(RawMessage.uid)).all()
        assert [raw_bytes(session, context.files, row.sha256) for row in rows] == mails
        owed = session.exec(select(OutboxMessage)).all()
        tickets = session.exec(select(Ticket)).all()
    assert Counter(row.outcome for row in rows) == {"ticket": 3, "duplicate": 1}
    assert Counter(row.state for row in owed) == Counter([fate, "sent", "sent"])
    assert len(tickets) == 3
    # The ones whose fate is unknown lie at the customer's at most once, and are not sent again.
    assert 2 <= len(catcher.mails) <= 3
    with dovecot.connect(user) as connection:
        connection.select(readonly=True)
        _, [marked] = connection.uid("SEARCH", "KEYWORD", KEYWORD)
    assert marked.split() == [b"1", b"2", b"3", b"4"]
