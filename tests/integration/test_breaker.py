"""B-L5: an hour with far more acknowledgements than usual pauses them until a person has looked."""

from datetime import timedelta

import pytest

from config.settings import Acknowledgements
from storage.database import open_session
from storage.instance import get_instance, set_paused
from storage.outbox import usual_hour
from tests.factories import NOW, a_ticket, an_outbox_message, an_smtp_server
from worker import breaker


@pytest.fixture
def context(engine, make_context):
    return make_context(engine, smtp=an_smtp_server())


def owed(context, count, *, at):
    with open_session(context.engine) as session:
        for _ in range(count):
            ticket = a_ticket()
            session.add(ticket)
            session.flush()
            session.add(an_outbox_message(ticket, created_at=at))
        session.commit()


def is_open(context):
    with open_session(context.engine) as session:
        return breaker.is_open(context, session)


def instance_of(context):
    with open_session(context.engine) as session:
        return get_instance(session)


def test_fifty_in_an_hour_are_never_unusual(context):
    owed(context, breaker.LEAST, at=NOW - timedelta(minutes=5))
    assert not is_open(context)


def test_one_more_in_a_shop_without_a_past_pauses_and_says_why(context, caplog):
    owed(context, breaker.LEAST + 1, at=NOW - timedelta(minutes=5))
    assert is_open(context)
    instance = instance_of(context)
    assert instance.acknowledgements_paused
    assert instance.pause_reason == "B-L5: 51 acknowledgements in an hour, more than 50"
    assert "acknowledgements paused by the breaker" in caplog.text
    assert is_open(context)


def test_a_busy_shop_may_send_five_times_its_usual_hour(context):
    for hour in range(2, 9):
        owed(context, 12, at=NOW - timedelta(hours=hour))
    with open_session(context.engine) as session:
        assert usual_hour(session, since=NOW - timedelta(days=30), until=NOW) == 12
    owed(context, 60, at=NOW - timedelta(minutes=5))
    assert not is_open(context)
    owed(context, 1, at=NOW - timedelta(minutes=5))
    assert is_open(context)


def test_whoever_resumes_is_not_overruled_at_once(context, clock):
    owed(context, 80, at=NOW - timedelta(minutes=5))
    assert is_open(context)
    with open_session(context.engine) as session:
        set_paused(session, what="acknowledgements", paused=False, now=clock.now)
        session.commit()
    assert not is_open(context)
    assert instance_of(context).pause_reason == ""
    clock.forward(minutes=10)
    owed(context, 51, at=clock.now)
    assert is_open(context)


def test_a_factor_of_zero_switches_it_off(engine, make_context):
    off = make_context(
        engine, smtp=an_smtp_server(), acknowledgements=Acknowledgements(breaker_factor=0)
    )
    owed(off, 500, at=NOW)
    assert not is_open(off)
