"""Outbox to SMTP: the stored bytes, at most once on the wire, and a word on what became of them."""

import logging
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from config.settings import ConfigurationError
from storage.columns import utc_now
from storage.database import open_session
from storage.instance import set_paused
from storage.outbox import is_suppressed, mark_sending
from storage.tables import OutboxMessage, Ticket
from storage.tickets import events_of
from storage.work import LEASE, claim
from tests.factories import NOW, a_ticket, an_outbox_message, an_smtp_server
from tests.rigs import Fault
from tests.rigs.process import free_port
from worker import smtp
from worker.deliver import BATCH, deliver
from worker.only_worker import AnotherWorker, only_worker
from worker.smtp import ServerUnreachable

ROOT = Path(__file__).parents[2]
LATER = "450 4.2.0 try later"
NEVER = "550 5.1.1 no such user"


@pytest.fixture
def context(sqlite_engine, make_context, catcher):
    return make_context(sqlite_engine, smtp=an_smtp_server(port=catcher.port))


def in_outbox(context, number=1, **columns):
    """So many acknowledgements, each of a ticket of its own, all due."""
    with open_session(context.engine) as session:
        tickets = [a_ticket() for _ in range(number)]
        session.add_all(tickets)
        session.flush()
        rows = [an_outbox_message(ticket, **columns) for ticket in tickets]
        session.add_all(rows)
        session.commit()
    return rows


def now_of(context, row):
    with open_session(context.engine) as session:
        return session.get(OutboxMessage, row.id)


def ticket_of(context, row):
    with open_session(context.engine) as session:
        return session.get(Ticket, row.ticket_id)


def history(context, row):
    with open_session(context.engine) as session:
        return [event.kind for event in events_of(session, row.ticket_id)]


def wait_of(context, row):
    """Seconds until the next attempt; None: there will be none."""
    due = now_of(context, row).next_attempt_at
    return None if due is None else (due - context.clock()).total_seconds()


# Sent


def test_what_is_on_the_wire_is_what_was_stored(engine, make_context, catcher, clock):
    context = make_context(engine, smtp=an_smtp_server(port=catcher.port))
    [row] = in_outbox(context)
    assert deliver(context) == 1
    [mail] = catcher.mails
    assert mail.content == row.content
    assert (mail.sender, mail.recipients) == (row.sender, (row.recipient,))
    sent = now_of(context, row)
    assert (sent.state, sent.sent_at, sent.problem) == ("sent", clock.now, None)
    assert (sent.next_attempt_at, sent.claimed_until) == (None, None)
    assert ticket_of(context, row).acknowledged_at == clock.now
    assert history(context, row) == ["acknowledgement_sent"]
    assert deliver(context) == 0


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: x\r\n\r\nend\r\n",
        b"Subject: x\r\n\r\nend\r\n\r\n\r\n",
        b"Subject: x\r\n\r\n.\r\n..\r\n.\r\nMAIL FROM:<x@evil.example>\r\n",
        b"Subject: x\r\n\r\n" + b"y" * 900 + b"\r\n",
        b"Subject: x\r\n\r\n" + "zażółć".encode() + b"\r\n",
    ],
    ids=["plain", "blank lines at the end", "dots", "long line", "8 bit"],
)
def test_bytes_that_transport_likes_to_change_arrive_unchanged(context, catcher, content):
    in_outbox(context, content=content)
    deliver(context)
    [mail] = catcher.mails
    assert mail.content == content
    assert "BODY=8BITMIME" in mail.options


def test_a_batch_shares_one_connection(context, catcher):
    rows = in_outbox(context, BATCH + 5)
    assert deliver(context) == BATCH
    assert len({mail.connection for mail in catcher.mails}) == 1
    assert deliver(context) == 5
    assert [mail.content for mail in catcher.mails] == [row.content for row in rows]


