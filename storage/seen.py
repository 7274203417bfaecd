"""What the database may know of a batch of mails, before each of them is looked at.

Nearly every mail is new in every respect: bytes, ids, sender. A handful of questions for a hundred
mails tell so, and the exact questions of ``storage.mail`` and ``storage.outbox`` are asked only
where there may be an answer. What the batch itself adds is noted as it goes.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlmodel import Session, col, select

from storage.tables import (
    InboundMessage,
    OutboxMessage,
    RawMessage,
    SuppressedAddress,
    Ticket,
)

AT_ONCE = 5000  # values in one question; SQLite takes 32,766


class Keys(Protocol):
    """What may be there; a key that is not in it certainly is not."""

    def __contains__(self, key: object, /) -> bool: ...
    def add(self, key: str, /) -> None: ...


class _Anything:
    def __contains__(self, _key: object) -> bool:
        return True

    def add(self, _key: str) -> None:
        """It is there already."""


@dataclass(frozen=True)
class Seen:
    """By default anything may be there, so that everything is asked."""

    mails: Keys = field(default_factory=_Anything)  # SHA-256 of those that had their outcome
    contents: Keys = field(default_factory=_Anything)  # hashes of what they say and hold
    fingerprints: Keys = field(default_factory=_Anything)
    ids: Keys = field(default_factory=_Anything)  # of messages received and sent
    requesters: Keys = field(default_factory=_Anything)  # addresses that have a ticket
    recipients: Keys = field(default_factory=_Anything)  # addresses written to since a moment
    suppressed: Keys = field(default_factory=_Anything)
    _counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, ask: Callable[[], int]) -> int:
        """A number that is asked for once a batch, and grows by what the batch adds itself."""
        if what not in self._counts:
            self._counts[what] = ask()
        return self._counts[what]

    def count_one_more(self, what: str) -> None:
        if what in self._counts:
            self._counts[what] += 1


def look_up(
    session: Session,
    *,
    mails: Collection[str],
    contents: Collection[str],
    fingerprints: Collection[str],
    ids: Collection[str],
    requesters: Collection[str],
    recipients: Collection[str],
    written_since: datetime,
    counts: dict[str, int],
) -> Seen:
    """What may be there of a batch: its mails by bytes, content, fingerprint and ids named.

    recipients: to whom might be written. counts: those known already, for ``Seen.count``.
    """
    written = col(OutboxMessage.created_at) >= written_since
    had_outcome = col(RawMessage.outcome).not_in(("pending", "quarantined", "duplicate"))
    return Seen(
        mails=_present(session, RawMessage.sha256, mails, had_outcome),
        contents=_present(session, InboundMessage.content_hash, contents),
        fingerprints=_present(session, InboundMessage.fingerprint, fingerprints),
        ids=_present(session, InboundMessage.message_id, ids)
        | _present(session, OutboxMessage.message_id, ids),
        requesters=_present(session, Ticket.requester_addr, requesters),
        recipients=_present(session, OutboxMessage.recipient, recipients, written),
        suppressed=_present(session, SuppressedAddress.address, recipients),
        _counts=counts,
    )


def _present(session, column, values: Iterable[str], *conditions) -> set[str]:  # type: ignore[no-untyped-def]
    wanted = sorted(set(values))
    found: set[str] = set()
    for start in range(0, len(wanted), AT_ONCE):
        part = col(column).in_(wanted[start : start + AT_ONCE])
        found.update(session.exec(select(column).where(part, *conditions).distinct()))
    return found
