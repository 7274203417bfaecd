"""One JSON object a line on standard error; the only place that decides the fields.

No address, subject or body ever goes into a log: an event is a constant sentence, and what it is
about is named by identifiers in ``extra``. Only the identifiers listed in ``FIELDS`` are written,
so a field that holds personal data cannot slip in from elsewhere. A mail server's own words, in
``problem``, lose their addresses. An exception that is not ours may quote what it was given, which
may be a customer's mail: of it the type and the place are written, not the message. Nor are the
values that another program's library puts into its own log.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime

from config.errors import OdzewError

OURS = ("config", "storage", "triage", "models", "worker", "web", "odzew")

FIELDS = (
    "step",
    "mailbox",
    "folder",
    "uid",
    "count",
    "row",
    "table",
    "ticket",
    "outcome",
    "reason",
    "rule",
    "state",
    "attempt",
    "seconds",
    "classifier",
    "alarm",
    "problem",
    "error_id",
    "status",
)


# The user of a database's URL is nobody's address.
_ADDRESS = re.compile(
    r"""postgresql[\w+]*://\S+ | "[^"\n]{1,100}"@[^\s<>"',;]+"""
    r""" | [^\s<>()\[\]"',;:@/]{1,256}@[^\s<>()\[\]"',;:@]+""",
    re.VERBOSE,
)
# Errors that speak of a machine, by name: what stands above this package knows the libraries.
_ABOUT_MACHINES = ("OperationalError", "InterfaceError", "IntegrityError")


def without_addresses(text: str) -> str:
    """The text with ``[address]`` in the place of each e-mail address."""
    return _ADDRESS.sub(lambda m: m[0] if m[0].startswith("postgresql") else "[address]", text)


class JsonFormatter(logging.Formatter):
    """A log record as one JSON object; control characters come out escaped (E-55)."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": _event(record)[:200],
        }
        for name in FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                entry[name] = _text(name, value) if isinstance(value, str) else value
        if record.exc_info and record.exc_info[1] is not None:
            entry["error"] = "\n".join(_error_lines(record.exc_info[1]))
        return json.dumps(entry, default=str)


def _event(record: logging.LogRecord) -> str:
    """Our constant sentence; of a library's message what its programmer wrote, not the values."""
    if record.name.partition(".")[0] in OURS:
        return record.getMessage()
    written = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    # The lines below the first are for what it was about.
    return f"{record.name}: {without_addresses(written[:2000].partition(chr(10))[0])}"


def _text(name: str, value: str) -> str:
    # The name of a mailbox, which is in a step's name too, is the shop's choice: maybe its address.
    is_name = name in ("mailbox", "step")
    return (value if is_name else without_addresses(value[:2000]))[:300]


def _error_lines(error: BaseException, *, depth: int = 10) -> Iterator[str]:
    """A traceback, the first cause first, with the messages that cannot hold anybody's mail."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and depth:
        yield from _error_lines(earlier, depth=depth - 1)
        yield "which led to:"
    yield from "".join(traceback.format_tb(error.__traceback__)).splitlines()
    name = type(error).__name__
    may_speak = isinstance(error, OdzewError | OSError) or name in _ABOUT_MACHINES
    yield f"{name}: {without_addresses(str(error)[:2000])}" if may_speak else name


def set_up_logging(*, level: int = logging.INFO) -> None:
    """Send the log of our own packages to standard error; libraries speak from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for package in OURS:
        logging.getLogger(package).setLevel(level)
    # It reports each tick of a healthy schedule as a warning when a run is longer than a tick.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    # Every attempt to reach a database that is away; the worker says it once.
    for package in ("procrastinate", "psycopg.pool"):
        logging.getLogger(package).setLevel(logging.CRITICAL)
