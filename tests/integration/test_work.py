"""Rows as work on both databases: claims, leases, and what failure does to a row."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlmodel import select

from config.errors import PermanentError, TemporaryError
from storage import work
from storage.database import DATABASE_DOWN, open_session
from storage.files import StorageFull
from storage.tables import OutboxMessage, RawMessage, Ticket
from storage.work import (
    LEASE,
    claim,
    count_due,
    finish,
    has_work,
    keep_lease,
    lease_of,
    release,
    release_all,
    retry_later,
    set_aside,
)
from tests.factories import a_raw_message, a_ticket
from worker.loop import MAX_ATTEMPTS, work_through


def stored(session, number=1, **columns):
    """So many ledger rows, each due one second after the one before it."""
    rows = [a_raw_message(**columns) for _ in range(number)]
    session.add_all(rows)
    session.commit()
    return rows


def uids(rows):
    return [row.uid for row in rows]


def quarantine(row, problem):
    row.outcome, row.reason = "quarantined", problem


# Claims


def test_a_row_is_claimed_once(engine, session, now):
    [row] = stored(session)
    with open_session(engine) as other:
        assert uids(claim(session, RawMessage, now=now, limit=9)) == [row.uid]
        assert claim(other, RawMessage, now=now, limit=9) == []
    assert row.claimed_until == now + LEASE
    assert row.attempts == 0


def test_the_oldest_rows_are_claimed_first(session, now):
    late, early = stored(session, next_attempt_at=now), stored(session, 2)
    for row in early:
        row.next_attempt_at = now - timedelta(hours=1)
    session.commit()
    assert uids(claim(session, RawMessage, now=now, limit=2)) == uids(early)
    assert uids(claim(session, RawMessage, now=now, limit=2)) == uids(late)


@pytest.mark.parametrize("due", [None, timedelta(seconds=1)], ids=["nothing to do", "later"])
def test_what_is_not_due_is_not_claimed(session, now, due):
    stored(session, next_attempt_at=due and now + due)
    assert claim(session, RawMessage, now=now, limit=9) == []
    assert count_due(session, RawMessage, now=now) == 0


def test_claims_of_many_workers_never_overlap(engine, session, now):
    rows = stored(session, 120)

    def take_all(_worker):
        taken = []
        with open_session(engine) as own:
            while batch := claim(own, RawMessage, now=now, limit=7):
                taken += uids(batch)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [uid for part in pool.map(take_all, range(4)) for uid in part]
    assert sorted(taken) == sorted(uids(rows))


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_rows_that_another_process_is_taking_are_skipped_not_waited_for(engine, session, now):
    first, second = stored(session, 2)
    with open_session(engine) as other:
        other.get(RawMessage, first.id, with_for_update=True)
        assert uids(claim(session, RawMessage, now=now, limit=1)) == [second.uid]


def test_a_row_that_was_in_hand_at_a_death_comes_after_those_that_were_not(session, now):
    """Else the oldest is in hand at each early death, and is set aside for it."""
    for uid, attempts in ((1, 2), (2, 0), (3, 1)):
        dead = now - timedelta(seconds=1)
        session.add(a_raw_message(uid=uid, attempts=attempts, claimed_until=dead))
    session.commit()
    taken = [claim(session, RawMessage, now=now, limit=9) for _ in range(3)]
    assert [[row.uid for row in rows] for rows in taken] == [[2], [3], [1]]


def test_rows_of_a_dead_worker_are_taken_one_at_a_time_and_counted(session, now):
    rows = stored(session, 3)
    claim(session, RawMessage, now=now, limit=9)
    fresh = stored(session)
    assert uids(claim(session, RawMessage, now=now, limit=9)) == uids(fresh)

    later = now + LEASE + timedelta(seconds=1)
    for row in rows:
        [taken] = claim(session, RawMessage, now=later, limit=9)
        assert (taken.uid, taken.attempts) == (row.uid, 1)
    [taken] = claim(session, RawMessage, now=later, limit=9)
    assert taken.uid == fresh[0].uid
    assert claim(session, RawMessage, now=later, limit=9) == []


def test_a_claim_shows_what_another_session_has_changed(engine, session, now):
    [row] = stored(session)
    with open_session(engine) as other:
        other.get(RawMessage, row.id).problem = "changed elsewhere"
        other.commit()
    [taken] = claim(session, RawMessage, now=now, limit=1)
    assert taken.problem == "changed elsewhere"


def test_a_row_that_was_written_with_nothing_to_do_is_never_due(engine, session, now):
    """SQLAlchemy writes a column's default for None, unless the column's type forbids it."""
    session.add(a_raw_message(next_attempt_at=None))
    session.commit()
    with open_session(engine) as other:
        assert other.exec(select(RawMessage.next_attempt_at)).one() is None
        assert count_due(other, RawMessage, now=now + timedelta(days=999)) == 0


# Leases


def test_a_lease_is_renewed_while_the_work_runs(engine, session, now, monkeypatch):
    monkeypatch.setattr(work, "RENEW_EVERY", 0.001)
    stored(session, 2)
    rows = claim(session, RawMessage, now=now, limit=9)
    asked = threading.Event()
    later = now + timedelta(seconds=10)

    def clock():
        asked.set()
        return later

    with keep_lease(engine, rows, clock=clock):
        assert asked.wait(10)
    for row in rows:
        session.refresh(row)
        assert row.claimed_until == later + LEASE


def test_a_row_that_is_done_is_not_claimed_again_by_the_renewal(engine, session, now, monkeypatch):
    monkeypatch.setattr(work, "RENEW_EVERY", 0.001)
    stored(session)
    rows = claim(session, RawMessage, now=now, limit=9)
    asked = threading.Event()

    def clock():
        asked.set()
        return now

    with keep_lease(engine, rows, clock=clock):
        finish(rows[0])
        session.commit()
        asked.clear()
        assert asked.wait(10)
    session.refresh(rows[0])
    assert rows[0].claimed_until is None


def test_the_lease_of_no_rows_needs_no_thread(engine, now):
    before = threading.active_count()
    with keep_lease(engine, [], clock=lambda: now):
        assert threading.active_count() == before


def test_what_a_dead_worker_held_is_freed_at_once_on_request(session, now):
    stored(session, 2)
    waiting = a_ticket(next_attempt_at=now)
    session.add(waiting)
    session.commit()
    claim(session, RawMessage, now=now, limit=9)
    claim(session, Ticket, now=now, limit=9)
    release_all(session, (RawMessage, Ticket, OutboxMessage), now=now)
    assert [row.attempts for row in claim(session, RawMessage, now=now, limit=9)] == [1]
    assert [row.attempts for row in claim(session, Ticket, now=now, limit=9)] == [1]


# A worker that stood still for longer than its lease


@pytest.fixture
def lost_row(engine, session, now):
    """Three rows that a worker has claimed; while it stood still another one took the first."""
    stored(session, 3)
    rows = claim(session, RawMessage, now=now, limit=9)
    lease = lease_of(rows)
    with open_session(engine) as other:
        [taken] = claim(other, RawMessage, now=now + LEASE + timedelta(seconds=1), limit=9)
    assert taken.id == rows[0].id
    return rows, lease, taken


@pytest.mark.parametrize(
    "error",
    [None, TemporaryError("busy"), PermanentError("no"), KeyError("x")],
    ids=["done", "temporary", "permanent", "bug"],
)
def test_what_another_worker_has_taken_is_not_written(
    engine, session, now, lost_row, caplog, error
):
    rows, lease, taken = lost_row
    do = marking(rows[0].uid if error else None, error)
    handled = work_through(session, rows, do, lease=lease, clock=lambda: now, give_up=quarantine)
    assert handled == 2
    with open_session(engine) as other:
        first, *rest = other.exec(select(RawMessage).order_by(RawMessage.id)).all()
    assert (first.outcome, first.attempts, first.problem) == ("pending", 1, None)
    assert (first.claimed_by, first.claimed_until) == (taken.claimed_by, taken.claimed_until)
    assert [row.outcome for row in rest] == ["automatic"] * 2
    [record] = [record for record in caplog.records if record.getMessage() == "claim lost"]
    assert (record.table, record.count) == ("raw_message", 1)


def test_a_row_that_died_too_often_is_not_set_aside_over_another_worker(
    engine, session, now, lost_row
):
    rows, lease, taken = lost_row
    rows[0].attempts = MAX_ATTEMPTS
    assert (
        work_through(
            session, rows[:1], marking(), lease=lease, clock=lambda: now, give_up=quarantine
        )
        == 0
    )
    with open_session(engine) as other:
        row = other.get(RawMessage, taken.id)
    assert (row.outcome, row.claimed_by) == ("pending", taken.claimed_by)


def test_what_another_worker_has_taken_is_not_given_back(engine, session, now, lost_row):
    rows, lease, taken = lost_row
    away = DATABASE_DOWN[0]("SELECT 1", {}, Exception("gone"))
    with pytest.raises(DATABASE_DOWN[0]):
        work_through(
            session,
            rows,
            marking(rows[0].uid, away),
            lease=lease,
            clock=lambda: now,
            give_up=quarantine,
        )
    with open_session(engine) as other:
        first, *rest = other.exec(select(RawMessage).order_by(RawMessage.id)).all()
    assert first.claimed_by == taken.claimed_by
    assert [row.claimed_by for row in rest] == [None, None]


def test_a_lease_that_ran_out_and_was_taken_by_nobody_still_holds(session, now):
    stored(session, 2)
    rows = claim(session, RawMessage, now=now, limit=9)
    assert through(session, rows, marking(), now + 10 * LEASE) == 2
    assert {row.outcome for row in rows} == {"automatic"}


def test_the_renewal_leaves_the_rows_of_another_worker_alone(engine, now, lost_row, monkeypatch):
    monkeypatch.setattr(work, "RENEW_EVERY", 0.001)
    rows, _lease, taken = lost_row
    asked, later = threading.Semaphore(0), now + timedelta(seconds=10)

    def clock():
        asked.release()
        return later

    with keep_lease(engine, rows, clock=clock):
        assert all(asked.acquire(timeout=10) for _ in range(2))
    with open_session(engine) as other:
        until = [row.claimed_until for row in other.exec(select(RawMessage).order_by("id"))]
    assert until == [taken.claimed_until, later + LEASE, later + LEASE]


def test_there_is_work_when_a_row_is_due_and_nobody_living_has_it(session, now):
    assert not has_work(session, RawMessage, now=now)
    stored(session, next_attempt_at=now + timedelta(seconds=1))
    assert not has_work(session, RawMessage, now=now)
    later = now + timedelta(seconds=1)
    assert has_work(session, RawMessage, now=later)
    claim(session, RawMessage, now=later, limit=9)
    assert not has_work(session, RawMessage, now=later)
    assert has_work(session, RawMessage, now=later + LEASE + timedelta(seconds=1))


# What becomes of a row


def test_a_clean_stop_gives_rows_back_as_they_were(session, now):
    stored(session)
    [row] = claim(session, RawMessage, now=now, limit=1)
    release(row)
    session.commit()
    [again] = claim(session, RawMessage, now=now, limit=1)
    assert again.attempts == 0


@pytest.mark.parametrize(
    ("change", "due", "problem"),
    [
        pytest.param(finish, False, None, id="finished"),
        pytest.param(lambda row: set_aside(row, problem="no"), False, "no", id="set aside"),
        pytest.param(
            lambda row: retry_later(row, at=row.next_attempt_at, problem="busy"),
            True,
            "busy",
            id="later",
        ),
    ],
)
def test_a_closed_row_is_due_again_only_when_it_was_put_back(session, now, change, due, problem):
    stored(session, problem="before")
    [row] = claim(session, RawMessage, now=now, limit=1)
    change(row)
    session.commit()
    session.refresh(row)
    assert (row.claimed_until, row.problem) == (None, problem)
    assert count_due(session, RawMessage, now=now) == int(due)


# Batches


def claimed(session, number, now):
    stored(session, number)
    return claim(session, RawMessage, now=now, limit=number)


def through(session, rows, do, now):
    return work_through(
        session, rows, do, lease=lease_of(rows), clock=lambda: now, give_up=quarantine
    )


def marking(bad=None, error=None):
    """Work that writes an outcome on each row and fails over one of them, after the others."""

    def do(rows):
        for row in rows:
            row.outcome = "automatic"
        for row in rows:
            if row.uid == bad:
                raise error

    return do


def test_a_batch_is_done_in_one_call_and_one_commit(engine, session, now):
    rows = claimed(session, 5, now)
    calls = []
    assert through(session, rows, calls.append, now) == 5
    assert calls == [rows]
    with open_session(engine) as other:
        assert count_due(other, RawMessage, now=now) == 0


@pytest.mark.parametrize(
    ("error", "due", "outcome", "problem"),
    [
        pytest.param(TemporaryError("busy"), True, "pending", "busy", id="temporary"),
        pytest.param(PermanentError("no"), False, "quarantined", "no", id="permanent"),
        pytest.param(KeyError("x"), True, "pending", "bug: KeyError: 'x'", id="bug"),
    ],
)
def test_a_bad_row_spoils_nothing_but_itself(session, now, error, due, outcome, problem):
    rows = claimed(session, 4, now)
    bad = rows[1]
    assert through(session, rows, marking(bad.uid, error), now) == 4
    for row in rows:
        session.refresh(row)
    assert [row.outcome for row in rows if row is not bad] == ["automatic"] * 3
    assert (bad.outcome, bad.problem, bad.attempts) == (outcome, problem, 1)
    assert (bad.next_attempt_at is not None) is due
    assert all(row.claimed_until is None for row in rows)


def test_a_temporary_failure_comes_back_later_each_time_and_then_not_at_all(session, now):
    [row] = claimed(session, 1, now)
    waits = []
    while row.next_attempt_at is not None:
        through(session, [row], marking(row.uid, TemporaryError("busy")), now)
        waits.append(row.next_attempt_at and (row.next_attempt_at - now).total_seconds())
    assert waits == [30, 60, None]
    assert (row.outcome, row.attempts) == ("quarantined", MAX_ATTEMPTS)


@pytest.mark.parametrize(
    ("error", "attempts"), [(TemporaryError("busy"), 1), (StorageFull("full"), 0)]
)
def test_what_a_dead_worker_held_and_the_next_one_failed_over_counts_once(
    session, now, error, attempts
):
    """Taking it was the attempt; and none where the disk was to blame."""
    claimed(session, 1, now)
    now += LEASE + timedelta(seconds=1)
    [row] = claim(session, RawMessage, now=now, limit=9)
    assert row.attempts == 1
    with suppress(StorageFull):
        through(session, [row], marking(row.uid, error), now)
    assert (row.attempts, row.claimed_until) == (attempts, None)


def test_a_bug_is_logged_in_full_and_an_expected_failure_is_not(session, now, caplog):
    caplog.set_level(logging.INFO)
    [row] = claimed(session, 1, now)
    through(session, [row], marking(row.uid, TemporaryError("busy")), now)
    assert not caplog.records
    through(session, [row], marking(row.uid, KeyError("x")), now)
    [record] = caplog.records
    assert (record.getMessage(), record.levelname) == ("unexpected error", "ERROR")
    assert record.exc_info[0] is KeyError


def test_a_row_over_which_the_worker_died_three_times_is_set_aside_untouched(session, now):
    stored(session)
    deaths = 0
    while rows := claim(session, RawMessage, now=now, limit=9):
        if rows[0].attempts >= MAX_ATTEMPTS:
            break
        deaths += 1
        now += LEASE + timedelta(seconds=1)
    assert deaths == 3
    calls = []
    through(session, rows, calls.append, now)
    assert (rows[0].outcome, rows[0].next_attempt_at) == ("quarantined", None)
    assert rows[0].reason == "the worker died over it 3 times"
    assert calls == []


@pytest.mark.parametrize(
    "error",
    [DATABASE_DOWN[0]("SELECT 1", {}, Exception("gone")), StorageFull("no space")],
    ids=["database", "disk"],
)
def test_a_database_or_disk_that_is_away_is_no_fault_of_the_row(session, now, error):
    rows = claimed(session, 2, now)
    with pytest.raises(type(error)):
        through(session, rows, marking(rows[0].uid, error), now)
    for row in rows:
        session.refresh(row)
        assert (row.outcome, row.attempts, row.claimed_until) == ("pending", 0, None)


def test_a_row_that_another_process_made_superfluous_is_taken_again_at_once(
    engine, session, now, caplog
):
    """Two workers read the same mail at once: the unique key refuses the second one's ticket."""
    [row] = claimed(session, 1, now)
    attempts = []

    def do(rows):
        attempts.append(rows)
        if len(attempts) == 1:
            with open_session(engine) as other:
                other.add(a_ticket(fingerprint="the same"))
                other.commit()
            session.add(a_ticket(fingerprint="the same"))
            session.flush()
        rows[0].outcome = "duplicate"

    through(session, [row], do, now)
    assert len(attempts) == 2
    assert (row.outcome, row.attempts, row.next_attempt_at) == ("duplicate", 0, None)
    assert not caplog.records


def test_the_report_of_a_failed_statement_shows_no_personal_data(session, now, caplog):
    [row] = claimed(session, 1, now)

    def do(_rows):
        session.add(a_ticket(requester_addr="anna@klient.example", status="no such status"))
        session.flush()

    through(session, [row], do, now)
    assert "ck_ticket_status_is_known" in row.problem
    assert "anna@klient.example" not in row.problem + caplog.text
