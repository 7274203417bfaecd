"""New mail is pulled when the server says so, not only at the next look (C-25)."""

import threading
import time
from dataclasses import replace

import pytest
from sqlmodel import select

from storage.columns import utc_now
from storage.database import open_session
from storage.tables import RawMessage
from tests.factories import a_mail, a_mailbox
from worker import scheduler
from worker.context import known_addresses
from worker.idle import watch
from worker.parser_process import ParserProcess
from worker.pipeline import build_steps


@pytest.fixture
def user(dovecot):
    return dovecot.new_user()


@pytest.fixture
def box(dovecot, user, tmp_path):
    secret = tmp_path / "imap-password"
    secret.write_text(dovecot.password)
    return a_mailbox(port=dovecot.imap_port, username=user, password_file=secret, poll_seconds=3600)


def test_a_new_mail_wakes_the_pull_and_the_watch_ends_with_the_worker(
    sqlite_engine, make_context, dovecot, user, box
):
    context = make_context(sqlite_engine, mailboxes=[box])
    woken = threading.Event()
    thread = watch(context, box, woken.set)
    deadline = time.monotonic() + 20
    while not woken.is_set() and time.monotonic() < deadline:
        dovecot.append(user, a_mail())  # more than one: the watch may not yet listen
        woken.wait(1)
    assert woken.is_set()
    context.stopping.set()
    thread.join(15)
    assert not thread.is_alive()


@pytest.mark.timeout(90)
def test_mail_is_stored_long_before_the_next_look(sqlite_engine, make_context, dovecot, user, box):
    context = replace(make_context(sqlite_engine, mailboxes=[box]), clock=utc_now)
    parser = ParserProcess(known_addresses(context.settings))
    running = scheduler.start(build_steps(context, parser, only=["pull"]), context)
    try:
        time.sleep(3)  # the first pull finds an empty folder; the next is an hour away
        deadline = time.monotonic() + 30
        while not stored(context) and time.monotonic() < deadline:
            dovecot.append(user, a_mail())
            time.sleep(1)
        assert stored(context)
    finally:
        assert scheduler.stop(running, context)
        parser.close()


def stored(context) -> int:
    with open_session(context.engine) as session:
        return len(session.exec(select(RawMessage)).all())
