"""``python -m bench.large_shop``: what pages, signals and a mail cost where much is stored.

200,000 tickets with their messages and acknowledgements in 50 mailboxes, on SQLite and PostgreSQL,
asked for through the real page by a signed-in team lead. The goals: 100 ms for the queue, 50 ms for
a scrape, and a mail that costs as much as in a shop of 1,000 tickets (``--tickets 1000``). Shown
are the fastest and the median of the rounds, since other work only makes them slower.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from fastapi.testclient import TestClient
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

from config.settings import Database, Mailbox, Settings, Storage
from config.taxonomy import Taxonomy
from storage.database import Session, migrate, open_database, open_session
from storage.files import FileStore
from storage.people import create_link
from storage.tables import (
    ClassifierVersion,
    InboundMessage,
    MailboxCursor,
    OutboxMessage,
    Person,
    RawMessage,
    Ticket,
    TicketEvent,
)
from tests.factories import a_mail, in_the_ledger
from tests.rigs import Postgres
from web.app import create_app
from worker.alarms import count_rows, look_for_alarms
from worker.assign import refresh_priorities
from worker.context import Context, known_addresses
from worker.ingest import ingest
from worker.parser_process import ParserProcess

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
MAILBOXES = 50
PART = 5_000
MAILS = 200
CONTENT = b"x" * 3_000  # an acknowledgement with its header
TEXT = "Talerz z zamówienia 1002345 przyszedł rozbity. Proszę o nowy. " * 8


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.large_shop", description=__doc__)
    parser.add_argument("--tickets", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--open", type=float, default=0.1, help="share of tickets that are open")
    wanted = parser.parse_args()
    table = Table(title=f"{wanted.tickets} tickets, {wanted.open:.0%} open, {MAILBOXES} mailboxes")
    for heading in ("", "", "fastest, ms", "median, ms", "our own processor time, ms"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, database in (("SQLite", sqlite), ("PostgreSQL", postgres)):
        with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as url:
            measure(table, name, url, Path(folder), wanted)
    Console().print(table)


def measure(table: Table, name: str, url: str, folder: Path, wanted: argparse.Namespace) -> None:
    settings = Settings(
        database=Database(url=url),
        storage=Storage(path=folder),
        mailboxes=[Mailbox(name=f"box{n}", host="imap.sklep.example") for n in range(MAILBOXES)],
    )
    engine = open_database(url)
    migrate(engine)
    with open_session(engine) as session:
        fill(session, wanted.tickets, wanted.open)
    taxonomy, files = Taxonomy.load(), FileStore(folder)
    app = create_app(settings, engine, taxonomy, files, clock=lambda: NOW)
    context = Context(
        settings=settings, taxonomy=taxonomy, engine=engine, files=files, clock=lambda: NOW
    )
    with TestClient(
        app,
        base_url="http://127.0.0.1",
        client=("127.0.0.1", 1),
        headers={"Sec-Fetch-Site": "same-origin"},
    ) as client:
        for path in ("/metrics", "/readyz"):
            table.add_row(name, path, *timed(wanted.rounds, partial(scrape, client, path)))
        with open_session(engine) as session:
            sign_in(client, session)
        for what, path in pages(wanted.tickets):
            table.add_row(name, what, *timed(wanted.rounds, partial(scrape, client, path)))
    for step in (look_for_alarms, count_rows, refresh_priorities):
        table.add_row(name, step.__name__, *timed(wanted.rounds, partial(step, context)))
    parser = ParserProcess(known_addresses(settings))
    try:
        rounds = timed(5, partial(take_in, context, parser))
    finally:
        parser.close()
    table.add_row(name, f"{MAILS} mails taken in", *rounds)
    engine.dispose()


def pages(tickets: int) -> Iterator[tuple[str, str]]:
    yield "the queue", "/"
    yield "overdue ones", "/?due=overdue"
    yield "a search", "/?q=customer777"
    yield "a page far down", "/?page=50"
    yield "a ticket", f"/tickets/ODZ-2025-{tickets - 5:06d}"


def sign_in(client: TestClient, session: Session) -> None:
    lead = Person(email="marta@sklep.example", name="Marta", role="lead")
    session.add(lead)
    session.flush()
    token = create_link(session, lead, now=NOW)
    session.commit()
    form = client.get(f"/sign-in/link?token={token}").text
    csrf = form.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = client.post("/sign-in/link", data={"csrf_token": csrf, "token": token})
    assert answer.status_code == 200, answer.text


def take_in(context: Context, parser: ParserProcess) -> None:
    """New mails of new customers, from the ledger to tickets with acknowledgements."""
    in_the_ledger(
        context,
        *(a_mail(date=NOW) for _ in range(MAILS)),
        mailbox="box1",
        fetched_at=NOW,
        next_attempt_at=NOW,
    )
    while ingest(context, parser):
        continue


def timed(rounds: int, do: Callable[[], object]) -> list[str]:
    """Milliseconds of the fastest round, of the median one, and of our process in the fastest."""
    do()
    took, worked = [], []
    for _ in range(rounds):
        began, cpu = time.perf_counter(), time.process_time()
        do()
        took.append((time.perf_counter() - began) * 1000)
        worked.append((time.process_time() - cpu) * 1000)
    return [f"{figure:.1f}" for figure in (min(took), statistics.median(took), min(worked))]


def scrape(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text


def fill(session: Session, tickets: int, share_open: float) -> None:
    """Tickets of a year, the newest of them open; one message and one acknowledgement each."""
    session.add(
        ClassifierVersion(version="default-1", state="active", shipped=True, manifest_sha256="")
    )
    for number in range(MAILBOXES):
        session.add(
            MailboxCursor(
                mailbox=f"box{number}",
                folder="INBOX",
                uidvalidity=1,
                go_live_uid=1,
                go_live_at=NOW - timedelta(days=365),
                last_success_at=NOW - timedelta(seconds=30),
                compared_at=NOW - timedelta(hours=5),
            )
        )
    session.flush()
    for first in range(0, tickets, PART):
        numbers = range(first, min(first + PART, tickets))
        for table, row in (
            (Ticket, a_ticket),
            (RawMessage, a_message),
            (InboundMessage, a_text),
            (OutboxMessage, a_reply),
        ):
            rows = [row(n, tickets, share_open) for n in numbers]
            session.execute(insert(table), rows)
        events = [{"ticket_id": n + 1, "kind": "classified", "at": NOW} for n in numbers]
        session.execute(insert(TicketEvent), events)
        session.commit()


def moment(number: int, tickets: int) -> datetime:
    return NOW - timedelta(days=365) * ((tickets - number) / tickets)


def a_ticket(number: int, tickets: int, share_open: float) -> dict[str, object]:
    at = moment(number, tickets)
    return {
        "reference": f"ODZ-2025-{number:06d}",
        "status": "assigned" if number >= tickets * (1 - share_open) else "closed",
        "requester_addr": f"customer{number}@example.com",
        "requester_status": "known",
        "subject": "Reklamacja",
        "received_at": at,
        "due_safe": at.date() + timedelta(days=14),
        "shop": "Sklep",
        "mailbox": f"box{number % MAILBOXES}",
        "fingerprint": f"{number:064x}",
        "acknowledgement_reason": "B.1: a person's mail with one safe address",
        "next_attempt_at": None,
    }


def a_message(number: int, tickets: int, _: float) -> dict[str, object]:
    at = moment(number, tickets)
    return {
        "mailbox": f"box{number % MAILBOXES}",
        "folder": "INBOX",
        "uidvalidity": 1,
        "uid": number,
        "sha256": f"{number:064x}",
        "size": 4_000,
        "received_at": at,
        "fetched_at": at,
        "outcome": "pending" if number >= tickets - 1000 else "ticket",
        "ticket_id": number + 1,
        "next_attempt_at": None,
    }


def a_text(number: int, tickets: int, _: float) -> dict[str, object]:
    return {
        "raw_message_id": number + 1,
        "ticket_id": number + 1,
        "message_id": f"{number}@example.com",
        "fingerprint": f"{number:064x}",
        "kind": "person",
        "from_addr": f"customer{number}@example.com",
        "from_name": "",
        "subject": "Reklamacja",
        "body": TEXT,
        "text": TEXT,
        "received_at": moment(number, tickets),
    }


def a_reply(number: int, tickets: int, _: float) -> dict[str, object]:
    return {
        "ticket_id": number + 1,
        "kind": "acknowledgement",
        "mailbox": f"box{number % MAILBOXES}",
        "sender": "reklamacje@sklep.example",
        "recipient": f"customer{number}@example.com",
        "message_id": f"ack.{number}@sklep.example",
        "content": CONTENT,
        "state": "waiting" if number >= tickets - 1000 else "sent",
        "created_at": moment(number, tickets),
        "next_attempt_at": None,
    }


@contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'odzew.db'}"


@contextmanager
def postgres(_: Path) -> Iterator[str]:
    server = Postgres()
    try:
        server.start()
        yield server.url(server.new_database())
    finally:
        server.close()


if __name__ == "__main__":
    main()
