"""Fixtures shared by every test: the clock, databases, mail servers, a browser; no other network.

A server that is missing fails the test that needs it with a sentence naming the Debian package.
What is slow to import is imported where it is used, so that unit tests start at once.
"""

import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from storage.database import Engine, Session
    from tests.rigs import Certificates, Dovecot, FaultProxy, Postfix, Postgres, SmtpCatcher

# Seconds for one test, by folder: a test that hangs is a failure, not a stuck machine.
TIMEOUTS = {"unit": 20, "integration": 60, "acceptance": 300}

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Otherwise it looks up its maker's hosts at every start.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


def pytest_configure() -> None:
    sys.addaudithook(_forbid_other_machines)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(root).parts[0]
        if folder in TIMEOUTS and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUTS[folder]))


def _forbid_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """Stop a test that would talk to anything but this machine.

    Sees what goes through Python's sockets, whichever library asks. Names under .invalid are
    answered as DNS answers them (RFC 6761 section 6.4), without asking it.
    """
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        connection, address = arguments[:2]
        if connection.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
            pytest.fail(f"a test connected to {address}; only loopback is allowed")
    elif event == "socket.getaddrinfo":
        host = arguments[0]
        name = host.decode() if isinstance(host, bytes) else host
        if name and name.rstrip(".").endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if name and not _is_here(name):
            pytest.fail(f"a test looked up {name}; only loopback is allowed")


def _is_here(host: str) -> bool:
    if host in ("", "localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture
def now() -> datetime:
    """A Monday, nine in the morning in Warsaw."""
    return datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


# Databases: each test has its own, a copy of one that was migrated once.


@pytest.fixture(scope="session")
def postgres() -> Iterator["Postgres"]:
    from tests.rigs import Postgres

    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "odzew.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: "Postgres") -> str:
    name = postgres.new_database()
    _migrate(postgres.url(name))
    return name


def _migrate(url: str) -> None:
    from storage.database import migrate, open_database

    engine = open_database(url)
    try:
        migrate(engine)
    finally:
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database: the test runs once on each kind."""
    if request.param == "sqlite":
        path = tmp_path / "odzew.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        name = server.new_database(template=request.getfixturevalue("postgres_template"))
        yield server.url(name)
        if not server.running:  # the test was about that
            server.start()
        server.drop_database(name)


@pytest.fixture
def engine(database_url: str) -> Iterator["Engine"]:
    from storage.database import open_database

    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: "Engine") -> Iterator["Session"]:
    from storage.database import open_session

    with open_session(engine) as session:
        yield session


# Mail servers.


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> "Certificates":
    from tests.rigs import Certificates

    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def _dovecot() -> Iterator["Dovecot"]:
    from tests.rigs import Dovecot

    server = Dovecot()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def dovecot(_dovecot: "Dovecot") -> Iterator["Dovecot"]:
    """One server for all tests; ``new_user`` gives an empty mailbox. A test may stop or kill it."""
    yield _dovecot
    if not _dovecot.running:
        _dovecot.start()


@pytest.fixture
def make_catcher() -> Iterator[Callable[..., "SmtpCatcher"]]:
    """Starts SMTP catchers: plain, or with ``tls`` and ``users``."""
    from tests.rigs import SmtpCatcher

    made: list[SmtpCatcher] = []

    def make(**options: Any) -> SmtpCatcher:
        catcher = SmtpCatcher(**options)
        made.append(catcher)
        catcher.start()
        return catcher

    yield make
    for catcher in made:
        catcher.close()


@pytest.fixture
def catcher(make_catcher: Callable[..., "SmtpCatcher"]) -> "SmtpCatcher":
    return make_catcher()


@pytest.fixture
def make_proxy() -> Iterator[Callable[[int], "FaultProxy"]]:
    """Starts a fault proxy before a port of this machine."""
    from tests.rigs import FaultProxy

    made: list[FaultProxy] = []

    def make(target_port: int) -> FaultProxy:
        proxy = FaultProxy(target_port)
        made.append(proxy)
        proxy.start()
        return proxy

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture
def postfix(catcher: "SmtpCatcher") -> Iterator["Postfix"]:
    """A whole MTA that relays everything to the catcher."""
    from tests.rigs import Postfix

    server = Postfix(relay_port=catcher.port)
    try:
        server.start()
        yield server
    finally:
        server.close()


# A browser. One for a module: Playwright keeps an event loop running in the main thread meanwhile,
# where code that calls asyncio.run would fail.


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    from tests.rigs.process import require

    path = require(CHROMIUM, "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def browser_page(browser: "Browser") -> Iterator["Page"]:
    """A page of a new visitor from Warsaw; scripts that fail and requests that leave this machine
    fail the test."""
    context = browser.new_context(locale="pl-PL", timezone_id="Europe/Warsaw")
    context.set_default_timeout(10_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
    page.on("request", lambda request: problems.extend(_outside(request.url)))
    yield page
    context.close()
    assert not problems


def _outside(url: str) -> list[str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "ws", "wss") or _is_here(parts.hostname or ""):
        return []
    return [f"a page asked for {url}; only loopback is allowed"]
