import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import PermanentError
from triage.clock import (
    Deadlines,
    deadlines,
    is_working_day,
    priority,
    received_at,
    working_days_left,
)

WARSAW = ZoneInfo("Europe/Warsaw")

# received (Europe/Warsaw unless Z), raw day 14, last day after rolling, due_safe
EXAMPLES = {
    "EX-01 leap day": ("2024-02-15 10:00", "2024-02-29", "2024-02-29", "2024-02-29"),
    "EX-02 no leap day": ("2023-02-15 10:00", "2023-03-01", "2023-03-01", "2023-03-01"),
    "EX-03 received on a leap day": ("2028-02-29 12:00", "2028-03-14", "2028-03-14", "2028-03-14"),
    "EX-04 May holidays": ("2026-04-17 09:00", "2026-05-01", "2026-05-04", "2026-04-30"),
    "EX-05 late evening": ("2026-04-17 23:30", "2026-05-01", "2026-05-04", "2026-04-30"),
    "EX-06 just after midnight": ("2026-04-18 00:10", "2026-05-02", "2026-05-04", "2026-04-30"),
    "EX-07 3 May on a Monday": ("2027-04-19 12:00", "2027-05-03", "2027-05-04", "2027-04-30"),
    "EX-08 2 May is a working day": ("2025-04-17 12:00", "2025-05-01", "2025-05-02", "2025-04-30"),
    "EX-09 2 May is no holiday": ("2025-04-18 12:00", "2025-05-02", "2025-05-02", "2025-05-02"),
    "EX-10 Holy Saturday": ("2026-03-21 12:00", "2026-04-04", "2026-04-07", "2026-04-03"),
    "EX-11 Easter Sunday": ("2026-03-22 12:00", "2026-04-05", "2026-04-07", "2026-04-03"),
    "EX-12 Easter Monday": ("2026-03-23 12:00", "2026-04-06", "2026-04-07", "2026-04-03"),
    "EX-13 24 Dec 2024": ("2024-12-10 12:00", "2024-12-24", "2024-12-24", "2024-12-24"),
    "EX-14 24 Dec 2025": ("2025-12-10 12:00", "2025-12-24", "2025-12-29", "2025-12-23"),
    "EX-15 24 Dec 2026": ("2026-12-10 12:00", "2026-12-24", "2026-12-28", "2026-12-23"),
    "EX-16 24 Dec 2028": ("2028-12-10 12:00", "2028-12-24", "2028-12-27", "2028-12-22"),
    "EX-17 New Year": ("2025-12-18 12:00", "2026-01-01", "2026-01-02", "2025-12-31"),
    "EX-18 New Year and a weekend": ("2026-12-18 12:00", "2027-01-01", "2027-01-04", "2026-12-31"),
    "EX-19 Epiphany": ("2026-12-23 12:00", "2027-01-06", "2027-01-07", "2027-01-05"),
    "EX-20 Corpus Christi": ("2026-05-21 12:00", "2026-06-04", "2026-06-05", "2026-06-03"),
    "EX-21 Independence Day": ("2026-10-28 12:00", "2026-11-11", "2026-11-12", "2026-11-10"),
    "EX-22 a plain Sunday": ("2026-11-22 12:00", "2026-12-06", "2026-12-07", "2026-12-04"),
    "EX-23 spring 2026": ("2026-03-19 23:30", "2026-04-02", "2026-04-02", "2026-04-02"),
    "EX-24 spring 2027": ("2027-03-17 23:30", "2027-03-31", "2027-03-31", "2027-03-31"),
    "EX-25 autumn 2026": ("2026-10-14 00:30", "2026-10-28", "2026-10-28", "2026-10-28"),
    "EX-26a first 02:30": ("2026-10-25T00:30Z", "2026-11-08", "2026-11-09", "2026-11-06"),
    "EX-26b second 02:30": ("2026-10-25T01:30Z", "2026-11-08", "2026-11-09", "2026-11-06"),
    "EX-27 not the UTC date": ("2026-07-15T22:15Z", "2026-07-30", "2026-07-30", "2026-07-30"),
    "EX-28 one second before": ("2026-07-15T21:59:59Z", "2026-07-29", "2026-07-29", "2026-07-29"),
    "EX-29 winter offset": ("2026-01-15T23:15Z", "2026-01-30", "2026-01-30", "2026-01-30"),
    "EX-30 year boundary": ("2026-12-31T23:30Z", "2027-01-15", "2027-01-15", "2027-01-15"),
    "EX-31 holiday on a Saturday": ("2026-08-01 12:00", "2026-08-15", "2026-08-17", "2026-08-14"),
    "EX-32 first day of the law": ("2023-01-01 12:00", "2023-01-15", "2023-01-16", "2023-01-13"),
}


def moment(text: str) -> datetime:
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=WARSAW)


