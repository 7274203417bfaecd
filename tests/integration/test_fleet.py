"""What the nodes of a fleet share on PostgreSQL; whole nodes are in ``acceptance/test_fleet``."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from time import monotonic

import psycopg
import pytest
import time_machine
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel, select

from config.settings import Settings
from odzew.doctor import fleet_findings
from storage.columns import utc_now
from storage.database import open_database, open_session
from storage.fleet import (
    ALIVE,
    NoFleet,
    driver_connection,
    failures_of,
    forget,
    make_queue,
    next_tick,
    nodes,
    queue_address,
    require_fleet,
    say_alive,
    set_failures,
)
from storage.tables import FleetNode, FleetTick, RawMessage, Ticket
from storage.tickets import open_ticket, reserve_references
from tests.factories import a_mailbox, a_raw_message, a_ticket
from worker import fleet, wakeups
from worker.parsed_message import KnownAddresses
from worker.parser_process import ParserProcess
from worker.pipeline import Step, build_steps
from worker.wakeups import Desk, WakeUps, queue_definition

HOUR = 3600


@pytest.fixture
def database_url(postgres, postgres_template):
    """A fleet needs PostgreSQL."""
    name = postgres.new_database(template=postgres_template)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def queue(engine):
    make_queue(engine, queue_definition())
    return engine


def ticked(engine, step="ingest", every=HOUR):
    """Whether this caller got the tick; another period is another tick."""
    with next_tick(engine, step, every=every) as connection:
        return connection is not None


def wait_for(condition, seconds=20.0):
    pause, end = threading.Event(), monotonic() + seconds
    while not condition():
        assert monotonic() < end, "waited in vain"
        pause.wait(0.02)


# The schema


def test_the_queue_is_made_once_however_many_nodes_start_together(engine):
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(make_queue, engine, queue_definition()) for _ in range(3)]:
            done.result()
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO odzew_fleet.procrastinate_workers DEFAULT VALUES"))
    make_queue(engine, queue_definition())
    with engine.connect() as connection:
        kept = connection.execute(
            text("SELECT count(*) FROM odzew_fleet.procrastinate_workers")
        ).scalar()
        assert kept == 1
        # Alembic neither sees it nor would remove it.
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_another_version_replaces_the_queue_but_not_under_the_feet_of_a_node(queue):
    other = queue_definition() + "\nCREATE TABLE procrastinate_news (id integer);"
    say_alive(queue, "old", ["ingest"])
    with pytest.raises(NoFleet, match="1 nodes of another version are running"):
        make_queue(queue, other)
    forget(queue, "old")
    make_queue(queue, other)
    with queue.connect() as connection:
        connection.execute(text("SELECT id FROM odzew_fleet.procrastinate_news"))


def test_a_user_who_may_not_make_a_schema_is_told_so(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE weak LOGIN"))
        connection.execute(text("GRANT SELECT ON fleet_node TO weak"))
    weak = open_database(engine.url.set(username="weak").render_as_string(hide_password=False))
    try:
        with pytest.raises(NoFleet, match=r"permission denied.*GRANT CREATE ON DATABASE"):
            make_queue(weak, queue_definition())
    finally:
        weak.dispose()
        with engine.begin() as connection:
            connection.execute(text("DROP OWNED BY weak"))
            connection.execute(text("DROP ROLE weak"))


def test_a_fleet_needs_postgresql():
    with pytest.raises(NoFleet, match=r"needs PostgreSQL.*odzew worker"):
        require_fleet(open_database("sqlite:///nowhere.db"))


def test_a_machine_whose_clock_is_wrong_is_refused(engine):
    require_fleet(engine)
    with (
        time_machine.travel(utc_now() + timedelta(seconds=40), tick=False),
        pytest.raises(NoFleet, match=r"differ by (39|40) s"),
    ):
        require_fleet(engine)


def test_a_machine_without_power_is_noticed_by_the_database(engine):
    """Else its locks would stay for the two hours of TCP's own keepalives."""
    with engine.connect() as ours, psycopg.connect(queue_address(engine)) as queue:
        for connection in (driver_connection(ours), queue):
            times = [
                connection.execute(f"SHOW tcp_keepalives_{name}").fetchone()[0]
                for name in ("idle", "interval", "count")
            ]
            assert times == ["5", "5", "2"]
        assert queue.execute("SHOW search_path").fetchone() == ("odzew_fleet",)


