"""The step ``alarms``: what a person should be told by another way than the page.

Everything is read from the database, and the free space from the disk, so that alarms go on when
mail servers and classifier are away. An alarm opens when its trouble is seen and closes when it is
not seen any more. Telling is another matter: ``worker.alarm_channels``.
"""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from config.settings import Mailbox
from storage.alarms import close_alarms, open_alarm, open_keys
from storage.database import Session, database_file, open_session
from storage.instance import get_instance
from storage.metrics import store_counts
from storage.tables import MailboxCursor
from storage.troubles import (
    ARRIVALS,
    Arrival,
    all_cursors,
    classifier_is_missing,
    latest_arrivals,
    long_withheld,
    quarantined_messages,
    unknown_deliveries,
)
from triage.clock import is_working_day
from worker.context import Context

LEAST_FREE = 1024**3  # bytes, as in odzew doctor
ENOUGH_FREE = LEAST_FREE * 5 // 4  # so that an alarm does not come and go at the limit
MAILBOX_FAILS_AFTER = timedelta(minutes=30)
# A worker that begins, or goes on after a pause, has old successes: its first pull is under way.
FIRST_PULL = timedelta(minutes=2)
WITHHELD_TRIES = 3
# How many days with mail a habit needs, and after how many working days without any it is broken.
DAYS_OF_HABIT = 5
LEAST_SILENCE = 3


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong just now; ``patience``: how long it may be before it is an alarm."""

    kind: str
    key: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    patience: timedelta = timedelta(0)


def look_for_alarms(context: Context) -> int:
    """Open an alarm for each new trouble, close those of troubles that are over; count both."""
    now = context.clock()
    changed = 0
    with open_session(context.engine) as session:
        known = open_keys(session)
        there = {trouble.key: trouble for trouble in troubles(context, session, known, now=now)}
        for key in sorted(there.keys() - known):
            trouble = there[key]
            changed += open_alarm(
                session,
                trouble.kind,
                key,
                trouble.detail,
                now=now,
                counts_from=now + trouble.patience,
            )
        changed += close_alarms(session, known - there.keys(), now=now)
        session.commit()
    return changed


def count_rows(context: Context) -> int:
    """Count for the metrics what is too much to count at each scrape; nothing waits for this."""
    with open_session(context.engine) as session:
        store_counts(session, now=context.clock())
        session.commit()
    return 0


def troubles(
    context: Context, session: Session, known: Collection[str], *, now: datetime
) -> Iterator[Trouble]:
    """Everything that is wrong now. ``known``: keys of open alarms."""
    for message in quarantined_messages(session):
        yield Trouble("message_quarantined", f"message_quarantined {message.row}", asdict(message))
    for row, reference in unknown_deliveries(session):
        detail = {"row": row, "ticket": reference}
        yield Trouble("delivery_unknown", f"delivery_unknown {row}", detail)
    yield from _mailbox_troubles(context, session, now=now)
    instance = get_instance(session)
    if instance.acknowledgements_paused and instance.pause_reason:
        yield Trouble(
            "acknowledgements_paused", "acknowledgements_paused", {"reason": instance.pause_reason}
        )
    if classifier_is_missing(session):
        yield Trouble("classifier_missing", "classifier_missing")
    free = free_bytes(context)
    if free < (ENOUGH_FREE if "disk_low" in known else LEAST_FREE):
        yield Trouble("disk_low", "disk_low", {"mib": free // 1024**2})


def free_bytes(context: Context) -> int:
    """What is left where mail is stored, on the fuller disk where there are two."""
    file = database_file(context.engine)
    places = [context.settings.storage.path, *([file.parent] if file is not None else [])]
    return min(shutil.disk_usage(_existing(place)).free for place in places)


def _existing(folder: Path) -> Path:
    """The folder, or where it will be made."""
    return next(path for path in (folder, *folder.resolve().parents) if path.exists())


def _mailbox_troubles(context: Context, session: Session, *, now: datetime) -> Iterator[Trouble]:
    cursors = {(cursor.mailbox, cursor.folder): cursor for cursor in all_cursors(session)}
    withheld = long_withheld(session, tries=1)
    for message in withheld:
        if message.tries >= WITHHELD_TRIES:
            where = {"mailbox": message.mailbox, "folder": message.folder, "uid": message.uid}
            yield Trouble("message_withheld", f"message_withheld {message.id}", where)
    incomplete = {(message.mailbox, message.folder) for message in withheld}
    for mailbox in context.settings.mailboxes:
        watched = [(folder, cursors.get((mailbox.name, folder))) for folder in mailbox.folders]
        newest = {folder: _newest(session, cursor) for folder, cursor in watched}
        is_read = True
        for folder, cursor in watched:
            is_short = (mailbox.name, folder) in incomplete
            failing = _failing(mailbox, folder, cursor, newest[folder], is_short, now=now)
            if failing is not None:
                is_read = False
                yield failing
            if cursor is not None and cursor.gaps:
                detail = {"mailbox": mailbox.name, "folder": folder, "count": cursor.gaps}
                yield Trouble("ledger_gaps", f"ledger_gaps {mailbox.name}/{folder}", detail)
        # Of a mailbox that cannot be read nobody knows whether mail arrives.
        last = max((arrival.latest for arrival in newest.values() if arrival), default=None)
        if is_read and last is not None and _is_silent(context, session, watched, last, now=now):
            detail = {"mailbox": mailbox.name, "since": last.isoformat()}
            yield Trouble("mailbox_silent", f"mailbox_silent {mailbox.name}", detail)


def _newest(session: Session, cursor: MailboxCursor | None) -> Arrival | None:
    found = [] if cursor is None else latest_arrivals(session, cursor, limit=1)
    return found[0] if found else None


def _failing(
    mailbox: Mailbox,
    folder: str,
    cursor: MailboxCursor | None,
    newest: Arrival | None,
    is_incomplete: bool,
    *,
    now: datetime,
) -> Trouble | None:
    """A folder without success for long, or with a problem that does not pass (C-37).

    A first pull of many messages succeeds with its last one only: those that come count as well.
    is_incomplete: what is withheld is the problem, and has an
    alarm of its own.
    """
    limit = max(MAILBOX_FAILS_AFTER, 3 * timedelta(seconds=mailbox.poll_seconds))
    last = None
    if cursor is not None:
        fetched = [newest.fetched_at] if newest else []
        last = max(cursor.last_success_at or cursor.go_live_at, *fetched, cursor.go_live_at)
    since = last or now
    if last is not None and now - last >= limit:
        patience = FIRST_PULL
    elif last is None or (cursor is not None and cursor.problem and not is_incomplete):
        patience = limit
    else:
        return None
    return Trouble(
        "mailbox_failing",
        f"mailbox_failing {mailbox.name}/{folder}",
        {"mailbox": mailbox.name, "folder": folder, "since": since.isoformat()},
        patience,
    )


def _is_silent(
    context: Context,
    session: Session,
    watched: Sequence[tuple[str, MailboxCursor | None]],
    last: datetime,
    *,
    now: datetime,
) -> bool:
    """Nothing has come to a mailbox for three times its usual gap, three days at least.

    Counted are whole working days, so that no weekend and no public holiday is an alarm.
    """
    country = context.settings.shop.country
    quiet = _working_days_between(context.local_date(last), context.local_date(now), country)
    if quiet < LEAST_SILENCE:
        return False
    arrivals = [
        arrival
        for _, cursor in watched
        if cursor is not None
        for arrival in latest_arrivals(session, cursor, limit=ARRIVALS)
    ]
    gap = usual_gap([context.local_date(arrival.received_at) for arrival in arrivals])
    return gap is not None and quiet >= max(LEAST_SILENCE, 3 * gap)


def usual_gap(days: Sequence[date]) -> float | None:
    """How many days lie between two days with mail, usually; None where too little is known.

    days: of each message. So many that fall on a few days only are daily mail.
    """
    distinct = sorted(set(days))
    if len(distinct) < DAYS_OF_HABIT:
        return 1.0 if len(days) >= ARRIVALS else None
    return float(median((later - earlier).days for earlier, later in pairwise(distinct)))


def _working_days_between(first: date, last: date, country: str) -> int:
    """Whole working days after ``first`` and before ``last``."""
    days = (first + timedelta(days=n) for n in range(1, (last - first).days))
    return sum(is_working_day(day, country=country) for day in days)
