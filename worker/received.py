"""When the shop's own mail servers took a message, by its trace fields (RFC 5321 §4.4)."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import parsedate_to_datetime

HEADER_BYTES = 256 * 1024
BY_HOST = re.compile(r"\bby\s+([a-z0-9.-]{1,255})", re.IGNORECASE)


def trusted_received(raw: bytes, trusted_hosts: Iterable[str]) -> tuple[datetime, ...]:
    """Moments of the Received fields written by trusted hosts, topmost first.

    Reading stops at the first field written by anybody else: what stands below it may be forged.
    """
    trusted = frozenset(trusted_hosts)
    if not trusted:
        return ()
    moments = []
    fields = BytesHeaderParser(policy=compat32).parsebytes(raw[:HEADER_BYTES])
    for field in fields.get_all("Received", []):
        trace, _, stamp = str(field).rpartition(";")
        host = BY_HOST.search(trace)
        if host is None or host.group(1).lower() not in trusted:
            break
        try:
            moment = parsedate_to_datetime(stamp.strip())
        except ValueError:
            continue
        moments.append(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    return tuple(moments)
