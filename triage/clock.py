"""When an answer is due: legal terms, working days, and how soon a person must look.

A term is counted in calendar days of the shop's time zone, never in hours, so that a change to
summer time moves nothing. The day of receipt is day zero (art. 111 § 2 k.c.), the term ends with
the end of its last day, and a last day that is a Saturday, Sunday or public holiday moves to the
next working day (art. 115 k.c.). Public holidays come from the ``holidays`` package.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from config.errors import PermanentError

# Art. 7a ust. 1 UPK (answer to a complaint) and art. 32 ust. 1 UPK (refund after a withdrawal).
STATUTORY_DAYS = 14

_DAY = timedelta(days=1)
_SATURDAY = 5
_LEVELS = {"critical": 1, "high": 2, "normal": 3, "low": 4}


class UnknownCountryError(PermanentError):
    """The public holidays of a country are not known."""


@dataclass(frozen=True)
class Deadlines:
    """The end of a statutory term, in the three forms that different readers need."""

    raw: date  # day zero plus the days of the term, not rolled
    due_at: datetime  # UTC, exclusive: the first instant after the rolled last day
    due_safe: date  # last working day not after ``raw``; queue and alarms go by it


def deadlines(
    received_at: datetime,
    *,
    clock: str,
    timezone: str = "Europe/Warsaw",
    country: str = "PL",
    days: int = STATUTORY_DAYS,
) -> Deadlines | None:
    """The term that began when the message was received; None for clock ``none``.

    clock: ``complaint``: the answer (art. 7a UPK), also for what is not classified yet, which the
    caller passes as a complaint. ``withdrawal``: the refund within 14 days of receiving the
    statement (art. 32 ust. 1 UPK), with the same arithmetic.
    country: ISO 3166 code whose public holidays count; raises UnknownCountryError for another.
    The answer must reach the consumer in time (art. 61 k.c.), hence ``due_safe``: it spends
    nothing of what rolling adds.
    """
    if clock == "none":
        return None
    if clock not in ("complaint", "withdrawal"):
        raise ValueError(f"clock {clock!r} is none of complaint, withdrawal, none")
    zone = ZoneInfo(timezone)
    raw = due = safe = _aware(received_at).astimezone(zone).date() + timedelta(days=days)
    while not is_working_day(due, country=country):
        due += _DAY
    while not is_working_day(safe, country=country):
        safe -= _DAY
    end = datetime.combine(due + _DAY, time.min, zone)
    return Deadlines(raw=raw, due_at=end.astimezone(UTC), due_safe=safe)


def received_at(
    internal_date: datetime | None,
    fetched_at: datetime,
    trusted_received: Sequence[datetime] = (),
) -> datetime:
    """When the message reached the shop, in UTC: the earliest of what can be trusted.

    A declaration is made when it can be read (art. 61 § 2 k.c.), so the server's acceptance
    counts, not the fetch. INTERNALDATE alone may be too late: a migration rewrites it.

    internal_date: the IMAP INTERNALDATE; None where the message came from a file.
    trusted_received: moments of the Received fields written by trusted hosts, topmost first. Only
    the topmost counts: those below it may be forged. The Date field has no say at all.
    """
    moments = [fetched_at, *trusted_received[:1]]
    if internal_date is not None:
        moments.append(internal_date)
    return min(_aware(moment) for moment in moments).astimezone(UTC)


@lru_cache(maxsize=1024)
def is_working_day(day: date, *, country: str = "PL") -> bool:
    """Whether a term may end on this day: no Saturday, Sunday or public holiday."""
    return day.weekday() < _SATURDAY and day not in _calendar(country)


@lru_cache(maxsize=1024)
def working_days_left(due_safe: date, today: date, *, country: str = "PL") -> int:
    """Working days after today up to ``due_safe`` inclusive: 0 on the last day, -1 when over."""
    if due_safe < today:
        return -1
    span = range(1, (due_safe - today).days + 1)
    return sum(is_working_day(today + n * _DAY, country=country) for n in span)


def priority(
    urgency: str | None, due_safe: date | None, today: date, *, country: str = "PL"
) -> int:
    """How soon a person must look, 1 (first) to 4: the more pressing of deadline and urgency.

    ========  ==========================  =====================
    priority  working days to due_safe    urgency
    ========  ==========================  =====================
    1         overdue, today or 1         critical
    2         2 or 3                      high
    3         4 or 5                      normal, not yet known
    4         more, or no term            low
    ========  ==========================  =====================

    The steps are those of the alarms, 5, 3 and 1 working days before. No urgency can push a
    ticket behind its deadline; a calm tone on the last day is still 1.
    """
    by_urgency = _LEVELS[urgency or "normal"]
    if due_safe is None:
        return by_urgency
    left = working_days_left(due_safe, today, country=country)
    by_deadline = 1 if left <= 1 else 2 if left <= 3 else 3 if left <= 5 else 4
    return min(by_urgency, by_deadline)


@lru_cache
def _calendar(country: str) -> holidays.HolidayBase:
    try:
        return holidays.country_holidays(country)
    except NotImplementedError as error:
        raise UnknownCountryError(
            f"no public holidays are known for the country {country!r}; "
            "use an ISO 3166 code such as 'PL'"
        ) from error


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment
