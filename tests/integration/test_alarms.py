"""Alarms, told by a real webhook and a real mail server: once each, and once more when over."""

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from sqlmodel import select

from config.settings import Alerts, ConfigurationError
from storage.alarms import close_alarms, open_alarm, standing_alarms
from storage.database import open_session
from storage.instance import get_instance, set_paused
from storage.mail import find_cursor
from storage.tables import (
    Alarm,
    ClassifierVersion,
    MailboxCursor,
    OutboxMessage,
    RawMessage,
    TicketEvent,
    WithheldMessage,
)
from storage.work import LEASE
from tests.factories import NOW, a_mail, a_mailbox, a_raw_message, a_ticket, an_outbox_message
from tests.rigs.process import free_port
from worker import alarm_channels, alarms
from worker.acknowledgement import verify_loop_header
from worker.alarm_channels import ChannelFailed, tell_of_alarms, webhook_url
from worker.alarms import look_for_alarms, usual_gap
from worker.imap import MailboxUnreachable
from worker.pipeline import run_once
from worker.pull import pull

WEBHOOK_ENV = "ODZEW_TEST_WEBHOOK"
LEAD = "kierownik@sklep.example"


class Receiver:
    """A webhook on loopback that keeps what it is told, and answers as a test plans it."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        self.answers: list[int] = []
        self.meanwhile: list[Callable[[], object]] = []  # done before an answer is given
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                while receiver.meanwhile:
                    receiver.meanwhile.pop()()
                answer = receiver.answers.pop(0) if receiver.answers else 204
                if 200 <= answer < 300:
                    receiver.told.append(json.loads(body))
                self.send_response(answer)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:  # where a redirect would lead
                receiver.told.append({"event": "a redirect was followed"})

            def log_message(self, *_: object) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/a-secret-path"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver(monkeypatch):
    receiver = Receiver()
    monkeypatch.setenv(WEBHOOK_ENV, receiver.url)
    yield receiver
    receiver.close()


def mail_alerts(port, *, to=(LEAD,), webhook=""):
    smtp = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "odzew@alarm.example"}
    return Alerts.model_validate({"smtp": smtp, "to": list(to), "webhook_env": webhook})


@pytest.fixture
def make_shop(make_context):
    """A context in which nothing is wrong: a classifier, no mailbox unless a test names one."""

    def make(engine, **sections):
        context = make_context(engine, **sections)
        store(
            context,
            ClassifierVersion(version="a", state="active", shipped=True, manifest_sha256=""),
        )
        return context

    return make


@pytest.fixture
def shop(sqlite_engine, make_shop, receiver):  # noqa: ARG001 - it must be there
    """Told by the webhook alone."""
    return make_shop(sqlite_engine, alerts=Alerts(webhook_env=WEBHOOK_ENV))


def store(context, *rows):
    with open_session(context.engine) as session:
        session.add_all(rows)
        session.commit()
    return rows


def quarantined(context, **columns):
    every = {"outcome": "quarantined", "reason": "it died", "next_attempt_at": None} | columns
    [row] = store(context, a_raw_message(**every))
    return row


def change(context, table, **columns):
    """Change every row of a table."""
    with open_session(context.engine) as session:
        for row in session.exec(select(table)):
            for name, value in columns.items():
                setattr(row, name, value)
            session.add(row)
        session.commit()


def every_alarm(context):
    with open_session(context.engine) as session:
        return list(session.exec(select(Alarm).order_by(Alarm.id)))


def standing(context):
    """The kinds of alarms that count now."""
    look_for_alarms(context)
    with open_session(context.engine) as session:
        return [alarm.kind for alarm in standing_alarms(session, now=context.clock())]


def look_and_tell(context):
    look_for_alarms(context)
    return tell_of_alarms(context)


# Told once, and when it is over


def test_each_quarantined_mail_is_told_once_and_when_it_is_over(engine, make_shop, receiver, clock):
    shop = make_shop(engine, alerts=Alerts(webhook_env=WEBHOOK_ENV))
    first, second = quarantined(shop), quarantined(shop)
    assert look_and_tell(shop) == 2
    for _ in range(3):
        clock.forward(minutes=1)
        assert look_and_tell(shop) == 0
    with open_session(shop.engine) as session:
        session.get(RawMessage, first.id).outcome = "ticket"
        session.commit()
    clock.forward(minutes=1)
    assert look_and_tell(shop) == 1
    assert look_and_tell(shop) == 0
    said = [(told["event"], told["state"], told["at"]) for told in receiver.told]
    assert said == [
        ("message_quarantined", "open", "2026-03-02T08:00:00+00:00"),
        ("message_quarantined", "open", "2026-03-02T08:00:00+00:00"),
        ("message_quarantined", "closed", "2026-03-02T08:04:00+00:00"),
    ]
    assert receiver.told[0]["detail"] == receiver.told[2]["detail"]
    assert f"Message {second.id} " in receiver.told[1]["detail"]
    with open_session(shop.engine) as session:
        shop_id = get_instance(session).shop_id
    assert {told["installation"] for told in receiver.told} == {f"Sklep Przykładny ({shop_id})"}
    assert {key for told in receiver.told for key in told} == {
        *("event", "state", "detail", "at", "installation")
    }


def test_what_comes_back_is_told_anew(shop, receiver):
    quarantined(shop)
    look_and_tell(shop)
    change(shop, RawMessage, outcome="pending")
    look_and_tell(shop)
    change(shop, RawMessage, outcome="quarantined")
    look_and_tell(shop)
    assert [told["state"] for told in receiver.told] == ["open", "closed", "open"]


def test_one_open_alarm_for_each_key_whoever_looks(engine):
    with open_session(engine) as one, open_session(engine) as other:
        asked = {"kind": "disk_low", "key": "disk_low", "detail": {}}
        assert open_alarm(one, **asked, now=NOW, counts_from=NOW)
        one.commit()
        assert not open_alarm(other, **asked, now=NOW, counts_from=NOW)
        other.commit()
        assert close_alarms(one, ["disk_low"], now=NOW) == 1
        one.commit()
        assert open_alarm(other, **asked, now=NOW, counts_from=NOW)
        other.commit()


def test_hundreds_are_closed_at_once_those_unheard_of_in_silence(engine, make_shop, receiver):
    shop = make_shop(engine, alerts=Alerts(webhook_env=WEBHOOK_ENV))
    store(
        shop,
        *(a_raw_message(outcome="quarantined", next_attempt_at=None) for _ in range(510)),
    )
    assert look_for_alarms(shop) == 510
    assert tell_of_alarms(shop) == alarm_channels.BATCH
    change(shop, RawMessage, outcome="ticket")
    assert look_for_alarms(shop) == 510
    assert tell_of_alarms(shop) == alarm_channels.BATCH
    assert tell_of_alarms(shop) == 0
    assert Counter(told["state"] for told in receiver.told) == {"open": 100, "closed": 100}


def test_without_a_channel_the_log_and_the_page_are_told(sqlite_engine, make_shop, caplog):
    caplog.set_level(logging.INFO)
    shop = make_shop(sqlite_engine)
    row = quarantined(shop, uid=4711)
    assert look_and_tell(shop) == 1
    assert look_and_tell(shop) == 0
    [record] = [record for record in caplog.records if record.msg == "alarm opened"]
    assert (record.alarm, record.row, record.uid) == ("message_quarantined", row.id, 4711)
    assert record.mailbox == "reklamacje"
    assert standing(shop) == ["message_quarantined"]
    change(shop, RawMessage, outcome="ticket")
    assert look_and_tell(shop) == 1
    assert "alarm closed" in caplog.text


# Channels that fail: at least once, ever more seldom


def test_a_webhook_that_fails_is_tried_again_ever_more_seldom(shop, receiver, clock):
    quarantined(shop)
    receiver.answers = [500, 503, 404]
    waits = []
    for _ in range(3):
        with pytest.raises(ChannelFailed, match=r"the webhook answered \d+, not 2xx"):
            look_and_tell(shop)
        assert look_and_tell(shop) == 0  # not yet
        [alarm] = every_alarm(shop)
        waits.append((alarm.next_attempt_at - clock.now).total_seconds())
        clock.now = alarm.next_attempt_at
    assert waits == [30, 60, 120]
    assert look_and_tell(shop) == 1
    assert [told["state"] for told in receiver.told] == ["open"]


def test_an_alarm_that_could_not_be_told_is_told_when_it_is_over(shop, receiver, clock):
    """A network that is down takes a mailbox and the webhook together."""
    quarantined(shop)
    receiver.answers = [500]
    with pytest.raises(ChannelFailed):
        look_and_tell(shop)
    change(shop, RawMessage, outcome="ticket")
    clock.forward(minutes=10)
    assert look_and_tell(shop) == 1
    assert [told["state"] for told in receiver.told] == ["closed"]


def test_what_is_over_for_a_day_and_could_not_be_told_is_forgotten(shop, receiver, clock):
    quarantined(shop)
    receiver.answers = [500, 500, 500]
    with pytest.raises(ChannelFailed):
        look_and_tell(shop)
    change(shop, RawMessage, outcome="ticket")
    with pytest.raises(ChannelFailed):
        look_and_tell(shop)
    clock.forward(hours=25)
    with pytest.raises(ChannelFailed):
        tell_of_alarms(shop)
    clock.forward(hours=25)
    assert tell_of_alarms(shop) == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(shop, receiver, status):
    quarantined(shop)
    receiver.answers = [status]
    with pytest.raises(ChannelFailed, match=f"answered {status}"):
        look_and_tell(shop)
    assert receiver.told == []


def test_one_channel_that_fails_does_not_keep_the_other_from_being_told(
    sqlite_engine, make_shop, receiver, catcher, clock
):
    shop = make_shop(sqlite_engine, alerts=mail_alerts(catcher.port, webhook=WEBHOOK_ENV))
    quarantined(shop)
    receiver.answers = [500]
    with pytest.raises(ChannelFailed):
        look_and_tell(shop)
    assert len(catcher.mails) == 1
    [alarm] = every_alarm(shop)
    assert (alarm.webhook_told, alarm.mail_told, alarm.told_at) == ("", "open", None)
    clock.forward(minutes=1)
    assert look_and_tell(shop) == 1
    assert len(catcher.mails) == len(receiver.told) == 1
    assert every_alarm(shop)[0].told_at == clock.now


def test_an_alarm_that_closes_while_it_is_told_is_told_as_closed_next(engine, make_shop, receiver):
    shop = make_shop(engine, alerts=Alerts(webhook_env=WEBHOOK_ENV))
    quarantined(shop)
    look_for_alarms(shop)
    receiver.meanwhile += [
        lambda: look_for_alarms(shop),
        lambda: change(shop, RawMessage, outcome="ticket"),
    ]
    assert tell_of_alarms(shop) == 1
    assert tell_of_alarms(shop) == 1
    assert [told["state"] for told in receiver.told] == ["open", "closed"]


def test_of_two_workers_one_tells(engine, make_shop, receiver):
    shop = make_shop(engine, alerts=Alerts(webhook_env=WEBHOOK_ENV))
    for _ in range(5):
        quarantined(shop)
    look_for_alarms(shop)
    workers = [threading.Thread(target=tell_of_alarms, args=(shop,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert Counter(told["state"] for told in receiver.told) == {"open": 5}


def test_a_worker_that_died_while_telling_is_made_good_by_the_next(shop, receiver, clock):
    quarantined(shop)
    look_for_alarms(shop)
    change(shop, Alarm, claimed_until=clock.now + LEASE, claimed_by="the dead")
    assert tell_of_alarms(shop) == 0
    clock.forward(seconds=LEASE.total_seconds() + 1)
    assert tell_of_alarms(shop) == 1
    assert len(receiver.told) == 1


# The webhook's address is a secret


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example/secret-path",
        "http://hooks.example/secret-path",
        "ftp://hooks.example/secret-path",
        "file:///etc/passwd?secret-path",
        "https:///secret-path",
        "https://hooks.example/secret-path with a space",
        "https://hooks.example/secret-path\nX: y",
        "https://[hooks/secret-path",
    ],
)
def test_what_is_no_address_of_a_webhook_is_refused_without_showing_it(monkeypatch, url):
    monkeypatch.setenv(WEBHOOK_ENV, url)
    with pytest.raises(ConfigurationError) as refusal:
        webhook_url(Alerts(webhook_env=WEBHOOK_ENV))
    assert WEBHOOK_ENV in str(refusal.value)
    assert "secret-path" not in str(refusal.value)


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "nowhere.invalid"])
def test_no_failure_shows_the_address(shop, monkeypatch, caplog, host):
    monkeypatch.setenv(WEBHOOK_ENV, f"https://{host.format(port=free_port())}/a-secret-path")
    quarantined(shop)
    with pytest.raises(ChannelFailed, match="the webhook cannot be reached") as failure:
        look_and_tell(shop)
    assert "secret-path" not in repr(failure.value)
    assert failure.value.__cause__ is failure.value.__context__ is None
    assert "secret-path" not in caplog.text
    assert "secret-path" not in repr(every_alarm(shop))
    assert "secret-path" not in repr(shop.settings)


def test_a_missing_variable_is_said_by_its_name(shop, monkeypatch):
    monkeypatch.delenv(WEBHOOK_ENV)
    quarantined(shop)
    with pytest.raises(ChannelFailed, match=WEBHOOK_ENV):
        look_and_tell(shop)


def test_no_address_is_told_even_where_a_mailbox_is_called_by_one(shop, receiver):
    quarantined(shop, mailbox="reklamacje@sklep.example")
    look_and_tell(shop)
    assert "@" not in json.dumps(receiver.told)
    assert "mailbox [address]" in receiver.told[0]["detail"]


# Mail by a second server


def test_the_lead_is_told_by_mail_in_the_language_of_the_shop(engine, make_shop, catcher, clock):
    shop = make_shop(engine, alerts=mail_alerts(catcher.port, to=[LEAD, "szef@sklep.example"]))
    for uid in (1, 2):
        quarantined(shop, uid=uid)
    look_and_tell(shop)
    assert look_and_tell(shop) == 0
    assert [mail.recipients for mail in catcher.mails] == [(LEAD,), ("szef@sklep.example",)]
    assert catcher.mails[0].sender == "odzew@alarm.example"
    message = message_from_bytes(catcher.mails[0].content, policy=policy.default)
    assert message["Subject"] == "odzew, Sklep Przykładny: nowe alarmy 2, zakończone 0"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["To"] == LEAD
    with open_session(shop.engine) as session:
        instance = get_instance(session)
    assert verify_loop_header(message["X-Odzew-Loop"], instance.loop_key) == instance.shop_id
    text = message.get_content()
    assert text.count("Nie udało się odczytać wiadomości") == 2
    assert "2026-03-02 09:00 CET" in text
    assert "odzew ledger --quarantined" in text
    assert all(len(line) <= 998 for line in catcher.mails[0].content.split(b"\r\n"))
    change(shop, RawMessage, outcome="ticket")
    clock.forward(minutes=5)
    look_and_tell(shop)
    over = message_from_bytes(catcher.mails[2].content, policy=policy.default)
    assert over["Subject"] == "odzew, Sklep Przykładny: nowe alarmy 0, zakończone 2"
    assert over["Message-ID"] != message["Message-ID"]


def test_a_mail_that_may_have_gone_out_is_sent_again_under_the_same_id(
    sqlite_engine, make_shop, catcher, clock
):
    shop = make_shop(sqlite_engine, alerts=mail_alerts(catcher.port))
    quarantined(shop)
    catcher.drop("message", accepted=True)
    with pytest.raises(ChannelFailed, match=r"alerts\.smtp: .* the connection was lost"):
        look_and_tell(shop)
    clock.forward(minutes=1)
    assert look_and_tell(shop) == 1
    ids = {message_from_bytes(mail.content)["Message-ID"] for mail in catcher.mails}
    assert (len(catcher.mails), len(ids)) == (2, 1)


def test_one_reader_that_is_refused_does_not_keep_the_others_from_reading(
    sqlite_engine, make_shop, catcher, caplog
):
    shop = make_shop(
        sqlite_engine, alerts=mail_alerts(catcher.port, to=["gone@sklep.example", LEAD])
    )
    catcher.refuse("rcpt", "550 5.1.1 no such user", matching="gone@")
    quarantined(shop)
    assert look_and_tell(shop) == 1
    assert [mail.recipients for mail in catcher.mails] == [(LEAD,)]
    assert "alarm mail refused" in caplog.text


def test_when_every_reader_is_refused_nobody_was_told(sqlite_engine, make_shop, catcher):
    shop = make_shop(sqlite_engine, alerts=mail_alerts(catcher.port))
    catcher.refuse("rcpt", "550 5.1.1 no such user")
    quarantined(shop)
    with pytest.raises(ChannelFailed, match="every address is refused"):
        look_and_tell(shop)
    assert every_alarm(shop)[0].told_at is None


# What is wrong


def test_a_shop_in_which_all_is_well_has_no_alarm(shop, receiver):
    store(shop, a_raw_message(outcome="ticket"))
    assert look_and_tell(shop) == 0
    assert (every_alarm(shop), receiver.told) == ([], [])


def test_an_unknown_delivery_names_its_ticket(shop, receiver):
    [ticket] = store(shop, a_ticket())
    [row] = store(shop, an_outbox_message(ticket, state="unknown", next_attempt_at=None))
    look_and_tell(shop)
    assert receiver.told[0]["event"] == "delivery_unknown"
    assert ticket.reference in receiver.told[0]["detail"]
    change(shop, OutboxMessage, state="sent")
    look_and_tell(shop)
    assert [told["state"] for told in receiver.told] == ["open", "closed"]
    assert row.recipient not in json.dumps(receiver.told)


@pytest.mark.parametrize(("reason", "kinds"), [("", []), ("B-L5", ["acknowledgements_paused"])])
def test_only_the_breakers_pause_is_an_alarm_not_a_persons(shop, clock, reason, kinds):
    with open_session(shop.engine) as session:
        set_paused(session, what="acknowledgements", paused=True, reason=reason, now=clock.now)
        session.commit()
    assert standing(shop) == kinds


@pytest.mark.parametrize(("tries", "kinds"), [(2, []), (3, ["message_withheld"])])
def test_a_message_that_is_withheld_three_times_is_an_alarm(shop, tries, kinds):
    store(
        shop,
        WithheldMessage(
            mailbox="reklamacje",
            folder="INBOX",
            uidvalidity=1,
            uid=7,
            first_tried_at=NOW,
            tries=tries,
            next_try_at=NOW,
        ),
    )
    assert standing(shop) == kinds


def test_without_an_active_classifier_there_is_an_alarm(shop):
    change(shop, ClassifierVersion, state="retired")
    assert standing(shop) == ["classifier_missing"]
    change(shop, ClassifierVersion, state="active")
    assert standing(shop) == []


def test_a_classifier_that_could_not_be_used_for_the_last_ticket_is_an_alarm(shop):
    [ticket] = store(shop, a_ticket())
    store(shop, TicketEvent(ticket_id=ticket.id, kind="classified"))
    assert standing(shop) == []
    store(shop, TicketEvent(ticket_id=ticket.id, kind="not_classified"))
    store(shop, TicketEvent(ticket_id=ticket.id, kind="reply"))
    assert standing(shop) == ["classifier_missing"]
    store(shop, TicketEvent(ticket_id=ticket.id, kind="classified"))
    assert standing(shop) == []


def test_a_disk_that_fills_up_is_an_alarm_until_there_is_room_again(shop, monkeypatch):
    free = SimpleNamespace(mib=2000)
    monkeypatch.setattr(
        alarms.shutil, "disk_usage", lambda _: SimpleNamespace(free=free.mib * 1024**2)
    )
    seen = []
    for free.mib in (2000, 1023, 1100, 900, 1281):
        seen.append(standing(shop))
    assert seen == [[], ["disk_low"], ["disk_low"], ["disk_low"], []]
    assert every_alarm(shop)[0].detail == {"mib": 1023}


# Mailboxes


@pytest.fixture
def watched(sqlite_engine, make_shop, receiver):  # noqa: ARG001 - it must be there
    """One configured mailbox."""
    return make_shop(sqlite_engine, alerts=Alerts(webhook_env=WEBHOOK_ENV), mailboxes=[a_mailbox()])


def a_cursor(**columns):
    every = {"uidvalidity": 1, "go_live_uid": 1, "go_live_at": NOW - timedelta(days=90)}
    place = {"mailbox": "reklamacje", "folder": "INBOX"}
    return MailboxCursor(**(every | place | {"last_success_at": NOW} | columns))


def minutes_until(context, clock, kind, *, at_most):
    for minute in range(at_most):
        if kind in standing(context):
            return minute
        clock.forward(minutes=1)
    return None


def test_a_mailbox_without_success_for_half_an_hour_is_an_alarm(watched, clock, receiver):
    store(watched, a_cursor(problem="no answer"))
    assert minutes_until(watched, clock, "mailbox_failing", at_most=60) == 30
    tell_of_alarms(watched)
    assert receiver.told[0]["detail"] == (
        "Mailbox reklamacje, folder INBOX: not read as it should be since 2026-03-02 08:00 UTC."
    )
    change(watched, MailboxCursor, last_success_at=clock.now, problem=None)
    look_and_tell(watched)
    assert [told["state"] for told in receiver.told] == ["open", "closed"]


def test_a_worker_that_begins_again_after_a_night_has_two_minutes_for_its_first_pull(
    watched, clock, receiver
):
    store(watched, a_cursor(last_success_at=NOW - timedelta(hours=9)))
    assert standing(watched) == []
    clock.forward(minutes=1)
    assert standing(watched) == []
    change(watched, MailboxCursor, last_success_at=clock.now)
    assert standing(watched) == []
    assert tell_of_alarms(watched) == 0
    assert (every_alarm(watched), receiver.told) == ([], [])


def test_a_mailbox_that_was_never_reached_is_an_alarm(watched, clock):
    assert minutes_until(watched, clock, "mailbox_failing", at_most=60) == 30


def test_a_first_pull_that_takes_hours_is_none_while_mail_comes(watched, clock):
    store(watched, a_cursor(last_success_at=None, go_live_at=NOW))
    for _ in range(8):
        clock.forward(minutes=20)
        store(watched, a_raw_message(fetched_at=clock.now, received_at=NOW - timedelta(days=99)))
        assert standing(watched) == []
    clock.forward(minutes=35)
    standing(watched)
    clock.forward(minutes=2)
    assert standing(watched) == ["mailbox_failing"]


def test_a_problem_beside_success_is_an_alarm_after_half_an_hour(watched, clock):
    """As where the server takes mail out but refuses to mark it."""
    store(watched, a_cursor(problem="cannot be marked"))
    for minute in range(40):
        assert standing(watched) == (["mailbox_failing"] if minute >= 30 else [])
        clock.forward(minutes=1)
        change(watched, MailboxCursor, last_success_at=clock.now)


def test_of_what_is_withheld_there_is_one_alarm_and_not_two(watched, clock):
    store(watched, a_cursor(problem="1 message is not handed out"))
    place = {"mailbox": "reklamacje", "folder": "INBOX", "uidvalidity": 1, "uid": 7}
    store(watched, WithheldMessage(**place, first_tried_at=NOW, tries=4, next_try_at=NOW))
    for _ in range(40):
        assert standing(watched) == ["message_withheld"]
        clock.forward(minutes=1)
        change(watched, MailboxCursor, last_success_at=clock.now)


def test_a_mailbox_that_is_seldom_polled_has_three_polls(sqlite_engine, make_shop, clock):
    shop = make_shop(sqlite_engine, mailboxes=[a_mailbox(poll_seconds=3600)])
    store(shop, a_cursor())
    assert minutes_until(shop, clock, "mailbox_failing", at_most=300) == 182


def test_gaps_are_an_alarm_until_a_comparison_finds_none(
    sqlite_engine, make_shop, dovecot, tmp_path, clock
):
    secret = tmp_path / "imap-password"
    secret.write_text(dovecot.password)
    user = dovecot.new_user()
    mailbox = a_mailbox(port=dovecot.imap_port, username=user, password_file=secret)
    shop = make_shop(sqlite_engine, mailboxes=[mailbox])
    dovecot.append(user, a_mail(), a_mail())
    assert pull(shop, mailbox) == 2
    assert standing(shop) == []
    with open_session(shop.engine) as session:
        session.delete(session.exec(select(RawMessage)).first())
        session.commit()
    clock.forward(days=1)
    assert pull(shop, mailbox) == 1
    with open_session(shop.engine) as session:
        assert find_cursor(session, "reklamacje", "INBOX").gaps == 1
    assert standing(shop) == ["ledger_gaps"]
    clock.forward(days=1)
    pull(shop, mailbox)
    assert standing(shop) == []
    dovecot.stop()
    with pytest.raises(MailboxUnreachable):
        pull(shop, mailbox)
    assert minutes_until(shop, clock, "mailbox_failing", at_most=60) == 30
    dovecot.start()
    pull(shop, mailbox)
    assert standing(shop) == []


# Silence. The clock stands on Monday, 2 March 2026.


def mail_on(context, *days, **columns):
    moments = [datetime(2026, month, day, 12, tzinfo=UTC) for month, day in days]
    store(
        context,
        *(
            a_raw_message(received_at=at, fetched_at=at, outcome="ticket", **columns)
            for at in moments
        ),
    )


EVERY_DAY = [(2, day) for day in range(10, 25)]  # the last on Tuesday


def test_a_mailbox_with_daily_mail_is_silent_after_three_working_days(watched):
    store(watched, a_cursor())
    mail_on(watched, *EVERY_DAY)
    assert standing(watched) == ["mailbox_silent"]  # Wednesday, Thursday and Friday were empty
    assert every_alarm(watched)[0].detail["since"] == "2026-02-24T12:00:00+00:00"
    mail_on(watched, (3, 2))
    assert standing(watched) == []


@pytest.mark.parametrize("last", [(2, 25), (2, 27), (3, 1)])
def test_a_weekend_is_no_silence(watched, last):
    store(watched, a_cursor())
    mail_on(watched, *EVERY_DAY, last)
    assert standing(watched) == []


def test_where_too_little_is_known_silence_means_nothing(watched):
    store(watched, a_cursor())
    mail_on(watched, (2, 1), (2, 2), (2, 3), (2, 4))
    assert standing(watched) == []


def test_what_is_usual_counts(watched):
    """Mail about once a week: eight working days without any are nothing unusual."""
    store(watched, a_cursor())
    mail_on(watched, (1, 2), (1, 9), (1, 16), (1, 23), (1, 30), (2, 6), (2, 17))
    assert standing(watched) == []


def test_a_mailbox_that_cannot_be_read_is_not_called_silent(watched, clock):
    store(watched, a_cursor(last_success_at=NOW - timedelta(days=9)))
    mail_on(watched, *EVERY_DAY)
    clock.forward(minutes=5)
    standing(watched)
    clock.forward(minutes=5)
    assert standing(watched) == ["mailbox_failing"]


def test_mail_that_was_moved_here_is_no_silence(watched):
    store(watched, a_cursor())
    mail_on(watched, *EVERY_DAY)
    store(watched, a_raw_message(received_at=NOW - timedelta(days=60), fetched_at=NOW))
    assert standing(watched) == []


@pytest.mark.parametrize(
    ("days", "gap"),
    [
        ([], None),
        ([1, 2, 3, 4], None),
        ([1, 2, 3, 4, 5], 1.0),
        ([1, 1, 2, 2, 3, 4, 8, 9], 1.0),
        ([1, 5, 9, 13, 17], 4.0),
        ([20] * 200, 1.0),
    ],
)
def test_the_usual_gap_lies_between_days_with_mail(days, gap):
    assert usual_gap([date(2026, 2, day) for day in days]) == gap


# In the worker


def test_a_run_until_all_is_done_ends_with_the_alarms(shop, receiver, caplog):
    quarantined(shop)
    receiver.answers = [500]
    assert run_once(shop, only=["alarms"]) == []  # that nobody could be told is no failure of it
    assert "step failed" in caplog.text
    change(shop, Alarm, next_attempt_at=NOW)
    assert run_once(shop, only=["alarms"]) == []
    assert [told["event"] for told in receiver.told] == ["message_quarantined"]
