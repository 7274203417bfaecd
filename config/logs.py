"""One JSON object a line on standard error; the only place that decides the fields.

No address, subject or body ever goes into a log: an event is a constant sentence, and what it is
about is named by identifiers in ``extra``. Only the identifiers listed in ``FIELDS`` are written,
so a field that holds personal data cannot slip in from elsewhere.
"""

import json
import logging
import sys
from datetime import UTC, datetime

FIELDS = (
    "step",
    "mailbox",
    "folder",
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
    "problem",
    "error_id",
    "status",
)


class JsonFormatter(logging.Formatter):
    """A log record as one JSON object; control characters come out escaped (E-55)."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage()[:200],
        }
        for name in FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                entry[name] = value[:300] if isinstance(value, str) else value
        if record.exc_info and record.exc_info[1] is not None:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def set_up_logging(*, level: int = logging.INFO) -> None:
    """Send the log of our own packages to standard error; libraries speak from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for package in ("config", "storage", "triage", "models", "worker", "web", "odzew"):
        logging.getLogger(package).setLevel(level)
    # It reports each tick of a healthy schedule as a warning when a run is longer than a tick.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