def last_day(found: Deadlines, zone: str = "Europe/Warsaw") -> date:
    """The rolled statutory day: the local day that ends at ``due_at``."""
    return (found.due_at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()


def complaint(received: datetime, **options: object) -> Deadlines:
    found = deadlines(received, clock="complaint", **options)
    assert found is not None
    return found


def test_all_examples_of_the_law_page_are_here():
    numbers = {int(re.match(r"EX-(\d\d)", name)[1]) for name in EXAMPLES}
    assert numbers == set(range(1, 33))


@pytest.mark.parametrize("clock", ["complaint", "withdrawal"])
@pytest.mark.parametrize(
    ("received", "raw", "due", "safe"), list(EXAMPLES.values()), ids=list(EXAMPLES)
)
def test_a_term_ends_as_in_the_worked_example(received, raw, due, safe, clock):
    found = deadlines(moment(received), clock=clock)
    assert found.raw == date.fromisoformat(raw)
    assert last_day(found) == date.fromisoformat(due)
    assert found.due_safe == date.fromisoformat(safe)


@pytest.mark.parametrize(
    ("received", "end"),
    [
        ("2026-03-30 12:00", "2026-04-13T22:00Z"),  # summer time
        ("2026-10-12 12:00", "2026-10-26T23:00Z"),  # the day after summer time ends
        ("2026-07-15T22:15Z", "2026-07-30T22:00Z"),
    ],
)
def test_the_end_is_the_first_instant_after_the_last_day(received, end):
    found = complaint(moment(received))
    assert found.due_at == datetime.fromisoformat(end)
    assert found.due_at.tzinfo is UTC


def test_a_czech_complaint_has_30_days_and_two_holidays_in_july():
    lodged = datetime(2026, 6, 5, 12, tzinfo=ZoneInfo("Europe/Prague"))
    found = complaint(lodged, timezone="Europe/Prague", country="CZ", days=30)
    assert found.raw == date(2026, 7, 5)
    assert last_day(found, "Europe/Prague") == date(2026, 7, 7)
    assert found.due_safe == date(2026, 7, 3)


@pytest.mark.parametrize(
    ("day", "working"),
    [
        (date(2026, 4, 3), {"PL"}),  # Good Friday: a holiday in CZ and DE
        (date(2026, 12, 24), {"DE"}),  # Christmas Eve: a holiday in PL since 2025 and in CZ
        (date(2024, 12, 24), {"PL", "DE"}),
        (date(2026, 7, 6), {"PL", "DE"}),  # Jan Hus
        (date(2026, 10, 3), set()),  # a Saturday
        (date(2029, 10, 3), {"PL", "CZ"}),  # German Unity, a Wednesday
    ],
)
def test_each_country_has_its_own_holidays(day, working):
    assert {c for c in ("PL", "CZ", "DE") if is_working_day(day, country=c)} == working


def test_no_clock_means_no_deadlines():
    assert deadlines(moment("2026-01-01 12:00"), clock="none") is None


def test_an_unknown_clock_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="'guarantee' is none of complaint, withdrawal, none"):
        deadlines(moment("2026-01-01 12:00"), clock="guarantee")


def test_a_moment_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="2026-01-01T12:00:00 has no time zone"):
        deadlines(datetime(2026, 1, 1, 12), clock="complaint")  # noqa: DTZ001 - the point


def test_a_country_without_a_calendar_is_named():
    with pytest.raises(PermanentError, match="no public holidays are known for the country 'XX'"):
        complaint(moment("2026-01-01 12:00"), country="XX")


# --- The formula of the law page as an oracle -------------------------------------------------


