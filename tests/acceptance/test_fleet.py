"""Three nodes on PostgreSQL and Dovecot, as separate processes; two of them die in mid-work."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from config.settings import load_settings
from config.taxonomy import Taxonomy
from storage.columns import utc_now
from storage.database import open_database, open_session
from storage.files import FileStore
from storage.fleet import nodes
from storage.reports import work_left
from storage.tables import RawMessage
from tests.acceptance.desk import Desk, configuration
from tests.factories import a_mail
from tests.oracle import broken_promises
from tests.rigs.fault_proxy import Fault
from worker.context import Context

if TYPE_CHECKING:
    from tests.rigs import Dovecot, FaultProxy, Postgres, SmtpCatcher

STEPS = "pull,ingest,deliver"  # the classifier's node would be another one
ANOTHER_MAILBOX = """
[[mailboxes]]
name = "{name}"
host = "127.0.0.1"
port = {port}
security = "none"
username = "{user}"
password_env = "ODZEW_TEST_PASSWORD"
start = "all"
poll_seconds = 1
"""
NO_LIMITS = "[acknowledgements]\nper_mailbox_per_hour = 100000\nbreaker_factor = 0\n"


class Shop:
    """An installation with several mailboxes, and the nodes that work for it."""

    def __init__(self, folder: Path, database: str, text: str, password: str) -> None:
        self.desk = Desk(folder, text, ODZEW_TEST_PASSWORD=password)
        self.desk.run("db", "upgrade")
        settings = load_settings(folder / "odzew.toml")
        self.context = Context(
            settings=settings,
            taxonomy=Taxonomy.load(),
            engine=open_database(database),
            files=FileStore(folder / settings.storage.path),
        )
        self.logs: list[Path] = []
        self._running: list[subprocess.Popen[bytes]] = []

    def start_node(self, steps: str = STEPS, **environment: str) -> "subprocess.Popen[bytes]":
        log = self.desk.folder / f"node{len(self.logs)}.log"
        self.logs.append(log)
        with log.open("wb") as output:
            node = subprocess.Popen(
                [sys.executable, "-m", "odzew", "fleet", "--steps", steps],
                cwd=self.desk.folder,
                env=self.desk.environment | environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._running.append(node)
        return node

    def alive(self) -> int:
        with open_session(self.context.engine) as session:
            return sum(node.alive for node in nodes(session))

    def handled(self, mails: int) -> bool:
        """Whether so many mails have had their outcome, and their acknowledgements are out."""
        with open_session(self.context.engine) as session:
            left = work_left(session)
        return left.mails == left.mails_done == mails and left.replies == left.sent

    def said(self, event: str) -> list[dict[str, object]]:
        lines = "".join(log.read_text() for log in self.logs).splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return [said for said in events if said["event"] == event]

    def close(self) -> None:
        for node in self._running:
            if node.poll() is None:
                node.kill()
            node.wait()
        self.context.engine.dispose()


@pytest.fixture
def make_shop(
    tmp_path: Path,
    dovecot: "Dovecot",
    catcher: "SmtpCatcher",
    postgres: "Postgres",
    postgres_template: str,
) -> Iterator[Callable[..., Shop]]:
    made = []

    def make(*ports: int, users: list[str]) -> Shop:
        """ports: where the mailbox of each user is reached."""
        database = postgres.url(postgres.new_database(template=postgres_template))
        more = "".join(
            ANOTHER_MAILBOX.format(name=f"skrzynka{number}", port=port, user=user)
            for number, (port, user) in enumerate(zip(ports[1:], users[1:], strict=True))
        )
        text = configuration(
            user=users[0],
            imap_port=ports[0],
            smtp_port=catcher.port,
            database=database,
            more=NO_LIMITS + more,
        )
        made.append(Shop(tmp_path / "desk", database, text, dovecot.password))
        return made[-1]

    yield make
    for shop in made:
        shop.close()


def wait_for(condition: Callable[[], object], *, seconds: float, shop: Shop) -> None:
    pause, end = threading.Event(), monotonic() + seconds
    while not condition():
        assert monotonic() < end, "\n".join(log.read_text()[-3000:] for log in shop.logs)
        pause.wait(0.05)


@contextmanager
def pausing(seconds: float) -> Iterator[None]:
    begin = monotonic()
    yield
    threading.Event().wait(max(0.0, begin + seconds - monotonic()))


def test_each_tick_runs_once_and_no_mailbox_is_read_by_two_nodes(
    make_shop: Callable[..., Shop], dovecot: "Dovecot", make_proxy: Callable[[int], "FaultProxy"]
) -> None:
    quick, slow = make_proxy(dovecot.imap_port), make_proxy(dovecot.imap_port)
    # From the first byte on longer than from one tick to the next.
    slow.plan.extend([Fault("stall", after=1, seconds=1.2)] * 100)
    shop = make_shop(quick.port, slow.port, users=[dovecot.new_user(), dovecot.new_user()])
    for _ in range(3):
        shop.start_node("pull")
    wait_for(lambda: shop.alive() == 3, seconds=60, shop=shop)
    before, begin = quick.connections, monotonic()
    with pausing(5):
        pass
    looked, seconds = quick.connections - before, monotonic() - begin

    assert seconds / 3 <= looked <= seconds + 1, "three nodes, one look a second"
    visits: dict[int, list[float]] = {}
    for passage in list(slow.transcript):
        visits.setdefault(passage.connection, []).append(passage.moment)
    times = sorted((min(moments), max(moments)) for moments in visits.values())
    assert len(times) >= 3
    assert all(end <= begin for (_, end), (begin, _) in pairwise(times))


def test_what_two_killed_nodes_had_in_hand_is_done_by_the_third_within_half_a_minute(
    make_shop: Callable[..., Shop], dovecot: "Dovecot", catcher: "SmtpCatcher"
) -> None:
    """Every mail has one outcome and one ticket, and at most one acknowledgement (D-P10)."""
    users = [dovecot.new_user() for _ in range(6)]
    shop = make_shop(*[dovecot.imap_port] * 6, users=users)
    # One dies while it reads a mailbox, with what it has fetched not committed; the other with its
    # tickets not committed.
    victims = [shop.start_node(ODZEW_CRASH_AT=point) for point in ("CP-08", "CP-16")]
    survivor = shop.start_node()
    wait_for(lambda: shop.alive() == 3, seconds=60, shop=shop)

    mails: list[bytes] = []
    while any(victim.poll() is None for victim in victims):
        assert len(mails) < 400, "the victims found nothing to do"
        for user in users:
            with pausing(0.2):
                mails.append(a_mail(date=utc_now()))
                dovecot.append(user, mails[-1])
    killed = monotonic()
    assert [victim.returncode for victim in victims] == [-signal.SIGKILL] * 2

    wait_for(lambda: shop.handled(len(mails)), seconds=30, shop=shop)

    took = monotonic() - killed
    assert took < 30
    arrived = [mail.content for mail in catcher.mails]
    assert broken_promises(shop.context, mails, arrived) == []
    assert len(arrived) == len(mails)
    with open_session(shop.context.engine) as session:
        outcomes = session.exec(select(RawMessage.outcome)).all()
    assert outcomes == ["ticket"] * len(mails)
    assert shop.said("row set aside") == shop.said("unexpected error") == []
    assert shop.said("wake-up of a dead node")
    assert shop.alive() == 1

    survivor.terminate()
    assert survivor.wait(timeout=15) == 0
    assert shop.alive() == 0


def test_a_fleet_on_sqlite_is_refused_in_one_sentence(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk", configuration(user="sklep", imap_port=1, smtp_port=1))
    refused = desk.run("fleet", status=1)
    [sentence] = refused.stderr.splitlines()
    assert sentence.startswith("odzew: a fleet needs PostgreSQL")
    assert not (desk.folder / "var").exists()
