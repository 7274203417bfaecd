"""``/metrics`` and ``/readyz`` over the real page: figures that are right, and nothing personal."""

import math
import re
import urllib.error
import urllib.request
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, text

from config.settings import Mailbox, Web
from config.taxonomy import Taxonomy
from storage.alarms import open_alarm
from storage.database import open_database
from storage.metrics import store_counts
from storage.tables import (
    OUTBOX_STATES,
    OUTCOMES,
    ClassifierVersion,
    Instance,
    MailboxCursor,
    RawMessage,
    WithheldMessage,
)
from storage.tokens import StoredToken, TokenStore
from tests.unit.web.samples import NOW, Mail, a_ticket, fill
from web.app import create_app
from web.metrics import CONTENT_TYPE
from web.server import serving

TOKEN_ENV = "ODZEW_TEST_METRICS"
HERE = ("127.0.0.1", 50000)
STRANGER = ("203.0.113.9", 50000)
SAMPLE = re.compile(r'(odzew_[a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\.)*",?)+)\})? (\S+)')
BOX = Mailbox(name='rekla"macje\\', host="imap.sklep.example", folders=["INBOX", "Spór"])


@pytest.fixture
def make_client(settings, engine, files, clock):
    """The page as somebody at an address sees it; sections of the settings are the test's."""

    def make(client=HERE, **sections):
        app = create_app(
            settings.with_changes(**sections), engine, Taxonomy.load(), files, clock=clock
        )
        return TestClient(app, base_url="http://127.0.0.1:8080", client=client)

    return make


def read(page: str) -> dict[str, float]:
    """Each line as Prometheus reads it: name and labels to the value."""
    assert page.endswith("\n")
    samples, described = {}, set()
    for line in page.splitlines():
        if line.startswith("# "):
            described.add(line.split(" ")[2])
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        assert name in described
        key = f"{name}{{{labels}}}" if labels else name
        assert key not in samples
        samples[key] = math.inf if value == "+Inf" else float(value)
    return samples


def scraped(client, **headers):
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == CONTENT_TYPE
    return read(answer.text)


def a_cursor(**columns):
    every = {"mailbox": BOX.name, "folder": "INBOX", "uidvalidity": 1, "go_live_uid": 1}
    return MailboxCursor(**(every | {"go_live_at": NOW - timedelta(days=9)} | columns))


def a_message(uid, **columns):
    place = {"mailbox": BOX.name, "folder": "INBOX", "uidvalidity": 1, "uid": uid, "size": 1}
    every = {"sha256": f"{uid:064x}", "received_at": NOW, "fetched_at": NOW}
    return RawMessage(**(place | every | columns))


# The figures


def test_an_empty_shop_has_its_figures(make_client):
    found = scraped(make_client())
    assert {f'odzew_messages{{outcome="{word}"}}' for word in OUTCOMES} <= found.keys()
    assert {f'odzew_outbox_messages{{state="{word}"}}' for word in OUTBOX_STATES} <= found.keys()
    assert set(found.values()) == {0}
    assert not any(name.startswith("odzew_classifier_info") for name in found)


def test_figures_are_those_of_the_database(make_client, session, files, clock):
    fill(session, files)
    a_ticket(session, Mail("po terminie", "x", days_ago=30, status="assigned"))
    session.add_all(
        [
            a_message(90_001, outcome="pending", fetched_at=NOW - timedelta(seconds=90)),
            a_message(90_002, outcome="pending", fetched_at=NOW - timedelta(seconds=30)),
            a_message(90_003, outcome="quarantined"),
            ClassifierVersion(
                version="default-7", state="active", shipped=True, manifest_sha256=""
            ),
        ]
    )
    store_counts(session, now=clock())
    session.commit()
    found = scraped(make_client())

    def count(sql):
        return session.execute(text(sql)).scalar_one()

    for word in OUTCOMES:
        rows = count(f"SELECT count(*) FROM raw_message WHERE outcome = '{word}'")
        assert found[f'odzew_messages{{outcome="{word}"}}'] == rows
    for word in OUTBOX_STATES:
        rows = count(f"SELECT count(*) FROM outbox_message WHERE state = '{word}'")
        assert found[f'odzew_outbox_messages{{state="{word}"}}'] == rows
    assert found['odzew_messages{outcome="quarantined"}'] == 1
    assert found["odzew_pending_age_seconds"] == 90
    is_open = "status IN ('new', 'assigned', 'waiting')"
    assert found["odzew_tickets_open"] == count(f"SELECT count(*) FROM ticket WHERE {is_open}")
    overdue = count(f"SELECT count(*) FROM ticket WHERE {is_open} AND due_safe < '2026-11-20'")
    assert found["odzew_tickets_overdue"] == overdue > 0
    assert found['odzew_classifier_info{version="default-7"}'] == 1