# Ticks


def test_each_tick_is_given_to_one_of_many(queue):
    with ThreadPoolExecutor(4) as pool:
        took = list(pool.map(lambda _: ticked(queue), range(12)))
    assert Counter(took) == {True: 1, False: 11}


def test_each_second_has_one_tick(queue):
    end = monotonic() + 2.2

    def look(_node):
        took = 0
        while monotonic() < end:
            took += ticked(queue, every=1)
        return took

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(look, range(3))) in (2, 3, 4)


def test_a_tick_that_could_not_be_put_into_the_queue_is_not_lost(queue):
    with suppress(KeyError), next_tick(queue, "ingest", every=HOUR) as connection:
        assert connection is not None
        raise KeyError("a bug")
    assert ticked(queue)


def test_a_clock_that_was_set_back_stops_nothing(queue):
    assert ticked(queue)
    with open_session(queue) as session:
        session.get(FleetTick, "ingest").tick += 48
        session.commit()
    assert ticked(queue)
    assert not ticked(queue)


def test_while_a_wake_up_waits_there_is_no_tick(queue):
    sender = WakeUps(queue_address(queue), [], {}, trouble=print)
    with next_tick(queue, "ingest", every=HOUR) as connection:
        sender.put("ingest", alone=False, connection=driver_connection(connection))
    assert not ticked(queue, every=HOUR // 2)
    with queue.begin() as connection:
        connection.execute(text("SET LOCAL search_path TO odzew_fleet"))
        connection.execute(text("DELETE FROM procrastinate_jobs"))
    assert ticked(queue, every=HOUR // 2)


def test_failures_are_known_to_all_nodes_and_hold_the_ticks_back(queue):
    assert ticked(queue)
    with open_session(queue) as session:
        set_failures(session, "ingest", 2, wait=timedelta(hours=1))
        assert failures_of(session, "ingest") == 2
        assert failures_of(session, "never run") == 0
    assert not ticked(queue, every=HOUR // 2)
    with open_session(queue) as session:
        set_failures(session, "ingest", 0, wait=timedelta(hours=1))
    assert ticked(queue, every=HOUR // 2)


# Who is alive


def test_a_node_is_alive_while_it_says_so(engine):
    say_alive(engine, "one", ["pull reklamacje", "ingest"])
    say_alive(engine, "two", ["assign"])
    with open_session(engine) as session:
        session.get(FleetNode, "two").seen_at -= ALIVE + timedelta(seconds=1)
        session.commit()
        assert [(n.name, n.steps, n.alive) for n in nodes(session)] == [
            ("one", ("pull reklamacje", "ingest"), True),
            ("two", ("assign",), False),
        ]
    say_alive(engine, "two", ["assign"])
    forget(engine, "one")
    with open_session(engine) as session:
        assert [(n.name, n.alive) for n in nodes(session)] == [("two", True)]


def test_a_node_that_is_long_dead_is_forgotten(engine):
    say_alive(engine, "old", ["assign"])
    with open_session(engine) as session:
        session.get(FleetNode, "old").seen_at -= timedelta(days=2)
        session.commit()
    say_alive(engine, "new", ["assign"])
    with open_session(engine) as session:
        assert [node.name for node in nodes(session)] == ["new"]


def test_doctor_says_how_many_nodes_are_alive_and_what_nobody_does(engine):
    settings = Settings(mailboxes=[a_mailbox(name="reklamacje")])
    assert list(fleet_findings(settings, engine)) == []
    say_alive(engine, "one", ["pull reklamacje", "ingest"])
    say_alive(engine, "two", ["deliver", "alarms"])
    [finding] = fleet_findings(settings, engine)
    assert (finding.ok, finding.found) == (False, "2 nodes are alive; nobody does: assign")
    say_alive(engine, "three", ["assign"])
    [finding] = fleet_findings(settings, engine)
    assert (finding.ok, finding.found) == (True, "3 nodes are alive")
    with open_session(engine) as session:
        session.get(FleetNode, "three").seen_at -= timedelta(minutes=1)
        session.commit()
    [finding] = fleet_findings(settings, engine)
    assert not finding.ok
    assert "2 nodes are alive, 1 died within a day" in finding.found


# Wake-ups


@pytest.fixture
def a_node(queue, monkeypatch):
    """Starts one end of the queue that notes which steps it has run."""
    for name in ("RESCUE_EVERY", "AGAIN_AFTER"):
        monkeypatch.setattr(wakeups, name, 0.05)
    monkeypatch.setattr(wakeups, "CONNECT_WITHIN", 1.0)
    started = []

    def make(*names, run=lambda: None):
        ran, troubles = [], []

        def step(name):
            ran.append(name)
            run()

        node = WakeUps(
            queue_address(queue),
            [Desk([name], 1, 0.05) for name in names],
            {name: (lambda name=name: step(name)) for name in names},
            trouble=troubles.append,
        )
        node.start()
        started.append(node)
        return node, ran, troubles

    yield make
    for node in started:
        node.stop()


def wake(engine, node, name, *, alone=False):
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL search_path TO odzew_fleet, public"))
        node.put(name, alone=alone, connection=driver_connection(connection))


def test_a_node_takes_only_what_it_does(queue, a_node):
    """``--steps``"""
    one, ran, _ = a_node("ingest")
    _, other_ran, _ = a_node("assign")
    wake(queue, one, "ingest")
    wake(queue, one, "assign")
    wait_for(lambda: ran and other_ran)
    assert (ran, other_ran) == (["ingest"], ["assign"])


def test_a_step_that_runs_alone_does_not_run_on_two_nodes(queue, a_node):
    go_on = threading.Event()
    one, ran, _ = a_node("pull a", run=lambda: go_on.wait(10))
    _, other_ran, _ = a_node("pull a", run=lambda: go_on.wait(10))
    wake(queue, one, "pull a", alone=True)
    wait_for(lambda: ran or other_ran)
    wake(queue, one, "pull a", alone=True)
    threading.Event().wait(0.3)
    assert len(ran + other_ran) == 1
    go_on.set()
    wait_for(lambda: len(ran + other_ran) == 2)


def left_behind(engine, step):
    """A wake-up that a node had in hand when it died."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL search_path TO odzew_fleet, public"))
        worker = connection.execute(
            text(
                "INSERT INTO procrastinate_workers (last_heartbeat) "
                "VALUES (now() - interval '1 hour') RETURNING id"
            )
        ).scalar()
        connection.execute(
            text(
                "INSERT INTO procrastinate_jobs "
                "(queue_name, task_name, lock, queueing_lock, status, worker_id) "
                "SELECT step, step, step, step, 'doing', :worker FROM (SELECT :step AS step) AS s"
            ),
            {"step": step, "worker": worker},
        )


def jobs(engine):
    with engine.connect() as connection:
        return connection.execute(
            text("SELECT count(*) FROM odzew_fleet.procrastinate_jobs")
        ).scalar()


@pytest.mark.parametrize("successor", [False, True], ids=["none waits", "the next one waits"])
def test_what_a_dead_node_had_in_hand_is_done_by_another(queue, a_node, caplog, successor):
    left_behind(queue, "pull a")
    if successor:
        sender = WakeUps(queue_address(queue), [], {}, trouble=print)
        wake(queue, sender, "pull a", alone=True)
    _, ran, _ = a_node("pull a")
    wait_for(lambda: ran and jobs(queue) == 0)
    assert ran == ["pull a"]
    assert [r.step for r in caplog.records if r.getMessage() == "wake-up of a dead node"] == [
        "pull a"
    ]


def test_a_node_that_was_taken_for_dead_goes_on_under_another_number(queue, a_node):
    node, ran, troubles = a_node("ingest")
    wait_for(lambda: None in troubles)
    with queue.begin() as connection:
        connection.execute(text("DELETE FROM odzew_fleet.procrastinate_workers"))
    wake(queue, node, "ingest")
    wait_for(lambda: ran)
    assert ran == ["ingest"]
    assert set(troubles) == {None}


def test_an_end_that_did_not_reach_the_database_is_told_again(queue, postgres, a_node):
    """Else the mailbox would stay locked as long as its node lives."""
    go_on = threading.Event()
    node, ran, troubles = a_node("pull a", run=lambda: go_on.wait(10))
    wake(queue, node, "pull a", alone=True)
    wait_for(lambda: ran)
    postgres.stop()
    go_on.set()
    wait_for(lambda: any(troubles))
    postgres.start()
    wait_for(lambda: jobs(queue) == 0)
    wake(queue, node, "pull a", alone=True)
    wait_for(lambda: len(ran) == 2)


# A whole node in this process


def test_a_node_runs_its_steps_and_says_farewell(engine, make_context):
    context = make_context(engine)
    ran = threading.Event()
    quiet = Step("never", lambda: 1 / 0, 1, is_due=lambda: False)
    node = fleet.start([Step("often", lambda: ran.set() or 0, 1), quiet], context)
    try:
        assert ran.wait(10)
        with open_session(engine) as session:
            [seen] = nodes(session)
        assert (seen.name, seen.steps, seen.alive) == (node.name, ("often", "never"), True)
    finally:
        assert fleet.stop(node, context)
    with open_session(engine) as session:
        assert nodes(session) == []
        assert session.exec(select(FleetTick.step)).all() == ["often"]


def test_an_idle_fleet_writes_nothing_for_the_steps_that_work_through_rows(
    engine, make_context, clock
):
    context = make_context(engine)
    parser = ParserProcess(KnownAddresses())
    due = {step.name: step.is_due for step in build_steps(context, parser)}
    assert not any(due[name]() for name in ("ingest", "assign", "deliver"))
    with open_session(engine) as session:
        session.add(a_raw_message())
        session.commit()
        assert due["ingest"]()
        session.delete(session.exec(select(RawMessage)).one())
        session.add(a_ticket(acknowledgement_wanted_at=clock.now))
        session.commit()
        assert due["ingest"]()
        assert not due["assign"]()
        session.exec(select(Ticket)).one().next_attempt_at = clock.now
        session.commit()
        assert due["assign"]()


def test_refused_logins_are_counted_over_all_nodes(engine, make_context):
    """C-27: each node alone would try three times."""
    context = make_context(engine)

    def refuse():
        raise LookupError("refused")

    step = Step("pull a", refuse, 1, one_at_a_time=True)
    node = fleet.start([step], context)
    try:
        wait_for(lambda: _failures(engine) >= 2)
    finally:
        fleet.stop(node, context)
    with open_session(engine) as session:
        row = session.get(FleetTick, "pull a")
        assert row.not_before > utc_now() - timedelta(seconds=5)


def _failures(engine):
    with open_session(engine) as session:
        return failures_of(session, "pull a")


# Ticket numbers


def test_a_batch_that_is_not_yet_committed_holds_up_nobodys_ticket_numbers(engine, session, now):
    with open_session(engine) as other:
        first = reserve_references(other, year=now.year, count=2)
        open_ticket(other, a_ticket(reference=next(first)))
        other.flush()
        second = reserve_references(session, year=now.year, count=1)
        assert list(second) == ["ODZ-2026-000003"]
        other.rollback()
    assert list(reserve_references(session, year=now.year, count=0)) == []
    assert list(reserve_references(session, year=now.year, count=1)) == ["ODZ-2026-000004"]


def test_no_ticket_number_is_given_twice(engine):
    def reserve(_worker):
        given = []
        with open_session(engine) as session:
            for count in (1, 7, 100):
                given += reserve_references(session, year=2026, count=count)
        return given

    with ThreadPoolExecutor(4) as pool:
        given = [reference for part in pool.map(reserve, range(4)) for reference in part]
    assert len(set(given)) == len(given) == 4 * 108