def test_a_whole_mta_takes_it_and_passes_it_on(sqlite_engine, make_context, postfix, catcher):
    context = make_context(sqlite_engine, smtp=an_smtp_server(port=postfix.port))
    rows = in_outbox(context, 2)
    assert deliver(context) == 2
    assert {now_of(context, row).state for row in rows} == {"sent"}
    arrived = {mail.recipients: mail.content for mail in catcher.wait_for(2, seconds=20)}
    for row in rows:
        # It adds its trace above, and changes nothing below.
        assert arrived[(row.recipient,)].endswith(row.content)


@pytest.mark.parametrize("password", ["correct horse", "zażółć gęślą jaźń"])
def test_starttls_and_a_login_protect_the_line(
    sqlite_engine, make_context, make_catcher, certificates, tmp_path, password
):
    (tmp_path / "password").write_text(password, encoding="utf-8")
    catcher = make_catcher(tls=certificates, users={"sklep": password})
    server = an_smtp_server(
        port=catcher.port,
        security="starttls",
        ca_file=certificates.authority,
        username="sklep",
        password_file=tmp_path / "password",
    )
    context = make_context(sqlite_engine, smtp=server)
    in_outbox(context)
    deliver(context)
    [mail] = catcher.mails
    assert (mail.encrypted, mail.user) == (True, "sklep")


def test_only_one_acknowledgement_of_a_ticket_can_be_written(session):
    ticket = a_ticket()
    session.add(ticket)
    session.flush()
    session.add_all([an_outbox_message(ticket), an_outbox_message(ticket)])
    with pytest.raises(Exception, match=r"(?i)unique"):
        session.flush()


# Refused


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "message"])
def test_a_refusal_for_now_is_tried_again_later(context, catcher, stage):
    [row] = in_outbox(context)
    catcher.refuse(stage, LATER)
    deliver(context)
    after = now_of(context, row)
    assert (after.state, after.attempts, after.claimed_until) == ("waiting", 1, None)
    assert "450 4.2.0 try later" in after.problem
    assert wait_of(context, row) == 60
    assert history(context, row) == []
    context.clock.forward(seconds=60)
    deliver(context)
    assert now_of(context, row).state == "sent"
    assert [mail.content for mail in catcher.mails] == [row.content]


def test_what_a_dead_worker_held_and_the_server_refused_for_now_counts_one_attempt(
    context, catcher
):
    [row] = in_outbox(context)
    with open_session(context.engine) as session:
        claim(session, OutboxMessage, now=context.clock(), limit=BATCH)
    context.clock.forward(seconds=LEASE.total_seconds() + 1)
    catcher.refuse("rcpt", LATER)
    deliver(context)
    assert now_of(context, row).attempts == 1
    assert wait_of(context, row) == 60


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "message"])
def test_a_refusal_for_good_is_not_tried_again(context, catcher, stage):
    [row] = in_outbox(context)
    catcher.refuse(stage, NEVER)
    deliver(context)
    after = now_of(context, row)
    assert (after.state, after.next_attempt_at, after.claimed_until) == ("failed", None, None)
    assert "550 5.1.1 no such user" in after.problem
    assert history(context, row) == ["acknowledgement_failed"]
    assert ticket_of(context, row).acknowledged_at is None
    context.clock.forward(days=1)
    assert deliver(context) == 0
    assert catcher.mails == []


@pytest.mark.parametrize(
    ("stage", "suppressed"), [("rcpt", True), ("mail", False), ("data", False)]
)
def test_only_a_refused_recipient_is_suppressed_for_thirty_days(
    context, catcher, stage, suppressed
):
    """B-47, B.7"""
    [row] = in_outbox(context)
    catcher.refuse(stage, NEVER)
    deliver(context)
    with open_session(context.engine) as session:
        for days, expected in ((0, suppressed), (29, suppressed), (31, False)):
            now = NOW + timedelta(days=days)
            assert is_suppressed(session, row.recipient, now=now) is expected


