"""The real page over a real SQLite file, with a clock that tests may move."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from config.settings import Database, Settings, Shop, Storage, Web
from config.taxonomy import Taxonomy
from storage.database import Engine, Session
from storage.files import FileStore
from storage.people import create_link
from storage.tables import Person
from tests.unit.web.samples import NOW, a_person
from web.app import create_app

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
PASSWORD = "zielona herbata o świcie"


@dataclass
class Clock:
    """Time stands still until a test moves it."""

    now: datetime = field(default=NOW)

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        shop=Shop(name="Sklep Przykładny", own_domains=["sklep.example"]),
        database=Database(url=f"sqlite:///{tmp_path / 'odzew.db'}"),
        storage=Storage(path=tmp_path),
    )


@pytest.fixture
def database_url(settings: Settings, tmp_path: Path, sqlite_template: Path) -> str:
    """SQLite alone: what is tried here is the page."""
    (tmp_path / "odzew.db").write_bytes(sqlite_template.read_bytes())
    return settings.database.url


@pytest.fixture
def files(settings: Settings) -> FileStore:
    return FileStore(settings.storage.path)


@pytest.fixture
def client(
    settings: Settings, engine: Engine, files: FileStore, clock: Clock
) -> Iterator[TestClient]:
    """A browser at the page, nobody signed in; it says so honestly, as browsers do."""
    app = create_app(settings, engine, Taxonomy.load(), files, clock=clock)
    with TestClient(
        app, base_url="http://127.0.0.1:8080", headers=SAME_ORIGIN, follow_redirects=False
    ) as client:
        yield client


@pytest.fixture
def behind_proxy(
    settings: Settings, engine: Engine, files: FileStore, clock: Clock
) -> Iterator[TestClient]:
    """The same behind a TLS proxy."""
    settings = settings.with_changes(web=Web(trusted_proxy="127.0.0.1"))
    app = create_app(settings, engine, Taxonomy.load(), files, clock=clock)
    with TestClient(
        app, base_url="https://desk.sklep.example", headers=SAME_ORIGIN, follow_redirects=False
    ) as client:
        yield client


def token_on(page: str) -> str:
    """The token of the forms on a page."""
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


def post(client: TestClient, path: str, *, seen_on: str = "/", **fields: str):
    """Send a form as a reader does: open its page, then press its button."""
    page = client.get(seen_on, follow_redirects=True)
    return client.post(path, data={"csrf_token": token_on(page.text), **fields})


def sign_in(client: TestClient, session: Session, person: Person, *, now: datetime) -> None:
    token = create_link(session, person, now=now)
    session.commit()
    answer = post(client, "/sign-in/link", seen_on=f"/sign-in/link?token={token}", token=token)
    assert answer.status_code == 303


@pytest.fixture
def marta(session: Session) -> Person:
    person = a_person(session, email="marta@sklep.example")
    session.commit()
    return person


@pytest.fixture
def signed_in(client: TestClient, session: Session, marta: Person, clock: Clock) -> TestClient:
    """Marta, a team lead, has signed in."""
    sign_in(client, session, marta, now=clock())
    return client
