from datetime import UTC, date, datetime, timedelta

import pytest

from tests.unit.web.samples import NOW
from web.formats import Formats
from web.translations import load_catalogues

CATALOGUES = load_catalogues()


def formats(language: str = "pl", *, now: datetime = NOW) -> Formats:
    return Formats(language, "Europe/Warsaw", CATALOGUES[language], now)


@pytest.mark.parametrize(
    ("days", "polish", "english", "level"),
    [
        (-22, "22 dni po terminie", "22 days overdue", "overdue"),
        (-1, "1 dzień po terminie", "1 day overdue", "overdue"),
        (0, "dziś", "today", "today"),
        (1, "jutro", "tomorrow", "soon"),
        (3, "za 3 dni", "in 3 days", "soon"),
        (5, "za 5 dni", "in 5 days", "later"),
    ],
)
def test_a_due_date_is_said_in_words(days, polish, english, level):
    safe = date(2026, 11, 20) + timedelta(days=days)
    assert formats("pl").due(safe, is_open=True).words == polish
    assert formats("en").due(safe, is_open=True).words == english
    assert formats("pl").due(safe, is_open=True).level == level


def test_nothing_is_due_without_a_term_or_after_closing():
    assert formats().due(None, is_open=True).words == ""
    assert formats().due(date(2026, 1, 1), is_open=False).level == "none"


def test_the_day_is_the_shops_not_the_servers():
    late_evening = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # Saturday already in Warsaw
    assert formats(now=late_evening).today == date(2026, 11, 21)
    assert formats(now=late_evening).due(date(2026, 11, 21), is_open=True).words == "dziś"


def test_moments_are_as_short_as_can_be():
    reader = formats()
    assert reader.when(NOW) == "10:30"
    assert reader.when(NOW - timedelta(days=1)) == "wczoraj 10:30"
    assert reader.when(NOW - timedelta(days=5)) == "15 lis"
    assert reader.when(NOW - timedelta(days=400)) == "16 paź 2025"
    assert reader.moment(NOW) == "20 lis 2026, 10:30"
    assert formats("en").moment(NOW) == "20 Nov 2026, 10:30"


def test_days_are_named():
    assert formats().day(date(2026, 12, 4)) == "pt., 4 gru"
    assert formats().day(date(2027, 1, 4)) == "pon., 4 sty 2027"
    assert formats().long_day(date(2026, 11, 20)) == "piątek, 20 listopada"


def test_the_last_day_of_a_term_is_the_one_before_its_exclusive_end():
    assert formats().last_day(datetime(2026, 12, 4, 23, 0, tzinfo=UTC)) == date(2026, 12, 4)


@pytest.mark.parametrize(
    ("probability", "words"), [(0.934, "93%"), (0.999, "99%"), (1.0, "100%"), (0.0, "0%")]
)
def test_only_certainty_is_a_hundred_percent(probability, words):
    assert formats().percent(probability) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0\u00a0B"), (999, "999\u00a0B"), (1500, "1,5\u00a0kB"), (2_000_000, "2\u00a0MB")],
)
def test_sizes_are_readable(count, words):
    assert formats().size(count) == words


def test_numbers_are_grouped_as_the_language_does():
    assert formats("pl").number(12345) == "12\u00a0345"
    assert formats("en").number(12345) == "12,345"