def test_one_refused_message_does_not_hold_up_the_others(context, catcher):
    rows = in_outbox(context, 3)
    catcher.refuse("rcpt", NEVER, matching=rows[1].recipient)
    deliver(context)
    assert [now_of(context, row).state for row in rows] == ["sent", "failed", "sent"]


def test_a_server_that_answers_data_with_an_agreement_gets_no_message(context, catcher):
    [row] = in_outbox(context)
    catcher.refuse("data", "250 2.0.0 fine")
    with pytest.raises(ServerUnreachable, match="no SMTP reply"):
        deliver(context)
    assert (now_of(context, row).state, now_of(context, row).attempts) == ("waiting", 1)
    assert catcher.mails == []


def test_waits_between_attempts_grow_as_configured_and_then_end(context, catcher):
    """B.7"""
    catcher.refuse("message", LATER, times=99)
    [row] = in_outbox(context)
    waits = []
    while now_of(context, row).next_attempt_at is not None:
        deliver(context)
        waits.append(wait_of(context, row))
        context.clock.forward(seconds=waits[-1] or 0)
    assert waits == [60, 900, 3600, 14400, 43200, None]
    assert now_of(context, row).state == "failed"
    assert "gave up after 6 attempts" in now_of(context, row).problem


@pytest.mark.parametrize(
    ("mandatory", "state", "sent"), [(False, "failed", 0), (True, "sent", 1)], ids=["", "mandatory"]
)
def test_what_could_not_be_sent_within_a_day_is_not_sent_any_more(
    context, catcher, mandatory, state, sent
):
    """B.7: a confirmation that the law asks for is sent late."""
    [row] = in_outbox(context, mandatory=mandatory)
    context.clock.forward(hours=24, seconds=1)
    deliver(context)
    assert now_of(context, row).state == state
    assert len(catcher.mails) == sent


# No conversation


def test_a_server_that_is_down_costs_no_attempt_and_is_said_in_a_sentence(context, catcher):
    rows = in_outbox(context, 2)
    catcher.stop()
    with pytest.raises(
        ServerUnreachable, match=r"^SMTP server 127.0.0.1:\d+: .*refused"
    ) as failure:
        deliver(context)
    assert "\n" not in str(failure.value)
    for row in rows:
        after = now_of(context, row)
        assert (after.state, after.attempts, after.claimed_until) == ("waiting", 0, None)
        assert after.problem == str(failure.value)
    assert deliver(context) == 0
    catcher.start()
    context.clock.forward(seconds=30)
    assert deliver(context) == 2
    assert len(catcher.mails) == 2


@pytest.mark.parametrize("stage", ["connect", "helo", "auth", "mail", "rcpt", "data"])
def test_a_connection_dropped_before_the_message_is_tried_again(
    sqlite_engine, make_context, make_catcher, tmp_path, stage
):
    """D-P5: not one byte of the message was sent."""
    (tmp_path / "password").write_text("p")
    catcher = make_catcher(users={"sklep": "p"})
    server = an_smtp_server(
        port=catcher.port, username="sklep", password_file=tmp_path / "password"
    )
    context = make_context(sqlite_engine, smtp=server)
    [row] = in_outbox(context)
    catcher.drop(stage)
    with pytest.raises(ServerUnreachable):
        deliver(context)
    # In the middle of its conversation the message itself may be the reason, so it counts.
    counted = int(stage in ("mail", "rcpt", "data"))
    assert (now_of(context, row).state, now_of(context, row).attempts) == ("waiting", counted)
    context.clock.forward(seconds=61)
    deliver(context)
    assert now_of(context, row).state == "sent"
    assert len(catcher.mails) == 1


