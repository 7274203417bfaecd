"""What `odzew doctor` tries, and what to do about each finding."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import Any

from config.errors import OdzewError
from config.replies import ReplyValues, problems
from config.settings import Mailbox, Settings, load_settings
from config.taxonomy import Taxonomy
from storage.columns import utc_now
from storage.database import DATABASE_DOWN, Engine, explain, migrate, open_database, open_session
from storage.files import FileStore
from storage.fleet import nodes
from storage.mail import count_ledger, find_cursor, outcome_counts

LEAST_FREE = 1024**3  # bytes
EVERYWHERE = ("ingest", "assign", "deliver", "alarms")  # steps that some node of a fleet must do
LOGIN_ENDS_SOON = timedelta(days=7)


@dataclass(frozen=True)
class Finding:
    check: str
    ok: bool
    found: str
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(config: Path | None) -> Iterator[Finding]:
    """Try everything that odzew needs, one finding at a time; nothing is changed or sent.

    Only a token that has run out is renewed, as it would be by the worker.
    """
    try:
        settings = load_settings(config)
        taxonomy = Taxonomy.load(settings.triage.taxonomy or None)
    except OdzewError as error:
        yield Finding("configuration", False, str(error), "correct the file and try again")
        return
    yield Finding(
        "configuration",
        True,
        f"{len(settings.mailboxes)} mailboxes, {len(taxonomy.active_causes)} causes",
    )
    try:
        engine = open_database(settings.database.url)
    except OdzewError as error:
        yield Finding("database", False, str(error), "correct database.url")
        return
    database = _tried("database", lambda: _database(engine), "start it, or correct database.url")
    yield database
    yield _tried("disk", lambda: _disk(settings), "free some space, or correct storage.path")
    yield _tried("replies", lambda: _replies(settings), "correct the shop's own templates")
    if not settings.mailboxes:
        yield Finding(
            "mailboxes", False, "none is configured", "add a [[mailboxes]] table to odzew.toml"
        )
    for mailbox in settings.mailboxes:
        yield _tried(
            f"mailbox {mailbox.name}",
            partial(_mailbox, settings, mailbox, engine if database.ok else None),
            "see the connecting guide in the README",
        )
        if mailbox.oauth:
            yield _tried(
                f"token {mailbox.name}",
                partial(_token, settings, mailbox),
                f"odzew mailboxes login {mailbox.name}",
            )
    yield _tried("smtp", lambda: _smtp(settings), "correct the [smtp] table")
    yield _tried(
        "classifier",
        partial(_classifier, engine if database.ok else None, settings.storage.path),
        "odzew classifiers list",
    )
    yield _tried("alarms", lambda: _alarms(settings), "correct the [alerts] table")
    yield _clock()
    if database.ok:
        yield from fleet_findings(settings, engine)


def _tried(check: str, do: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(check, True, do())
    except OdzewError as error:
        return Finding(check, False, str(error), advice)
    except OSError as error:
        return Finding(check, False, f"{error.strerror}: {error.filename}", advice)


class _Wrong(OdzewError):
    """A finding that is no exception elsewhere."""


def _database(engine: Engine) -> str:
    try:
        migrate(engine)
        with open_session(engine) as session:
            rows, counts = count_ledger(session), outcome_counts(session)
    except DATABASE_DOWN as error:
        raise _Wrong(explain(engine, error)) from error
    if rows != sum(counts.values()):
        raise _Wrong(f"the ledger has {rows} rows but {sum(counts.values())} outcomes")
    aside = counts.get("quarantined", 0)
    if aside:
        raise _Wrong(f"{aside} of {rows} messages are set aside; see `odzew ledger`")
    return f"{engine.dialect.name}, {rows} messages, each with one outcome"


def _disk(settings: Settings) -> str:
    root = settings.storage.path
    root.mkdir(parents=True, exist_ok=True)
    FileStore(root).put(b"odzew doctor")
    free = shutil.disk_usage(root).free
    if free < LEAST_FREE:
        raise _Wrong(f"only {free // 1024**2} MiB are free in {root}")
    return f"{root} is writable, {free // 1024**3} GiB free"


def _replies(settings: Settings) -> str:
    sender = settings.smtp.sender if settings.smtp else "Sklep <sklep@sklep.example>"
    contact = "\n".join(part for part in (settings.shop.address, parseaddr(sender)[1]) if part)
    wrong = problems(
        ReplyValues(
            shop_name=settings.shop.name,
            shop_contact=contact,
            reference="ODZ-2026-000001",
            received_at=datetime.now(UTC),
            timezone=settings.shop.timezone,
            privacy_link=settings.shop.privacy_url,
        ),
        folder=settings.acknowledgements.templates,
    )
    if wrong:
        raise _Wrong("; ".join(wrong))
    return "every template says what it must and nothing that it must not"


def _mailbox(settings: Settings, mailbox: Mailbox, engine: Engine | None) -> str:
    from worker.imap import connect, open_folder
    from worker.oauth import AccessTokens

    found = []
    with connect(mailbox, AccessTokens(settings, utc_now)) as client:
        for name in mailbox.folders:
            folder = open_folder(client, mailbox, name)
            found.append(f"{name}: {folder.exists} messages")
            if engine is None or mailbox.start in ("now", "archive"):
                continue
            with open_session(engine) as session:
                first = find_cursor(session, mailbox.name, name) is None
            if first:
                since = mailbox.start if isinstance(mailbox.start, date) else None
                uids = folder.uids_after(0, since=since)
                size = sum(entry.size for entry in folder.envelopes(uids).values())
                found.append(f"the first pull takes {len(uids)} of them, {size // 1024**2} MB")
    return "; ".join(found)


def _token(settings: Settings, mailbox: Mailbox) -> str:
    from worker.oauth import AccessTokens

    if not mailbox.oauth_client_id:
        raise _Wrong(
            f"{mailbox.oauth_token_env} holds an access token, which lives about an hour and is "
            "not renewed; set oauth_client_id, then log in"
        )
    stored = AccessTokens(settings, utc_now).stored(mailbox)
    if stored is None:
        raise _Wrong("nobody has logged in yet")
    if stored.problem is not None:
        raise _Wrong(stored.problem)
    days = (utc_now() - stored.renewed_at).days
    found = f"renewed {days} days ago, good until {stored.expires_at:%Y-%m-%d %H:%M} UTC"
    if stored.login_ends_at is None:
        return f"{found}, then renewed again by itself"
    found += f"; the login itself ends on {stored.login_ends_at:%Y-%m-%d}"
    if stored.login_ends_at - utc_now() < LOGIN_ENDS_SOON:
        raise _Wrong(f"{found}: log in again before")
    return found


def _smtp(settings: Settings) -> str:
    from worker.oauth import AccessTokens
    from worker.smtp import connect

    if settings.smtp is None:
        raise _Wrong("no [smtp] table: nothing is acknowledged")
    with connect(settings.smtp, AccessTokens(settings, utc_now).for_smtp(settings.smtp)):
        return f"{settings.smtp.host}:{settings.smtp.port} accepts us"


def _alarms(settings: Settings) -> str:
    from worker.alarm_channels import configured, webhook_url
    from worker.smtp import connect

    channels = configured(settings.alerts)
    if "webhook" in channels:
        webhook_url(settings.alerts)
    if settings.alerts.smtp is not None:
        with connect(settings.alerts.smtp):
            pass
    return f"told by {' and '.join(channels) or 'the page and the log alone: see [alerts]'}"


def _classifier(engine: Engine | None, storage: Path) -> str:
    from models.registry import active_folder, default_folder
    from triage.triager import Triager

    folder = default_folder()
    if engine is not None:
        with open_session(engine) as session:
            folder = active_folder(session, storage) or folder
    triager = Triager.load(folder, encoder_folder=default_folder())
    [result] = triager.triage([("Reklamacja", "Przyszedł stłuczony wazon, proszę o wymianę.")])
    return f"{result.classifier} reads a test mail as {result.cause}, {result.urgency}"


def _clock() -> Finding:
    now = datetime.now(UTC)
    # The legal clock stands on this one; a machine without a battery starts in 1970.
    newest = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    ok = now >= newest
    advice = "" if ok else "set the clock, for example by an NTP service"
    return Finding("clock", ok, f"{now:%Y-%m-%d %H:%M} UTC", advice)


def fleet_findings(settings: Settings, engine: Engine) -> Iterator[Finding]:
    """Nothing where no `odzew fleet` has run for a day."""
    with open_session(engine) as session:
        known = nodes(session)
    if not known:
        return
    alive = [node for node in known if node.alive]
    done = {step for node in alive for step in node.steps}
    wanted = [f"pull {mailbox.name}" for mailbox in settings.mailboxes]
    missing = [step for step in (*wanted, *EVERYWHERE) if step not in done]
    found = f"{len(alive)} nodes are alive"
    if len(alive) < len(known):
        last = max(node.seen_at for node in known if not node.alive)
        found += f", {len(known) - len(alive)} died within a day, the last at {last:%H:%M} UTC"
    if missing:
        found += f"; nobody does: {', '.join(missing)}"
    yield Finding("fleet", not missing, found, "start `odzew fleet`" if missing else "")
