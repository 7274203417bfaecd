"""Telling of alarms by a second channel: a webhook, and mail by another SMTP server.

At least once: a channel is noted as told after it has answered, so a crash in between tells twice.
A channel that does not answer is tried again, ever more seldom; the other one is told meanwhile.
Neither is given an address, a subject or a text of anybody's mail.
"""

import contextlib
import http.client
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from urllib.parse import urlsplit

from config.alarm_texts import AlarmLine, alarm_language, alarm_mail, alarm_text
from config.errors import OdzewError, PermanentError, TemporaryError
from config.logs import without_addresses
from config.settings import Alerts, ConfigurationError, is_loopback, read_secret
from storage.alarms import (
    CHANNELS,
    Channel,
    leave,
    note_told,
    settle,
    state_of,
    told_of,
    try_again,
)
from storage.database import Session, open_session
from storage.instance import get_instance
from storage.tables import Alarm, Instance
from storage.work import claim, keep_lease
from worker.acknowledgement import loop_header
from worker.context import Context
from worker.smtp import connect

log = logging.getLogger(__name__)

BATCH = 100
WEBHOOK_SECONDS = 10


class ChannelFailed(TemporaryError):
    """A channel could not be told; the message never holds the webhook's address."""


def tell_of_alarms(context: Context) -> int:
    """Tell the log and each configured channel what they do not know; return of how many alarms.

    Raises ChannelFailed when a channel could not be told, after the other one was.
    """
    channels = configured(context.settings.alerts)
    with open_session(context.engine) as session:
        alarms = claim(session, Alarm, now=context.clock(), limit=BATCH)
        if not alarms:
            return 0
        _log(alarms)
        with keep_lease(context.engine, alarms, clock=context.clock):
            problems = {channel: _tell(context, session, channel, alarms) for channel in channels}
            for alarm in alarms:
                _close(session, alarm, problems, now=context.clock())
            session.commit()
    for problem in problems.values():
        if problem is not None:
            raise ChannelFailed(problem)
    return len(alarms)


def _log(alarms: Sequence[Alarm]) -> None:
    for alarm in alarms:
        if alarm.attempts:  # it was said when a channel was tried first
            continue
        about = {name: alarm.detail.get(name) for name in ("mailbox", "folder", "uid", "ticket")}
        extra = {"alarm": alarm.kind, "row": alarm.detail.get("row")} | about
        if alarm.closed_at is None:
            log.warning("alarm opened", extra=extra)
        else:
            log.info("alarm closed", extra=extra)


def _close(
    session: Session, alarm: Alarm, problems: Mapping[Channel, str | None], *, now: datetime
) -> None:
    unaware = [channel for channel in problems if told_of(alarm, channel) != state_of(alarm)]
    problem = next((problems[channel] for channel in unaware if problems[channel]), None)
    if not unaware:
        settle(session, alarm, now=now)
    elif problem is not None:
        try_again(session, alarm, now=now, problem=problem)
    else:
        leave(session, alarm)


def configured(alerts: Alerts) -> list[Channel]:
    """The channels that a shop has set up."""
    has = {"webhook": bool(alerts.webhook_env), "mail": alerts.smtp is not None}
    return [channel for channel in CHANNELS if has[channel]]


def _tell(
    context: Context, session: Session, channel: Channel, alarms: Sequence[Alarm]
) -> str | None:
    """Tell one channel, or say why not all of it went through: the others would meet the same."""
    waiting = [alarm for alarm in alarms if told_of(alarm, channel) != state_of(alarm)]
    instance = get_instance(session)
    # A webhook is told one by one; of all that is new there is one mail.
    parts = [[alarm] for alarm in waiting] if channel == "webhook" else [waiting] * bool(waiting)
    try:
        for part in parts:
            if context.stopping.is_set():
                break
            if channel == "webhook":
                post(context, instance, part[0])
            else:
                send_mail(context, instance, part)
            note_told(session, part, channel)
            session.commit()
    except OdzewError as error:
        return str(error)
    return None