def test_a_message_that_ends_every_conversation_does_not_hold_up_the_others(context, catcher):
    rows = in_outbox(context, 3)
    catcher.drop("rcpt")
    with pytest.raises(ServerUnreachable):
        deliver(context)
    context.clock.forward(seconds=31)
    deliver(context)
    assert [now_of(context, row).state for row in rows] == ["waiting", "sent", "sent"]


@pytest.mark.parametrize(
    "reply",
    [
        "554 5.7.1 relay access denied",
        "553 5.7.1 sender address rejected",
        "552 5.2.2 mailbox full",
    ],
)
def test_trouble_that_is_not_the_addresss_fault_is_tried_again(context, catcher, reply):
    """B.7: only what names the address suppresses it."""
    [row] = in_outbox(context)
    catcher.refuse("rcpt", reply)
    deliver(context)
    assert now_of(context, row).state == "waiting"
    with open_session(context.engine) as session:
        assert not is_suppressed(session, row.recipient, now=context.clock())
    context.clock.forward(seconds=61)
    deliver(context)
    assert now_of(context, row).state == "sent"


def test_a_worker_that_lost_its_claim_sends_nothing(engine, make_context, catcher):
    """C-28: it stood still for longer than its lease, and another one has sent the message."""
    context = make_context(engine, smtp=an_smtp_server(port=catcher.port))
    [row] = in_outbox(context)
    with open_session(engine) as slow:
        [mine] = claim(slow, OutboxMessage, now=context.clock(), limit=1)
        context.clock.forward(seconds=LEASE.total_seconds() + 1)
        deliver(context)
        assert not mark_sending(slow, mine, now=context.clock())
    assert now_of(context, row).state == "sent"
    assert len(catcher.mails) == 1


@pytest.mark.parametrize("stage", ["connect", "helo"])
@pytest.mark.parametrize("reply", ["421 4.3.2 shutting down", "554 5.7.1 go away"])
def test_a_server_that_sends_us_away_is_unreachable(context, catcher, stage, reply):
    [row] = in_outbox(context)
    catcher.refuse(stage, reply, times=2)
    with pytest.raises(ServerUnreachable, match=reply[:3]):
        deliver(context)
    assert now_of(context, row).state == "waiting"


@pytest.mark.parametrize("password", ["wrong horse", "zły koń"])
def test_a_refused_login_is_said_in_a_sentence(
    sqlite_engine, make_context, make_catcher, tmp_path, password
):
    (tmp_path / "password").write_text(password, encoding="utf-8")
    catcher = make_catcher(users={"sklep": "right"})
    server = an_smtp_server(
        port=catcher.port, username="sklep", password_file=tmp_path / "password"
    )
    context = make_context(sqlite_engine, smtp=server)
    in_outbox(context)
    with pytest.raises(ServerUnreachable, match="refused the user name or password") as failure:
        deliver(context)
    assert password not in str(failure.value)


def test_a_missing_secret_lets_the_messages_wait(sqlite_engine, make_context, catcher):
    server = an_smtp_server(port=catcher.port, username="sklep", password_env="ODZEW_NOT_SET")
    context = make_context(sqlite_engine, smtp=server)
    [row] = in_outbox(context)
    with pytest.raises(ConfigurationError, match="ODZEW_NOT_SET"):
        deliver(context)
    after = now_of(context, row)
    assert (after.state, after.attempts, after.claimed_until) == ("waiting", 0, None)


@pytest.mark.parametrize("offers", [False, True], ids=["no STARTTLS", "wrong certificate"])
def test_a_line_that_cannot_be_protected_gets_no_password_and_no_message(
    sqlite_engine, make_context, make_catcher, make_proxy, certificates, dovecot, tmp_path, offers
):
    (tmp_path / "password").write_text("p")
    catcher = make_catcher(tls=certificates if offers else None, users={"sklep": "p"})
    proxy = make_proxy(catcher.port)
    server = an_smtp_server(
        port=proxy.port,
        security="starttls",
        ca_file=dovecot.authority,
        username="sklep",
        password_file=tmp_path / "password",
    )
    context = make_context(sqlite_engine, smtp=server)
    in_outbox(context)
    with pytest.raises(ServerUnreachable, match="certificate" if offers else "STARTTLS"):
        deliver(context)
    assert b"AUTH" not in proxy.sent_by_client()
    assert b"MAIL" not in proxy.sent_by_client()


