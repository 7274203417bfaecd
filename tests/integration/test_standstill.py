"""A worker that stood still for longer than its lease (SIGSTOP) and then goes on (SIGCONT).

Another one has taken rows of it meanwhile; what it still believes to be its own is not written.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlmodel import select

from storage.columns import utc_now
from storage.database import open_session
from storage.outbox import is_suppressed
from storage.tables import InboundMessage, OutboxMessage, Prediction, RawMessage, Ticket
from storage.tickets import events_of
from tests.factories import (
    a_mail,
    a_raw_message,
    a_ticket,
    an_outbox_message,
    an_smtp_server,
    in_the_ledger,
)
from tests.rigs.fault_proxy import Fault
from triage.triager import Triage
from worker.assign import assign
from worker.deliver import deliver
from worker.ingest import ingest
from worker.parsed_message import KnownAddresses
from worker.parser_process import ParserProcess

ROOT = Path(__file__).parents[2]

# The step in a process that stops itself when the long part is done and before it writes.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from odzew.opening import open_context
from tests.integration.test_standstill import said_by
from worker.assign import assign
from worker.context import known_addresses
from worker.ingest import ingest
from worker.parser_process import ParserProcess

times = iter([True])

def stand_still():
    if next(times, False):
        os.kill(os.getpid(), signal.SIGSTOP)

class Parser(ParserProcess):
    def read_all(self, contents):
        parsed = super().read_all(contents)
        stand_still()
        return parsed

class Active:
    def get(self, session):
        return self
    def triage(self, texts):
        stand_still()
        return [said_by("stopped") for _ in texts]

if __name__ == "__main__":
    context = open_context(Path(sys.argv[2]))
    if sys.argv[1] == "ingest":
        parser = Parser(known_addresses(context.settings))
        print(ingest(context, parser))
        parser.close()
    else:
        print(assign(context, Active()))
"""


def said_by(version: str) -> Triage:
    return Triage(
        cause="damaged_in_transit",
        cause_confidence=0.9,
        urgency="normal",
        urgency_confidence=0.9,
        needs_review=False,
        level="automatic",
        causes={},
        urgencies={},
        secondary=(),
        facts=(),
        classifier=version,
    )


class Active:
    """The classifier of the worker that did not stop."""

    def get(self, _session):
        return self

    def triage(self, texts):
        return [said_by("running") for _ in texts]


@pytest.fixture
def database_url(postgres, postgres_template):
    """On SQLite one worker runs at a time."""
    name = postgres.new_database(template=postgres_template)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def context(engine, make_context, clock):
    clock.now = utc_now()  # the other process has the machine's clock
    return make_context(engine, smtp=an_smtp_server())


@pytest.fixture
def standing(context, tmp_path):
    """Starts a step in a process of its own and waits until it stands still."""
    configuration = tmp_path / "odzew.toml"
    configuration.write_text(
        f"""
        [shop]
        own_domains = ["sklep.example"]
        [database]
        url = "{context.engine.url}"
        [storage]
        path = "{context.settings.storage.path}"
        [smtp]
        host = "127.0.0.1"
        port = 25
        security = "none"
        sender = "{context.settings.smtp.sender}"
        """,
        encoding="utf-8",
    )
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    started = []

    def start(step):
        process = subprocess.Popen(
            [sys.executable, str(program), step, str(configuration)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), process.stdout.read()
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def a_message(row, ticket, now):
    return InboundMessage(
        raw_message_id=row.id,
        ticket_id=ticket.id,
        message_id="",
        fingerprint="",
        kind="person",
        from_addr="",
        from_name="",
        subject="",
        body="",
        text="Stłuczone",
        received_at=now,
    )


def go_on(process):
    """What it says in the end: how many rows it has handled."""
    process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    return said.split()[-1]


def test_ingest_does_not_commit_over_another_worker(context, standing, clock):
    rows = in_the_ledger(
        context,
        *(a_mail(date=clock.now) for _ in range(3)),
        next_attempt_at=clock.now,
        received_at=clock.now,
        fetched_at=clock.now,
    )
    process = standing("ingest")
    clock.forward(seconds=40)
    parser = ParserProcess(KnownAddresses(own_domains=("sklep.example",)))
    try:
        assert ingest(context, parser) == 1  # of a dead worker's rows one at a time
        assert ingest(context, parser) == 1
    finally:
        parser.close()
    with open_session(context.engine) as session:
        before = session.exec(select(Ticket).order_by(Ticket.id)).all()
        assert len(before) == 2

    assert go_on(process) == "1"

    with open_session(context.engine) as session:
        after = session.exec(select(Ticket).order_by(Ticket.id)).all()
        ledger = session.exec(select(RawMessage).order_by(RawMessage.id)).all()
        assert len(session.exec(select(InboundMessage)).all()) == 3
        assert len(session.exec(select(OutboxMessage)).all()) == 3
    assert [t.reference for t in after[:2]] == [t.reference for t in before]
    assert len({ticket.reference for ticket in after}) == 3
    assert [row.outcome for row in ledger] == ["ticket"] * 3
    assert [row.attempts for row in ledger] == [1, 1, 0]
    assert len({row.ticket_id for row in ledger}) == len(rows)


def test_assign_does_not_commit_over_another_worker(context, standing, clock):
    with open_session(context.engine) as session:
        session.add_all(a_ticket(next_attempt_at=clock.now) for _ in range(2))
        session.commit()
        for ticket in session.exec(select(Ticket)).all():
            session.add(row := a_raw_message(outcome="ticket", next_attempt_at=None))
            session.flush()
            session.add(a_message(row, ticket, clock.now))
        session.commit()
    process = standing("assign")
    clock.forward(seconds=40)
    assert assign(context, Active()) == 1

    assert go_on(process) == "1"

    with open_session(context.engine) as session:
        tickets = session.exec(select(Ticket).order_by(Ticket.id)).all()
        predictions = session.exec(select(Prediction).order_by(Prediction.ticket_id)).all()
    assert [ticket.classifier for ticket in tickets] == ["running", "stopped"]
    assert [p.classifier for p in predictions] == ["running", "stopped"]


@pytest.mark.usefixtures("context")
def test_deliver_does_not_write_over_another_worker(
    catcher, make_proxy, make_context, engine, clock
):
    """The first one's recipient is refused, and it hears of it when the second one has sent."""
    with open_session(engine) as session:
        session.add(ticket := a_ticket())
        session.flush()
        session.add(row := an_outbox_message(ticket, created_at=clock.now))
        session.commit()
    proxy = make_proxy(catcher.port)
    proxy.plan.append(Fault("stall", on=b"(?i)RCPT TO", seconds=1.5))
    catcher.refuse("rcpt", "550 5.1.1 no such user", times=1)
    slow = make_context(engine, smtp=an_smtp_server(port=proxy.port))
    first = threading.Thread(target=deliver, args=[slow])
    first.start()
    while b"RCPT TO" not in proxy.sent_by_client().upper():
        assert first.is_alive()
    threading.Event().wait(0.3)  # until the refusal is on its way
    clock.forward(seconds=40)
    assert deliver(make_context(engine, smtp=an_smtp_server(port=catcher.port))) == 1
    first.join()
    with open_session(engine) as session:
        after = session.get(OutboxMessage, row.id)
        assert (after.state, after.next_attempt_at, after.problem) == ("sent", None, None)
        assert not is_suppressed(session, after.recipient, now=clock.now)
        kinds = [event.kind for event in events_of(session, ticket.id)]
    assert kinds == ["acknowledgement_sent"]
    assert len(catcher.mails) == 1
