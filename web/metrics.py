"""``/metrics``: what a monitoring system asks, in the text format of Prometheus.

Counts and ages, no name of anybody: it may be scraped by a machine that must not read the page.
https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

import hmac
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import PlainTextResponse

from config.settings import Mailbox, Web, is_loopback
from storage.database import open_session
from storage.metrics import Figures, FolderFigures, figures
from storage.tokens import StoredToken, TokenStore, TokensUnreadable
from web.site import Site

router = APIRouter()

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Metric:
    """One figure, or one for each value of its labels. All are gauges: each may fall as well."""

    name: str
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]


@router.get("/metrics")
def show_metrics(request: Request) -> PlainTextResponse:
    """Only for this machine, or for who shows the token."""
    site: Site = request.app.state.site
    _require_scraper(request, site.settings.web)
    now = site.clock()
    today = now.astimezone(ZoneInfo(site.settings.shop.timezone)).date()
    with open_session(site.engine) as session:
        found = figures(session, now=now, today=today)
    mailboxes = site.settings.mailboxes
    tokens = TokenStore(site.settings.storage.path)
    found_metrics = chain(metrics(found, mailboxes, now), token_metrics(tokens, mailboxes, now))
    lines = chain.from_iterable(map(text, found_metrics))
    return PlainTextResponse("\n".join([*lines, ""]), media_type=CONTENT_TYPE)


def _require_scraper(request: Request, web: Web) -> None:
    """Raise 401 for a stranger.

    Behind a proxy every request comes from the proxy's machine, which may be this one: then only
    the token counts. Without one the page listens on this machine alone anyway.
    """
    host = "" if request.client is None else request.client.host
    if not web.trusted_proxy and is_loopback(host):
        return
    token = os.environ.get(web.metrics_token_env, "") if web.metrics_token_env else ""
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    is_known = hmac.compare_digest(given.encode(), token.encode())
    if token and kind.lower() == "bearer" and is_known:
        return
    raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})


def metrics(found: Figures, mailboxes: Sequence[Mailbox], now: datetime) -> Iterator[Metric]:
    """All figures by their names, which stay what they are: dashboards know them."""
    yield Metric(
        "odzew_messages",
        "Messages in the ledger, by outcome.",
        [({"outcome": word}, count) for word, count in found.messages.items()],
    )
    yield _one(
        "odzew_pending_age_seconds",
        "Since the oldest message that is not read yet was fetched; 0: all are read.",
        _age(found.oldest_pending_at, now, never=0),
    )
    yield Metric(
        "odzew_outbox_messages",
        "Acknowledgements, by state.",
        [({"state": word}, count) for word, count in found.outbox.items()],
    )
    yield _one(
        "odzew_outbox_waiting_age_seconds",
        "Since the oldest acknowledgement that waits was written; 0: none waits.",
        _age(found.oldest_waiting_at, now, never=0),
    )
    yield _one("odzew_tickets_open", "Tickets that are not resolved.", found.open_tickets)
    yield _one(
        "odzew_tickets_overdue",
        "Open tickets whose last safe day to answer is over.",
        found.overdue_tickets,
    )
    yield from _folder_metrics(found.folders, mailboxes, now)
    yield _one("odzew_withheld_messages", "Listed by a server and not handed out.", found.withheld)
    yield Metric(
        "odzew_alarms_open",
        "Open alarms, by kind.",
        [({"kind": kind}, count) for kind, count in sorted(found.alarms.items())],
    )
    yield Metric(
        "odzew_classifier_info",
        "1, labelled with the version that is active; absent: none is.",
        [({"version": found.classifier}, 1)] if found.classifier else [],
    )
    paused = {"acknowledgements": found.acknowledgements_paused, "worker": found.worker_paused}
    yield Metric(
        "odzew_paused", "1: it is paused.", [({"what": what}, on) for what, on in paused.items()]
    )


def token_metrics(
    store: TokenStore, mailboxes: Sequence[Mailbox], now: datetime
) -> Iterator[Metric]:
    """Of each mailbox that logs in by OAuth; nothing is said of one without a token here."""
    tokens: dict[str, StoredToken] = {}
    for mailbox in mailboxes:
        with suppress(TokensUnreadable):
            token = store.read(mailbox.name) if mailbox.oauth else None
            if token is not None:
                tokens[mailbox.name] = token
    yield Metric(
        "odzew_token_expiry_seconds",
        "Until the access token of a mailbox ends; negative: it is over and not renewed.",
        [({"mailbox": name}, (t.expires_at - now).total_seconds()) for name, t in tokens.items()],
    )
    yield Metric(
        "odzew_login_expiry_seconds",
        "Until a person must log in again; absent where the provider does not tell.",
        [
            ({"mailbox": name}, (token.login_ends_at - now).total_seconds())
            for name, token in tokens.items()
            if token.login_ends_at is not None
        ],
    )
    yield Metric(
        "odzew_token_problem",
        "1: the provider refuses the login, a person must log in again.",
        [({"mailbox": name}, token.problem is not None) for name, token in tokens.items()],
    )


def _folder_metrics(
    folders: Sequence[FolderFigures], mailboxes: Sequence[Mailbox], now: datetime
) -> Iterator[Metric]:
    """Of each configured folder; what never happened is infinitely long ago."""
    known = {(folder.mailbox, folder.folder): folder for folder in folders}
    watched = [
        known.get((mailbox.name, folder)) or FolderFigures(mailbox.name, folder)
        for mailbox in mailboxes
        for folder in mailbox.folders
    ]

    def each(value: Callable[[FolderFigures], float]) -> list[tuple[Mapping[str, str], float]]:
        return [({"mailbox": one.mailbox, "folder": one.folder}, value(one)) for one in watched]

    yield Metric(
        "odzew_mailbox_success_age_seconds",
        "Since a folder was last read to its end.",
        each(lambda folder: _age(folder.last_success_at, now)),
    )
    yield Metric(
        "odzew_mailbox_comparison_age_seconds",
        "Since a folder was last compared with the ledger as a whole.",
        each(lambda folder: _age(folder.compared_at, now)),
    )
    yield Metric(
        "odzew_mailbox_problem",
        "1: the last attempt to read a folder met a problem.",
        each(lambda folder: folder.has_problem),
    )


def _one(name: str, about: str, value: float) -> Metric:
    return Metric(name, about, [({}, value)])


def _age(moment: datetime | None, now: datetime, *, never: float = math.inf) -> float:
    # A clock that was set back must not make an age negative.
    return never if moment is None else max(0.0, (now - moment).total_seconds())


def text(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.help}"
    yield f"# TYPE {metric.name} gauge"
    for labels, value in metric.samples:
        shown = ",".join(f'{name}="{_escaped(label)}"' for name, label in labels.items())
        number = "+Inf" if value == math.inf else f"{float(value):.15g}"
        yield f"{metric.name}{{{shown}}} {number}" if shown else f"{metric.name} {number}"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