def test_without_a_server_in_the_configuration_nothing_is_claimed(sqlite_engine, make_context):
    context = make_context(sqlite_engine)
    [row] = in_outbox(context)
    assert deliver(context) == 0
    assert now_of(context, row).claimed_until is None


def test_paused_acknowledgements_wait(context, catcher):
    [row] = in_outbox(context)
    for paused, mails in ((True, 0), (False, 1)):
        with open_session(context.engine) as session:
            set_paused(session, what="acknowledgements", paused=paused, now=context.clock())
            session.commit()
        deliver(context)
        assert len(catcher.mails) == mails
    assert now_of(context, row).state == "sent"


def test_a_clean_stop_gives_the_rest_back(context, catcher):
    rows = in_outbox(context, 3)
    context.stopping.set()
    deliver(context)
    assert [now_of(context, row).claimed_until for row in rows] == [None] * 3
    assert catcher.mails == []
    context.stopping.clear()
    deliver(context)
    assert len(catcher.mails) == 3


# Nobody knows


@pytest.mark.parametrize("accepted", [False, True], ids=["lost", "arrived"])
def test_a_connection_dropped_after_the_message_is_unknown_and_never_sent_again(
    context, catcher, accepted
):
    """D-P5"""
    [row, other] = in_outbox(context, 2)
    catcher.drop("message", accepted=accepted)
    deliver(context)
    after = now_of(context, row)
    assert (after.state, after.next_attempt_at, after.claimed_until) == ("unknown", None, None)
    assert after.problem.startswith("D-P5: SMTP server 127.0.0.1:")
    assert history(context, row) == ["acknowledgement_unknown"]
    # The other one waits for nothing but a new connection.
    assert (now_of(context, other).state, now_of(context, other).problem) == ("waiting", None)
    assert deliver(context) == 1
    context.clock.forward(hours=1)
    assert deliver(context) == 0
    assert [m.content for m in catcher.mails].count(row.content) == int(accepted)
    assert [m.content for m in catcher.mails].count(other.content) == 1


@pytest.mark.parametrize("after", [0, 1000, 5_000_000])
def test_a_connection_lost_in_the_middle_of_the_message_is_unknown(
    sqlite_engine, make_context, catcher, make_proxy, after
):
    """D-P5, CP-22: cut when so much of the body has passed."""
    proxy = make_proxy(catcher.port)
    context = make_context(sqlite_engine, smtp=an_smtp_server(port=proxy.port))
    body = b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n" * after + b"end\r\n"
    [row] = in_outbox(context, content=body)
    proxy.plan.append(Fault("rst", on=rb"y{60}", forward=False))
    deliver(context)
    assert now_of(context, row).state == "unknown"
    assert catcher.mails == []


def test_a_server_that_never_answers_the_message_is_unknown(context, catcher, monkeypatch):
    monkeypatch.setattr(smtp, "FINAL_ANSWER_SECONDS", 0.2)
    [row] = in_outbox(context)
    catcher.fall_silent("message", accepted=True)
    deliver(context)
    assert now_of(context, row).state == "unknown"
    assert len(catcher.mails) == 1


def test_a_mandatory_confirmation_is_sent_once_more_and_then_left_to_a_person(context, catcher):
    """D-P5: at least once, at most one more time, the same bytes."""
    [row] = in_outbox(context, mandatory=True)
    catcher.drop("message", accepted=True, times=9)
    deliver(context)
    assert (now_of(context, row).state, wait_of(context, row)) == ("waiting", 60)
    assert deliver(context) == 0
    context.clock.forward(minutes=1)
    deliver(context)
    assert (now_of(context, row).state, wait_of(context, row)) == ("unknown", None)
    context.clock.forward(days=1)
    assert deliver(context) == 0
    assert [mail.content for mail in catcher.mails] == [row.content] * 2
    assert history(context, row) == ["acknowledgement_sent_again", "acknowledgement_unknown"]