def easter(year: int) -> date:
    """Anonymous Gregorian algorithm."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    l_ = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * l_) // 451
    month, day = divmod(h + l_ - 7 * m + 114, 31)
    return date(year, month, day + 1)


def polish_holidays(year: int) -> set[date]:
    fixed = [(1, 1), (1, 6), (5, 1), (5, 3), (8, 15), (11, 1), (11, 11), (12, 25), (12, 26)]
    if year >= 2025:
        fixed.append((12, 24))
    moving = {easter(year) + timedelta(n) for n in (0, 1, 49, 60)}
    return {date(year, month, day) for month, day in fixed} | moving


def oracle(received: datetime, days: int = 14) -> tuple[date, date, date, datetime]:
    def is_free(day: date) -> bool:
        return day.weekday() >= 5 or day in polish_holidays(day.year)

    raw = due = safe = received.astimezone(WARSAW).date() + timedelta(days)
    while is_free(due):
        due += timedelta(1)
    while is_free(safe):
        safe -= timedelta(1)
    return raw, due, safe, datetime.combine(due + timedelta(1), datetime.min.time(), WARSAW)


ZONES = st.sampled_from(
    [UTC, WARSAW, timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))]
)
MOMENTS = st.datetimes(datetime(2023, 1, 1), datetime(2035, 11, 30), timezones=ZONES)  # noqa: DTZ001


@settings(deadline=None)  # other work may run beside
@given(MOMENTS)
def test_the_terms_agree_with_the_oracle(received):
    raw, due, safe, end = oracle(received)
    found = complaint(received)
    assert (found.raw, last_day(found), found.due_safe, found.due_at) == (raw, due, safe, end)


def test_polish_holidays_agree_with_the_oracle_on_every_day():
    days = (date(2023, 1, 1) + timedelta(n) for n in range(13 * 365 + 3))
    for day in days:
        free = day.weekday() >= 5 or day in polish_holidays(day.year)
        assert is_working_day(day) is not free, day


@settings(deadline=None)  # other work may run beside
@given(MOMENTS)
def test_a_term_has_14_days_at_least_and_ends_on_a_working_day(received):
    found = complaint(received)
    day_zero = received.astimezone(WARSAW).date()
    due = last_day(found)
    assert is_working_day(due)
    assert is_working_day(found.due_safe)
    assert timedelta(14) <= due - day_zero <= timedelta(14 + 5)  # the longest roll is 5 days
    assert found.due_safe <= found.raw <= due


@settings(deadline=None)  # other work may run beside
@given(MOMENTS, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_what_is_received_later_is_never_due_earlier(received, later):
    first, second = complaint(received), complaint(received + later)
    assert first.due_at <= second.due_at
    assert first.due_safe <= second.due_safe


# --- A-03 ---------------------------------------------------------------------------------------

FETCHED = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def ago(**span: int) -> datetime:
    return FETCHED - timedelta(**span)


@pytest.mark.parametrize(
    ("internal", "trusted", "expected"),
    [
        pytest.param(ago(hours=2), (), ago(hours=2), id="INTERNALDATE alone"),
        pytest.param(ago(hours=2), (ago(hours=3),), ago(hours=3), id="Received is earlier"),
        pytest.param(ago(days=2), (ago(hours=3),), ago(days=2), id="INTERNALDATE is earlier"),
        pytest.param(ago(hours=-9), (), FETCHED, id="a server clock in the future"),
        pytest.param(ago(hours=-9), (ago(hours=-8),), FETCHED, id="both in the future"),
        pytest.param(None, (ago(hours=3),), ago(hours=3), id="from a file"),
        pytest.param(None, (), FETCHED, id="nothing but the fetch"),
        pytest.param(
            ago(hours=2), (ago(hours=3), ago(days=900)), ago(hours=3), id="E-33 forged lower hop"
        ),
    ],
)
def test_received_at_is_the_earliest_trusted_moment(internal, trusted, expected):
    assert received_at(internal, FETCHED, trusted) == expected


def test_received_at_is_in_utc():
    local = datetime(2026, 3, 1, 12, tzinfo=WARSAW)
    found = received_at(local, FETCHED)
    assert (found, found.tzinfo) == (local, UTC)


def test_received_at_refuses_a_moment_without_a_time_zone():
    with pytest.raises(ValueError, match="has no time zone"):
        received_at(datetime(2026, 3, 1, 12), FETCHED)  # noqa: DTZ001 - the point


# --- Priority -----------------------------------------------------------------------------------

MONDAY = date(2026, 11, 2)


@pytest.mark.parametrize(
    ("due_safe", "left"),
    [
        (date(2026, 10, 30), -1),
        (MONDAY, 0),
        (date(2026, 11, 3), 1),
        (date(2026, 11, 6), 4),
        (date(2026, 11, 9), 5),  # over a weekend
        (date(2026, 11, 12), 7),  # over Independence Day
    ],
)
def test_working_days_leave_out_weekends_and_holidays(due_safe, left):
    assert working_days_left(due_safe, MONDAY) == left


@pytest.mark.parametrize(
    ("urgency", "due_safe", "expected"),
    [
        ("low", date(2026, 10, 30), 1),  # overdue
        ("low", MONDAY, 1),
        ("low", date(2026, 11, 3), 1),
        ("low", date(2026, 11, 4), 2),
        ("low", date(2026, 11, 5), 2),
        ("low", date(2026, 11, 6), 3),
        ("low", date(2026, 11, 9), 3),
        ("low", date(2026, 11, 10), 4),
        ("low", None, 4),
        ("normal", None, 3),
        (None, None, 3),  # not classified yet
        (None, date(2026, 11, 4), 2),
        ("high", date(2026, 11, 13), 2),
        ("high", date(2026, 11, 3), 1),
        ("critical", None, 1),
        ("critical", date(2026, 11, 13), 1),
    ],
)
def test_priority_is_the_more_pressing_of_deadline_and_urgency(urgency, due_safe, expected):
    assert priority(urgency, due_safe, MONDAY) == expected


def test_a_friday_ticket_due_on_monday_comes_first():
    assert priority("low", date(2026, 11, 9), date(2026, 11, 6)) == 1


@settings(deadline=None)  # other work may run beside
@given(
    st.sampled_from(["low", "normal", "high", "critical", None]),
    st.dates(date(2025, 1, 1), date(2027, 12, 31)),
    st.integers(0, 30),
)
def test_priority_never_falls_as_the_deadline_comes_nearer(urgency, today, days):
    due = today + timedelta(days)
    levels = [priority(urgency, due, today + timedelta(n)) for n in range(days + 3)]
    assert levels == sorted(levels, reverse=True)
    assert set(levels) <= {1, 2, 3, 4}
