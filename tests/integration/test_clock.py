"""CP-47: a clock that jumps two days ahead, or two hours and years back, while work is in hand."""

import dataclasses
import itertools
import threading
import time
from datetime import UTC, datetime, timedelta

import apscheduler.schedulers.base
import pytest
from sqlmodel import select

from config.errors import TemporaryError
from storage.alarms import open_alarm, standing_alarms
from storage.database import open_session
from storage.tables import Alarm, OutboxMessage, RawMessage, Ticket
from storage.work import claim, has_work
from tests.factories import a_mail, an_smtp_server, in_the_ledger
from tests.oracle import broken_promises
from worker import clock_watch, scheduler
from worker.deliver import deliver
from worker.ingest import ingest
from worker.parsed_message import KnownAddresses
from worker.parser_process import ParserProcess
from worker.pipeline import Runner, Step, Troubles, build_steps

AHEAD, BACK = timedelta(days=2), timedelta(hours=-2)
OWN = ("sklep.example",)


class Jumping(ParserProcess):
    """While it reads, the clock jumps."""

    def __init__(self, clock, by):
        super().__init__(KnownAddresses(own_domains=OWN))
        self._clock, self._by = clock, by

    def read_all(self, contents):
        readings = super().read_all(contents)
        self._clock.now += self._by
        self._by = timedelta(0)
        return readings


@pytest.fixture(scope="module")
def parser():
    child = ParserProcess(KnownAddresses(own_domains=OWN))
    yield child
    child.close()


@pytest.fixture
def context(engine, make_context, catcher):
    return make_context(engine, shop={"own_domains": OWN}, smtp=an_smtp_server(port=catcher.port))


def run_step(context, parser, name):
    [step] = [step for step in build_steps(context, parser) if step.name == name]
    return step.run()


def handle_all(context, parser):
    while ingest(context, parser):
        continue
    while deliver(context):
        continue


@pytest.mark.parametrize("by", [AHEAD, BACK], ids=["ahead", "back"])
def test_a_clock_that_jumps_while_mail_is_read_doubles_and_loses_nothing(
    context, catcher, clock, by
):
    mails = [a_mail(date=clock.now) for _ in range(3)]
    in_the_ledger(context, *mails)
    parser = Jumping(clock, by)
    try:
        handle_all(context, parser)
        handle_all(context, parser)
    finally:
        parser.close()
    arrived = [mail.content for mail in catcher.mails]
    assert broken_promises(context, mails, arrived) == []
    with open_session(context.engine) as session:
        assert len(session.exec(select(Ticket)).all()) == len(mails)
        terms = {ticket.due_at - ticket.received_at for ticket in session.exec(select(Ticket))}
    assert max(terms) < timedelta(days=16)  # counted from the receipt, whatever the clock says now


@pytest.mark.parametrize("at", range(1, 10))
def test_a_clock_that_jumps_while_messages_are_sent_sends_each_once_at_most(
    context, parser, catcher, clock, at
):
    """At each moment at which delivering asks what time it is."""
    mails = [a_mail(date=clock.now) for _ in range(3)]
    in_the_ledger(context, *mails)
    asked = itertools.count(1)

    def jumping():
        if next(asked) == at:
            clock.now += AHEAD
        return clock.now

    ingest(context, parser)
    deliver(dataclasses.replace(context, clock=jumping))
    assert next(asked) > at, "the clock has not jumped"
    clock.now += timedelta(minutes=5)
    handle_all(context, parser)
    arrived = [mail.content for mail in catcher.mails]
    assert len(set(arrived)) == len(arrived)
    with open_session(context.engine) as session:
        rows = session.exec(select(OutboxMessage)).all()
    # What had not been sent seems two days old, and nobody is told so late; people see it.
    assert {row.state for row in rows} <= {"sent", "failed"}
    assert {row.content for row in rows if row.state == "sent"} == set(arrived)


@pytest.mark.parametrize("back", [timedelta(hours=2), timedelta(days=3000)])
def test_work_that_a_clock_set_back_has_put_off_is_due_at_once(context, parser, clock, back):
    """A machine that booted in the year 2034, fetched mail, and then asked what time it is."""
    mails = [a_mail(date=clock.now) for _ in range(2)]
    right = clock.now
    clock.now = right + back
    in_the_ledger(context, *mails, fetched_at=clock.now, next_attempt_at=clock.now)
    with open_session(context.engine) as session:
        claim(session, RawMessage, now=clock.now, limit=1)  # by a worker that died of it
    clock.now = right
    assert ingest(context, parser) == 0
    assert run_step(context, parser, "alarms clock") >= 2
    handle_all(context, parser)
    assert run_step(context, parser, "alarms clock") == 0
    with open_session(context.engine) as session:
        assert [row.outcome for row in session.exec(select(RawMessage))] == ["ticket"] * 2
        assert [row.state for row in session.exec(select(OutboxMessage))] == ["sent"] * 2


def test_what_waits_for_its_next_attempt_is_left_alone(context, parser, clock):
    [row] = in_the_ledger(context, a_mail(date=clock.now))
    with open_session(context.engine) as session:
        row = session.get(RawMessage, row.id)
        row.attempts, row.problem = 1, "the parser did not survive this mail"
        row.next_attempt_at = due = clock.now + timedelta(minutes=30)
        session.commit()
    assert run_step(context, parser, "alarms clock") == 0
    with open_session(context.engine) as session:
        assert session.get(RawMessage, row.id).next_attempt_at == due


def test_a_step_that_failed_does_not_wait_for_a_moment_that_was_set_back(context, clock):
    outcome = [TemporaryError("the server is away"), None]
    ran = []

    def run():
        ran.append(clock.now)
        if error := outcome.pop(0):
            raise error
        return 0

    runner = Runner(Step("pull a", run, 1), context, Troubles())
    runner()
    runner()
    assert len(ran) == 1
    clock.now -= AHEAD
    runner()
    assert len(ran) == 2


def test_an_alarm_of_a_clock_that_was_set_back_is_told(context, clock):
    right, clock.now = clock.now, clock.now + timedelta(days=3000)
    with open_session(context.engine) as session:
        later = clock.now + timedelta(hours=1)
        open_alarm(session, "mailbox", "a", {"mailbox": "a"}, now=clock.now, counts_from=later)
        session.commit()
    clock.now = right
    assert run_step(context, None, "alarms clock") == 1
    with open_session(context.engine) as session:
        assert [alarm.key for alarm in standing_alarms(session, now=clock.now)] == ["a"]
        assert has_work(session, Alarm, now=clock.now)


def test_the_schedule_goes_on_when_the_clock_is_set_back(context, monkeypatch):
    shift = timedelta(0)

    class Shifted(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + shift

    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Shifted)
    monkeypatch.setattr(clock_watch, "LOOK_SECONDS", 0.1)
    ran = threading.Event()
    steps = [Step("alarms clock", lambda: ran.set() or 0, 1)]
    context = dataclasses.replace(
        context, clock=lambda: Shifted.now(UTC), stopping=threading.Event()
    )
    running = scheduler.start(steps, context)
    try:
        assert ran.wait(10)
        shift = BACK
        time.sleep(1.5)  # until APScheduler has looked at the clock
        ran.clear()
        assert ran.wait(10)
    finally:
        assert scheduler.stop(running, context)