def test_what_waits_is_counted_now_and_what_is_done_as_the_worker_last_counted(
    make_client, session, clock
):
    session.add_all([a_message(1, outcome="pending"), a_message(2, outcome="ticket")])
    session.commit()
    client = make_client()
    found = scraped(client)
    assert found['odzew_messages{outcome="pending"}'] == 1
    assert found['odzew_messages{outcome="ticket"}'] == 0
    store_counts(session, now=clock())
    session.commit()
    assert scraped(client)['odzew_messages{outcome="ticket"}'] == 1


def test_a_mailbox_has_the_age_of_its_last_success_and_comparison(make_client, session):
    session.add_all(
        [
            a_cursor(
                last_success_at=NOW - timedelta(seconds=45),
                compared_at=NOW - timedelta(hours=2),
                problem="no answer",
            ),
            a_cursor(mailbox="long gone", last_success_at=NOW),
            WithheldMessage(
                mailbox=BOX.name,
                folder="INBOX",
                uidvalidity=1,
                uid=1,
                first_tried_at=NOW,
                next_try_at=NOW,
            ),
        ]
    )
    session.commit()
    found = scraped(make_client(mailboxes=[BOX]))
    inbox = '{mailbox="rekla\\"macje\\\\",folder="INBOX"}'
    never = '{mailbox="rekla\\"macje\\\\",folder="Spór"}'
    assert found[f"odzew_mailbox_success_age_seconds{inbox}"] == 45
    assert found[f"odzew_mailbox_comparison_age_seconds{inbox}"] == 7200
    assert found[f"odzew_mailbox_problem{inbox}"] == 1
    assert found[f"odzew_mailbox_success_age_seconds{never}"] == math.inf
    assert found[f"odzew_mailbox_problem{never}"] == 0
    assert found["odzew_withheld_messages"] == 1
    assert not any("long gone" in name for name in found)


def test_alarms_count_from_when_they_are_alarms(make_client, session, clock):
    for number, wait in enumerate((0, 0, 30)):
        open_alarm(
            session,
            "message_quarantined",
            f"message_quarantined {number}",
            {},
            now=NOW,
            counts_from=NOW + timedelta(minutes=wait),
        )
    session.commit()
    client = make_client()
    assert scraped(client)['odzew_alarms_open{kind="message_quarantined"}'] == 2
    clock.move(timedelta(minutes=31))
    assert scraped(client)['odzew_alarms_open{kind="message_quarantined"}'] == 3


def test_pauses_are_figures(make_client, session):
    session.get(Instance, 1).worker_paused = True
    session.commit()
    found = scraped(make_client())
    assert found['odzew_paused{what="worker"}'] == 1
    assert found['odzew_paused{what="acknowledgements"}'] == 0


def test_a_token_tells_when_it_ends(make_client, settings):
    boxes = [
        Mailbox(name=name, host="imap.sklep.example", oauth="google", oauth_client_id="shop")
        for name in ("biuro", "sklep", "nowa")
    ]
    store = TokenStore(settings.storage.path)
    good = StoredToken(
        login="x",
        refresh_token="secret-refresh",
        access_token="secret-access",
        renewed_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )
    over = good.model_copy(
        update={
            "expires_at": NOW - timedelta(minutes=5),
            "login_ends_at": NOW + timedelta(days=3),
            "problem": "invalid_grant",
        }
    )
    for name, token in (("biuro", good), ("sklep", over)):
        with store.replacing(name) as save:
            save(token)
    with make_client(mailboxes=[*boxes, BOX]) as client:
        page = client.get("/metrics").text
    assert "secret" not in page
    found = {
        name: value for name, value in read(page).items() if "token" in name or "login" in name
    }
    assert found == {
        'odzew_token_expiry_seconds{mailbox="biuro"}': 3600,
        'odzew_token_expiry_seconds{mailbox="sklep"}': -300,
        'odzew_login_expiry_seconds{mailbox="sklep"}': 3 * 86400,
        'odzew_token_problem{mailbox="biuro"}': 0,
        'odzew_token_problem{mailbox="sklep"}': 1,
    }


def test_a_clock_that_was_set_back_makes_no_age_negative(make_client, session):
    session.add(a_cursor(last_success_at=NOW + timedelta(hours=2)))
    session.commit()
    assert min(scraped(make_client(mailboxes=[BOX])).values()) == 0


def test_nothing_personal_is_in_the_figures(make_client, session, files):
    for ticket in fill(session, files):
        session.add(ticket)
    session.commit()
    page = make_client(mailboxes=[BOX]).get("/metrics").text
    assert "@" not in page
    assert "ODZ-2026" not in page


