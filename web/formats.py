"""Dates, numbers and terms in words: one reader's language in the shop's time zone."""

import gettext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal, format_percent

_LOCALES = {"pl": "pl_PL", "en": "en_GB"}


@dataclass(frozen=True)
class Due:
    """When an answer is due, in words."""

    words: str
    level: str  # none | later | soon | today | overdue


@dataclass(frozen=True)
class Formats:
    """The words and figures of one answer to one reader."""

    language: str
    timezone: str
    catalogue: gettext.NullTranslations
    now: datetime

    @property
    def locale(self) -> str:
        return _LOCALES[self.language]

    @property
    def today(self) -> date:
        return self.local(self.now).date()

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self.timezone))

    def number(self, value: int) -> str:
        return str(format_decimal(value, locale=self.locale))

    def percent(self, probability: float) -> str:
        """A probability as a whole percentage; only certainty is shown as 100 %."""
        shown = min(probability, 0.99) if probability < 1 else 1.0
        return str(format_percent(shown, locale=self.locale))

    def size(self, count: int) -> str:
        """Bytes as a person reads them, in powers of 1000."""
        value, unit = float(count), "B"
        for larger in ("kB", "MB", "GB"):
            if value < 1000:
                break
            value, unit = value / 1000, larger
        pattern = "#,##0" if unit == "B" or value >= 10 else "#,##0.#"
        return f"{format_decimal(value, format=pattern, locale=self.locale)}\u00a0{unit}"

    def day(self, day: date) -> str:
        """``pt., 4 gru``; with the year where it is another one."""
        pattern = "EEE, d MMM" if day.year == self.today.year else "EEE, d MMM y"
        return str(format_date(day, pattern, locale=self.locale))

    def iso_day(self, text: str) -> str:
        """A day that is stored as text, such as ``2026-12-04``."""
        return self.day(date.fromisoformat(text))

    def long_day(self, day: date) -> str:
        """``niedziela, 22 listopada``."""
        return str(format_date(day, "EEEE, d MMMM", locale=self.locale))

    def last_day(self, end: datetime) -> date:
        """The last day of a term whose end is exclusive."""
        return (self.local(end) - timedelta(microseconds=1)).date()

    def moment(self, moment: datetime) -> str:
        """``22 lis 2026, 14:05``, whole, for titles and histories."""
        return str(format_datetime(self.local(moment), "d MMM y, HH:mm", locale=self.locale))

    def when(self, moment: datetime) -> str:
        """As short as can be: the time today, else the day."""
        local = self.local(moment)
        clock = str(format_time(local, "HH:mm", locale=self.locale))
        days = (self.today - local.date()).days
        if days == 0:
            return clock
        if days == 1:
            return self.catalogue.gettext("yesterday %(time)s") % {"time": clock}
        pattern = "d MMM" if local.year == self.today.year else "d MMM y"
        return str(format_date(local.date(), pattern, locale=self.locale))

    def due(self, safe: date | None, *, is_open: bool) -> Due:
        """The safe date seen from today; nothing is due once a ticket is closed."""
        if safe is None or not is_open:
            return Due("", "none")
        days = (safe - self.today).days
        plural = self.catalogue.ngettext
        if days < 0:
            words = plural("%(num)d day overdue", "%(num)d days overdue", -days) % {"num": -days}
            return Due(words, "overdue")
        if days == 0:
            return Due(self.catalogue.gettext("today"), "today")
        if days == 1:
            return Due(self.catalogue.gettext("tomorrow"), "soon")
        words = plural("in %(num)d day", "in %(num)d days", days) % {"num": days}
        return Due(words, "soon" if days <= 3 else "later")