# The webhook.


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An address that has moved is for a person to correct; the message goes nowhere else."""

    def redirect_request(self, *_: object) -> None:
        return None


def webhook_url(alerts: Alerts) -> str:
    """The address of the webhook, a secret; raises ConfigurationError where it cannot be one."""
    url = read_secret(alerts.webhook_env, None, owner="the webhook of [alerts]")
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https" or is_loopback(parts.hostname or "")
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isascii()
    except ValueError:
        valid = secure = False
    if not valid or not secure or not url.isprintable() or " " in url:
        raise ConfigurationError(
            f"the environment variable {alerts.webhook_env} holds no address of a webhook; "
            "allowed: https://..., or http:// on this machine"
        )
    return url


def post(context: Context, instance: Instance, alarm: Alarm) -> None:
    """Tell the webhook of one alarm; raises ChannelFailed."""
    url = webhook_url(context.settings.alerts)
    body = json.dumps(webhook_body(context, instance, alarm), ensure_ascii=False).encode()
    request = urllib.request.Request(url, data=body, method="POST")
    request.add_header("Content-Type", "application/json; charset=utf-8")
    request.add_header("User-Agent", "odzew")
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    with _without_the_address(), opener.open(request, timeout=WEBHOOK_SECONDS):
        pass


def webhook_body(context: Context, instance: Instance, alarm: Alarm) -> dict[str, str]:
    text = alarm_text(alarm.kind, alarm.detail, "en", timezone="UTC")
    return {
        "event": alarm.kind,
        "state": state_of(alarm),
        "detail": without_addresses(text.what),
        "at": (alarm.closed_at or alarm.opened_at).astimezone(UTC).isoformat(timespec="seconds"),
        "installation": installation_name(context, instance),
    }


def installation_name(context: Context, instance: Instance) -> str:
    """Which of several installations speaks: the shop's name, and what no other one has."""
    return f"{context.settings.shop.name} ({instance.shop_id})"


@contextlib.contextmanager
def _without_the_address() -> Iterator[None]:
    """What the library says of a failure may quote the address: only the kind of it is kept."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise ChannelFailed(f"the webhook answered {error.code}, not 2xx") from None
    except urllib.error.URLError as error:
        reason = error.reason
        kind = reason.strerror if isinstance(reason, OSError) else None
        kind = kind or type(reason).__name__
        raise ChannelFailed(f"the webhook cannot be reached: {kind}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ChannelFailed(f"the webhook cannot be reached: {type(error).__name__}") from None


# Mail to the lead.


def send_mail(context: Context, instance: Instance, alarms: Sequence[Alarm]) -> None:
    """One mail about all of these alarms, to each reader; raises ChannelFailed.

    Some reader must have been told: an address that the server refuses for good is logged.
    """
    server = context.settings.alerts.smtp
    assert server is not None, "configured() says so"
    sender = parseaddr(server.sender)[1]
    refusals: list[str] = []
    with _as_channel():
        for reader in context.settings.alerts.to:
            content = alarm_message(context, instance, alarms, to=reader, now=context.clock())
            try:
                # A connection for each: there are servers that take one message over one.
                with connect(server) as connection:
                    connection.send(
                        content, sender=sender, recipient=reader, before_data=lambda: None
                    )
            except PermanentError as error:
                refusals.append(str(error))
                log.warning("alarm mail refused", extra={"problem": str(error)})
        if len(refusals) == len(context.settings.alerts.to):
            raise ChannelFailed(f"alerts.smtp: every address is refused: {refusals[0]}")


@contextlib.contextmanager
def _as_channel() -> Iterator[None]:
    try:
        yield
    except ChannelFailed:
        raise
    except OdzewError as error:
        raise ChannelFailed(f"alerts.smtp: {error}") from error


def alarm_message(
    context: Context, instance: Instance, alarms: Sequence[Alarm], *, to: str, now: datetime
) -> bytes:
    """The mail as it goes on the wire; told twice, it has the same Message-ID."""
    settings = context.settings
    server = settings.alerts.smtp
    assert server is not None
    lines = [
        AlarmLine(
            alarm.kind, alarm.detail, alarm.closed_at or alarm.opened_at, alarm.closed_at is None
        )
        for alarm in alarms
    ]
    subject, body = alarm_mail(
        lines,
        settings.shop.language,
        shop=settings.shop.name,
        installation=instance.shop_id,
        timezone=settings.shop.timezone,
    )
    about = " ".join(f"{alarm.id}:{state_of(alarm)}" for alarm in alarms)
    digest = sha256(f"{instance.shop_id} {to} {about}".encode()).hexdigest()[:32]
    message = EmailMessage(policy=SMTP_POLICY)
    message["Date"] = format_datetime(now.astimezone(UTC))
    message["From"] = server.sender
    message["To"] = to
    message["Subject"] = subject
    message["Message-ID"] = f"<alarm.{digest}@{parseaddr(server.sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    # Should it be forwarded to a watched mailbox, it is known as our own and opens no ticket.
    message["X-Odzew-Loop"] = loop_header(instance.shop_id, key=instance.loop_key)
    message["Content-Language"] = alarm_language(settings.shop.language)
    message.set_content(body, cte="base64")
    return message.as_bytes()