# The worker dies

PROGRAM = """
import sys
from pathlib import Path
from odzew.opening import open_context
from worker.deliver import deliver
from worker.only_worker import only_worker
context = open_context(Path(sys.argv[1]))
with only_worker(context):
    deliver(context)
"""


def die_at(checkpoint, context, tmp_path):
    """Run the step in a process of its own that is killed at a checkpoint, by its configuration."""
    server = context.settings.smtp
    configuration = tmp_path / "odzew.toml"
    configuration.write_text(
        f"""
        [database]
        url = "{context.engine.url}"
        [storage]
        path = "{context.settings.storage.path}"
        [smtp]
        host = "127.0.0.1"
        port = {server.port}
        security = "none"
        sender = "reklamacje@sklep.example"
        """
    )
    dead = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(configuration)],
        cwd=ROOT,
        env=os.environ | {"ODZEW_CRASH_AT": checkpoint},
        check=False,
    )
    assert dead.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("checkpoint", "arrived", "state", "in_all"),
    [
        pytest.param("CP-18", 0, "sent", 1, id="CP-18"),
        pytest.param("CP-21", 0, "unknown", 0, id="CP-21"),
        pytest.param("CP-24", 1, "unknown", 1, id="CP-24"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
def test_a_worker_killed_while_sending_never_sends_twice(
    engine, make_context, catcher, tmp_path, clock, checkpoint, arrived, state, in_all
):
    context = make_context(engine, smtp=an_smtp_server(port=catcher.port))
    # The process has the machine's clock.
    clock.now = utc_now()
    [row] = in_outbox(context, next_attempt_at=clock.now, created_at=clock.now)
    die_at(checkpoint, context, tmp_path)
    assert len(catcher.mails) == arrived

    if engine.dialect.name == "postgresql":
        assert deliver(context) == 0  # whoever holds the lease may be alive
        clock.forward(seconds=2 * LEASE.total_seconds())
    else:
        clock.forward(seconds=5)  # long before the lease ends: there is only one worker
    with only_worker(context):
        deliver(context)
        deliver(context)
    assert now_of(context, row).state == state
    assert history(context, row) == [f"acknowledgement_{state}"]
    assert [mail.content for mail in catcher.mails] == [row.content] * in_all


def test_a_second_worker_on_a_sqlite_file_is_refused_in_a_sentence(context):
    with (
        only_worker(context),
        pytest.raises(AnotherWorker, match=r"another worker is running on .*odzew\.db; stop it"),
        only_worker(context),
    ):
        pass
    with only_worker(context):  # the first one has ended
        pass


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_many_workers_share_a_postgresql_database(engine, make_context):
    context = make_context(engine)
    with only_worker(context), only_worker(context):
        pass


def test_what_happens_is_logged_without_an_address(context, catcher, caplog):
    caplog.set_level(logging.DEBUG, "worker")
    [row] = in_outbox(context)
    catcher.refuse("rcpt", f"550 5.1.1 {row.recipient} is unknown")
    deliver(context)
    [record] = [record for record in caplog.records if record.name.startswith("worker")]
    assert (record.message, record.row, record.state) == ("message handled", row.id, "failed")
    assert row.recipient not in str(vars(record))


def test_a_port_where_nobody_listens_is_unreachable(sqlite_engine, make_context):
    context = make_context(sqlite_engine, smtp=an_smtp_server(port=free_port()))
    in_outbox(context)
    with pytest.raises(ServerUnreachable, match="Connection refused"):
        deliver(context)
