"""Messages that a server lists but does not hand out: tried again later, never forgotten (C-19)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from storage.tables import MailboxCursor, RawMessage, WithheldMessage

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(days=1)


def set_withheld(session: Session, cursor: MailboxCursor, uid: int, *, now: datetime) -> None:
    """Note that a message could not be had; each time it waits twice as long, a day at most."""
    row = _find(session, cursor, uid)
    if row is None:
        row = WithheldMessage(
            mailbox=cursor.mailbox,
            folder=cursor.folder,
            uidvalidity=cursor.uidvalidity,
            uid=uid,
            first_tried_at=now,
            next_try_at=now,
        )
    row.tries += 1
    row.next_try_at = now + min(FIRST_WAIT * 2 ** min(row.tries - 1, 20), LONGEST_WAIT)
    session.add(row)


def no_longer_withheld(session: Session, cursor: MailboxCursor, uids: Iterable[int]) -> None:
    """They were stored, or are gone."""
    for row in _of(session, cursor):
        if row.uid in set(uids):
            session.delete(row)


def withheld_uids(
    session: Session, cursor: MailboxCursor, *, due: datetime | None = None
) -> list[int]:
    """UIDs of a folder that are withheld, ascending; ``due``: only those to be tried by then."""
    rows = _of(session, cursor)
    return sorted(row.uid for row in rows if due is None or row.next_try_at <= due)


def all_withheld(session: Session) -> Sequence[WithheldMessage]:
    return session.exec(
        select(WithheldMessage).order_by(
            WithheldMessage.mailbox, WithheldMessage.folder, col(WithheldMessage.uid)
        )
    ).all()


def known_uids(session: Session, cursor: MailboxCursor) -> set[int]:
    """UIDs of a folder that have a row in the ledger."""
    return set(
        session.exec(
            select(RawMessage.uid).where(
                RawMessage.mailbox == cursor.mailbox,
                RawMessage.folder == cursor.folder,
                RawMessage.uidvalidity == cursor.uidvalidity,
            )
        )
    )


def _of(session: Session, cursor: MailboxCursor) -> Sequence[WithheldMessage]:
    return session.exec(
        select(WithheldMessage).where(
            WithheldMessage.mailbox == cursor.mailbox,
            WithheldMessage.folder == cursor.folder,
            WithheldMessage.uidvalidity == cursor.uidvalidity,
        )
    ).all()


def _find(session: Session, cursor: MailboxCursor, uid: int) -> WithheldMessage | None:
    return next((row for row in _of(session, cursor) if row.uid == uid), None)