def test_a_scrape_reads_no_table_as_a_whole(make_client, engine, session):
    """However large the shop: each query uses an index, or a table with a row for each mailbox."""
    small = {"instance", "mailbox_cursor", "withheld_message", "stored_count", "alarm"}
    plans = []

    @event.listens_for(engine, "before_cursor_execute")
    def explain(_connection, cursor, statement, parameters, *_):
        if statement.startswith("SELECT"):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in cursor.fetchall())

    session.add(a_cursor())
    session.commit()
    scraped(make_client(mailboxes=[BOX]))
    scans = [plan for plan in plans if plan.startswith("SCAN")]
    assert len(plans) >= 9
    assert [plan for plan in scans if plan.split()[1] not in small] == []


# Who may read them


def test_a_program_on_this_machine_needs_no_token(settings, engine, files, clock):
    app = create_app(settings, engine, Taxonomy.load(), files, clock=clock)
    with (
        serving(app, "127.0.0.1", 0) as address,
        urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer,
    ):
        assert "odzew_tickets_open" in read(answer.read().decode())


@pytest.mark.parametrize("client", [HERE, STRANGER])
@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("", 401),
        ("Bearer wrong", 401),
        ("Bearer", 401),
        ("Basic a-secret-token", 401),
        ("Bearer a-secret-token", 200),
        ("bearer a-secret-token", 200),
    ],
)
def test_behind_a_proxy_only_the_token_counts(make_client, monkeypatch, client, given, status):
    """Every request comes from the proxy, which may stand on this machine."""
    monkeypatch.setenv(TOKEN_ENV, "a-secret-token")
    web = Web(trusted_proxy="127.0.0.1", metrics_token_env=TOKEN_ENV)
    headers = {"Authorization": given} if given else {}
    answer = make_client(client, web=web).get("/metrics", headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "odzew_" not in answer.text


@pytest.mark.parametrize("web", [Web(), Web(trusted_proxy="127.0.0.1")])
def test_a_stranger_is_refused_where_there_is_no_token(make_client, web):
    for given in ("", "Bearer ", "Bearer x"):
        answer = make_client(STRANGER, web=web).get("/metrics", headers={"Authorization": given})
        assert answer.status_code == 401


def test_a_token_that_is_not_set_lets_nobody_in(make_client, monkeypatch):
    monkeypatch.delenv(TOKEN_ENV, raising=False)
    client = make_client(STRANGER, web=Web(metrics_token_env=TOKEN_ENV))
    for given in ("", "Bearer ", "Bearer x"):
        assert client.get("/metrics", headers={"Authorization": given}).status_code == 401


def test_a_page_of_somebody_else_cannot_ask_for_them(make_client):
    """A name that was rebound to this machine."""
    assert make_client().get("/metrics", headers={"Host": "evil.example"}).status_code == 400


# Is it ready


def test_ready_is_who_has_database_schema_and_a_worker(make_client, session, clock):
    session.add(a_cursor(last_success_at=NOW))
    session.commit()
    client = make_client(mailboxes=[BOX])
    for minutes, answer in ((0, (200, "ok\n")), (5, (200, "ok\n")), (6, (503, "worker\n"))):
        clock.now = NOW + timedelta(minutes=minutes)
        found = client.get("/readyz")
        assert (found.status_code, found.text) == answer
        assert client.get("/healthz").text == "ok\n"


def test_a_first_pull_that_takes_long_is_a_worker_at_work(make_client, session, clock):
    session.add_all([a_cursor(), a_message(1, fetched_at=NOW)])
    session.commit()
    client = make_client(mailboxes=[BOX])
    assert client.get("/readyz").text == "ok\n"
    clock.move(timedelta(minutes=6))
    assert client.get("/readyz").text == "worker\n"


def test_one_mailbox_that_fails_alone_is_no_reason_not_to_be_ready(make_client, session):
    session.add_all([a_cursor(), a_cursor(mailbox="b", last_success_at=NOW)])
    session.commit()
    other = BOX.model_copy(update={"name": "b"})
    assert make_client(mailboxes=[BOX, other]).get("/readyz").text == "ok\n"
    assert make_client(mailboxes=[BOX]).get("/readyz").text == "worker\n"


def test_without_mailboxes_there_is_nothing_for_a_worker_to_read(make_client):
    assert make_client().get("/readyz").text == "ok\n"


def test_another_versions_schema_is_said(make_client, engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    answer = make_client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "schema\n")


def test_a_database_that_is_away_is_said(settings, files, clock):
    gone = open_database("postgresql://odzew@127.0.0.1:9/odzew")
    app = create_app(settings, gone, Taxonomy.load(), files, clock=clock)
    client = TestClient(app, base_url="http://127.0.0.1:8080", client=HERE)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "database\n")
    assert client.get("/metrics").status_code == 503
    assert client.get("/healthz").status_code == 200
