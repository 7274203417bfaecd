"""Alarms: opened once for each trouble, told to each channel, closed when the trouble is over.

An alarm that closes before its telling began is told to nobody. Where a channel was tried in vain
(a network that is down takes mailbox and channel together), it is told as closed when the channel
works again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, case, delete, func, not_, update
from sqlmodel import Session, col, select

from storage.mail import insert_ignoring_duplicates
from storage.tables import Alarm
from storage.work import UNTRIED_WITHIN

Channel = Literal["webhook", "mail"]
CHANNELS: tuple[Channel, ...] = ("webhook", "mail")

# What is over and could not be told for so long is no news any more.
FORGOTTEN_AFTER = timedelta(days=1)


def open_alarm(
    session: Session,
    kind: str,
    key: str,
    detail: Mapping[str, Any],
    *,
    now: datetime,
    counts_from: datetime,
) -> bool:
    """Open an alarm, to be told from then on; False where one with this key is open already."""
    alarm = Alarm(
        kind=kind,
        key=key,
        detail=dict(detail),
        opened_at=now,
        counts_from=counts_from,
        next_attempt_at=counts_from,
    )
    opened = session.execute(
        insert_ignoring_duplicates(session, Alarm).returning(col(Alarm.id)),
        alarm.model_dump(exclude={"id"}),
    )
    return opened.first() is not None


def close_alarms(session: Session, keys: Iterable[str], *, now: datetime) -> int:
    """The trouble is over: who was told of it is to be told so; return how many there were."""
    wanted = sorted(keys)
    closed = 0
    for first in range(0, len(wanted), 500):
        those = (col(Alarm.key).in_(wanted[first : first + 500]), col(Alarm.closed_at).is_(None))
        quiet = (*those, not_(_is_news()))
        done = (
            delete(Alarm).where(*quiet, col(Alarm.counts_from) > now),
            update(Alarm).where(*quiet).values(closed_at=now, next_attempt_at=None),
            update(Alarm).where(*those).values(closed_at=now, next_attempt_at=now, attempts=0),
        )
        for statement in done:
            closed += len(session.execute(statement.returning(col(Alarm.id))).all())
    return closed


def _is_news() -> ColumnElement[bool]:
    """It has been told, or was in vain, or is being told just now."""
    return (
        col(Alarm.told_at).is_not(None)
        | (col(Alarm.attempts) > 0)
        | col(Alarm.claimed_until).is_not(None)
    )


def bring_alarms_back(session: Session, *, now: datetime) -> int:
    """Alarms opened under a clock that was set back since count from now on (CP-47)."""
    due = case((col(Alarm.next_attempt_at) > now, now), else_=col(Alarm.next_attempt_at))
    changed = (
        update(Alarm)
        .where(col(Alarm.opened_at) > now + UNTRIED_WITHIN)
        .values(
            opened_at=now, counts_from=now, next_attempt_at=due, claimed_until=None, claimed_by=None
        )
        .returning(col(Alarm.id))
    )
    rows = len(session.scalars(changed).all())
    session.commit()
    return rows


def open_keys(session: Session) -> set[str]:
    """Of every open alarm, those included that do not count yet."""
    return set(session.exec(select(Alarm.key).where(col(Alarm.closed_at).is_(None))))


def standing_alarms(
    session: Session, *, now: datetime, kinds: Sequence[str] | None = None
) -> Sequence[Alarm]:
    """Open alarms that count, oldest first."""
    statement = select(Alarm).where(*_stands(now)).order_by(col(Alarm.opened_at), col(Alarm.id))
    if kinds is not None:
        statement = statement.where(col(Alarm.kind).in_(kinds))
    return session.exec(statement).all()


def open_alarms_by_kind(session: Session, *, now: datetime) -> dict[str, int]:
    statement = select(Alarm.kind, func.count()).where(*_stands(now)).group_by(Alarm.kind)
    return dict(session.exec(statement).all())


def _stands(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return col(Alarm.closed_at).is_(None), col(Alarm.counts_from) <= now


def told_of(alarm: Alarm, channel: Channel) -> str:
    """What a channel knows of an alarm: nothing (""), ``open`` or ``closed``."""
    return alarm.webhook_told if channel == "webhook" else alarm.mail_told


def state_of(alarm: Alarm) -> str:
    return "open" if alarm.closed_at is None else "closed"


def note_told(session: Session, alarms: Sequence[Alarm], channel: Channel) -> None:
    """A channel knows these alarms as they stood when they were read; the caller commits."""
    for alarm in alarms:
        if channel == "webhook":
            alarm.webhook_told = state_of(alarm)
        else:
            alarm.mail_told = state_of(alarm)
        session.add(alarm)


def settle(session: Session, alarm: Alarm, *, now: datetime) -> None:
    """Every channel knows: there is nothing more to do, unless the alarm has closed meanwhile.

    Asked of the database in one statement: ``close_alarms`` may run beside the telling.
    """
    is_over = col(Alarm.closed_at).is_not(None)
    told = is_over if alarm.closed_at is not None else not_(is_over)
    _give_back(
        session,
        alarm,
        next_attempt_at=case((told, None), else_=col(Alarm.next_attempt_at)),
        told_at=alarm.told_at or now,
        attempts=0,
        problem=None,
    )


def try_again(session: Session, alarm: Alarm, *, now: datetime, problem: str) -> None:
    """A channel could not be told: again later, ever more seldom, four times an hour at least."""
    attempts = alarm.attempts + 1
    wait = timedelta(seconds=min(30 * 2 ** min(attempts - 1, 10), 900))
    is_forgotten = alarm.closed_at is not None and now - alarm.closed_at > FORGOTTEN_AFTER
    _give_back(
        session,
        alarm,
        next_attempt_at=None if is_forgotten else now + wait,
        attempts=attempts,
        problem=problem,
    )


def leave(session: Session, alarm: Alarm) -> None:
    """The worker was stopped before this one: it is as if it had not been claimed."""
    _give_back(session, alarm)


def _give_back(session: Session, alarm: Alarm, **values: Any) -> None:
    """End the claim on an alarm, if it still is this claim's."""
    session.flush()
    session.execute(
        update(Alarm)
        .where(col(Alarm.id) == alarm.id, col(Alarm.claimed_by) == alarm.claimed_by)
        .values(claimed_until=None, claimed_by=None, **values)
        .execution_options(synchronize_session=False)
    )
