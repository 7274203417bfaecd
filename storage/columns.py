"""Column types and constraints that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime

from sqlalchemy import CheckConstraint, DateTime, Dialect
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC.

    SQLite keeps no time zone, so a value comes back naive and later breaks a comparison.
    This type refuses a naive value on the way in and always returns an aware one.
    """

    impl = DateTime(timezone=True)
    cache_ok = True
    # None is written as NULL. Otherwise SQLAlchemy takes it for "not given" and writes the
    # column's default: a row with nothing to do would be due at once.
    should_evaluate_none = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; pass datetime.now(UTC)")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_now() -> datetime:
    return datetime.now(UTC)


def one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    """A constraint that a text column holds one of these words, or null."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_is_known")
