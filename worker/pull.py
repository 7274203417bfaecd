"""Step 1: mailbox to ledger.

Bytes and ledger row are committed before anything else happens to a message (C-01). The cursor
moves past it in the same transaction, or after it has been marked on the server: a mark that was
lost with the connection is made good by the next pull, which finds the message stored already.
What to read next depends on UIDVALIDITY and UID alone, never on a flag that somebody's phone can
change (C-03).
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from imapclient import IMAPClient

from config.checkpoint import checkpoint
from config.errors import OdzewError
from config.settings import Mailbox
from storage.database import Session, open_session
from storage.mail import find_cursor, record_vanished, store_raw
from storage.tables import MailboxCursor
from storage.withheld import no_longer_withheld, set_withheld, withheld_uids
from worker.context import Context
from worker.imap import (
    HEAD_BYTES,
    CommandRefused,
    Envelope,
    Folder,
    MailboxUnreachable,
    connect,
    open_folder,
)
from worker.reconcile import compare_folder, is_due

log = logging.getLogger(__name__)

BATCH_MAILS = 150  # their UIDs, of up to ten digits, fit a command of 2,000 bytes (C-23)
BATCH_BYTES = 16 * 1024 * 1024

Counts = Literal["yes", "archive", "no"]


class MessageWithheld(MailboxUnreachable):
    """A message that is there and cannot be had; those behind it are read all the same (C-19)."""


def pull(context: Context, mailbox: Mailbox) -> int:
    """Store what is new in every folder of a mailbox; return how many messages.

    Raises MailboxUnreachable; what was stored before that stays stored, and the reason is kept on
    the cursor.
    """
    stored = 0
    refusals: list[MailboxUnreachable] = []
    try:
        with connect(mailbox, context.tokens) as client:
            for name in mailbox.folders:
                try:
                    stored += _pull_folder(context, client, mailbox, name)
                except (CommandRefused, MessageWithheld) as error:
                    # The other folders may be fine.
                    _note_problem(context, mailbox, [name], str(error))
                    refusals.append(error)
    except OdzewError as error:
        _note_problem(context, mailbox, mailbox.folders, str(error))
        raise
    if refusals:
        raise refusals[0]
    return stored


def _pull_folder(context: Context, client: IMAPClient, mailbox: Mailbox, name: str) -> int:
    folder = open_folder(client, mailbox, name)
    stored = 0
    refusal: CommandRefused | None = None
    with open_session(context.engine) as session:
        cursor = _cursor_for(session, mailbox, name, folder, context)
        for uid in withheld_uids(session, cursor, due=context.clock()):
            stored += _read_withheld(context, session, mailbox, cursor, folder, uid)
        new = _to_read(session, mailbox, cursor, folder, now=context.clock())
        checkpoint("CP-02")
        for part in _parts(new, BATCH_MAILS):
            if context.stopping.is_set():
                return stored
            envelopes = folder.envelopes(part)
            for uids in _by_bytes(part, envelopes):
                kept, withheld = _read(context, session, mailbox, cursor, folder, uids, envelopes)
                if withheld and not kept:
                    # Nothing at all was handed out: the server is in trouble, not a message.
                    session.rollback()
                    raise _withheld(mailbox, name, withheld)
                refusal = _mark(session, mailbox, folder, kept) or refusal
                # In the transaction that moves the cursor past them: they are remembered.
                for uid in withheld:
                    set_withheld(session, cursor, uid, now=context.clock())
                cursor.last_uid = max(cursor.last_uid, *uids)
                session.add(cursor)
                session.commit()
                checkpoint("CP-09")
                stored += len(kept)
        still = withheld_uids(session, cursor)
        cursor.last_success_at, cursor.problem = context.clock(), None
        session.add(cursor)
        session.commit()
    if stored:
        log.info("mail stored", extra={"mailbox": mailbox.name, "folder": name, "count": stored})
    if refusal is not None:
        raise refusal
    if still:
        raise _withheld(mailbox, name, still)
    return stored


def _withheld(mailbox: Mailbox, folder: str, uids: Sequence[int]) -> MessageWithheld:
    return MessageWithheld(
        f"mailbox {mailbox.name!r}, folder {folder!r}: the server lists {len(uids)} message(s) "
        f"(UID {uids[0]}) but does not hand them out; they are tried again, the others are read; "
        "move them to another folder if this does not pass"
    )


def _read(
    context: Context,
    session: Session,
    mailbox: Mailbox,
    cursor: MailboxCursor,
    folder: Folder,
    uids: Sequence[int],
    envelopes: Mapping[int, Envelope],
) -> tuple[list[int], list[int]]:
    """Fetch and write, not yet committed; the UIDs that are stored then, and those withheld."""
    wanted = {uid: _counts(cursor, uid, envelopes.get(uid), mailbox, context) for uid in uids}
    contents = _fetch(context, folder, wanted, envelopes)
    withheld = folder.still_listed(
        [uid for uid in uids if wanted[uid] != "no" and uid not in contents]
    )
    done = [uid for uid in uids if uid not in withheld]
    kept = _store(context, session, cursor, done, wanted, envelopes, contents)
    no_longer_withheld(session, cursor, done)
    return kept, withheld


def _read_withheld(
    context: Context,
    session: Session,
    mailbox: Mailbox,
    cursor: MailboxCursor,
    folder: Folder,
    uid: int,
) -> int:
    """Try a message again that could not be had before; 1 when it is stored now."""
    try:
        envelopes = folder.envelopes([uid])
        kept, withheld = _read(context, session, mailbox, cursor, folder, [uid], envelopes)
    except CommandRefused:
        session.rollback()
        kept, withheld = [], folder.still_listed([uid])
        if not withheld:
            _store(context, session, cursor, [uid], {uid: "yes"}, {}, {})
            no_longer_withheld(session, cursor, [uid])
    _mark(session, mailbox, folder, kept)
    if withheld:
        set_withheld(session, cursor, uid, now=context.clock())
    session.commit()
    return len(kept)


def _mark(
    session: Session, mailbox: Mailbox, folder: Folder, kept: Sequence[int]
) -> CommandRefused | None:
    """``after_import`` on the server, for what is committed; a refusal to do so."""
    if not kept or mailbox.after_import == "leave":
        return None
    session.commit()
    checkpoint("CP-27")
    try:
        folder.mark_stored(kept, mailbox.after_import)
    except CommandRefused as error:
        return error
    checkpoint("CP-28")
    return None


def _to_read(
    session: Session, mailbox: Mailbox, cursor: MailboxCursor, folder: Folder, *, now: datetime
) -> list[int]:
    """UIDs to fetch: the new ones, and once a day those that the ledger lacks (C-38)."""
    wanted = set(folder.uids_after(cursor.last_uid))
    if is_due(cursor, now):
        missing = compare_folder(session, mailbox, cursor, folder).missing
        if missing:
            log.warning(
                "ledger had gaps",
                extra={
                    "mailbox": cursor.mailbox,
                    "folder": cursor.folder,
                    "uid": missing[0],
                    "count": len(missing),
                },
            )
        wanted.update(missing)
        cursor.compared_at, cursor.gaps = now, len(missing)
    return sorted(wanted)


def _cursor_for(
    session: Session, mailbox: Mailbox, name: str, folder: Folder, context: Context
) -> MailboxCursor:
    cursor = find_cursor(session, mailbox.name, name)
    if cursor is None:
        cursor = MailboxCursor(
            mailbox=mailbox.name,
            folder=name,
            uidvalidity=folder.uidvalidity,
            last_uid=folder.uidnext - 1 if mailbox.start == "now" else 0,
            go_live_uid=folder.uidnext,
            go_live_at=context.clock(),
        )
        session.add(cursor)
        session.commit()
    elif cursor.uidvalidity != folder.uidvalidity:
        # The server has numbered the folder anew: read it all again, the bytes tell what is known.
        log.warning(
            "folder renumbered by the server", extra={"mailbox": mailbox.name, "folder": name}
        )
        cursor.uidvalidity, cursor.last_uid = folder.uidvalidity, 0
        cursor.go_live_uid, cursor.renumbered = folder.uidnext, True
        session.add(cursor)
        session.commit()
    return cursor


def _counts(
    cursor: MailboxCursor, uid: int, envelope: Envelope | None, mailbox: Mailbox, context: Context
) -> Counts:
    """Whether a message is to be handled, by the mailbox's ``start``.

    What arrived after the first contact always counts. After a renumbering the UID no longer tells
    when that was, so the arrival does, with a day of grace: a known message is found again by its
    bytes, a lost one is not.
    """
    if uid >= cursor.go_live_uid or envelope is None or mailbox.start == "all":
        return "yes"
    if isinstance(mailbox.start, date):
        arrived = envelope.received_at.astimezone(ZoneInfo(context.settings.shop.timezone)).date()
        return "yes" if arrived >= mailbox.start else "no"
    if cursor.renumbered and envelope.received_at >= cursor.go_live_at - timedelta(days=1):
        return "yes"
    return "archive" if mailbox.start == "archive" else "no"


def _fetch(
    context: Context,
    folder: Folder,
    wanted: Mapping[int, Counts],
    envelopes: Mapping[int, Envelope],
) -> dict[int, bytes]:
    """The bytes of the messages that count, or the beginning of those that are too large."""
    limit = context.settings.storage.max_bytes
    counting = [uid for uid, counts in wanted.items() if counts != "no"]
    large = [uid for uid in counting if uid in envelopes and envelopes[uid].size > limit]
    whole = [uid for uid in counting if uid not in large]
    contents = folder.bodies(whole) if whole else {}
    if large:
        contents |= folder.heads(large)
    checkpoint("CP-04")
    return contents


def _store(
    context: Context,
    session: Session,
    cursor: MailboxCursor,
    uids: Sequence[int],
    wanted: Mapping[int, Counts],
    envelopes: Mapping[int, Envelope],
    contents: Mapping[int, bytes],
) -> list[int]:
    """Write one batch, not yet committed; return the UIDs that are stored then."""
    limit = context.settings.storage.max_bytes
    now = context.clock()
    fetched: dict[int, tuple[dict[str, Any], bytes]] = {}
    for uid in uids:
        if wanted[uid] == "no":
            continue
        content = contents.get(uid)
        envelope = envelopes.get(uid) or Envelope(size=len(content or b""), received_at=now)
        row: dict[str, Any] = {
            "mailbox": cursor.mailbox,
            "folder": cursor.folder,
            "uidvalidity": cursor.uidvalidity,
            "uid": uid,
            "size": envelope.size,
            "received_at": envelope.received_at,
            "fetched_at": now,
            "next_attempt_at": now,
        }
        if content is None:
            record_vanished(session, row)
            continue
        row["archive"] = wanted[uid] == "archive"
        row["truncated"] = envelope.size > limit and len(content) >= HEAD_BYTES
        fetched[uid] = row, content
    store_raw(session, context.files, list(fetched.values()))
    checkpoint("CP-08")
    return list(fetched)


def _parts(uids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(uids), size):
        yield uids[start : start + size]


def _by_bytes(uids: Sequence[int], envelopes: Mapping[int, Envelope]) -> Iterator[Sequence[int]]:
    """Cut a batch so that what is held in memory at once stays small."""
    part: list[int] = []
    held = 0
    for uid in uids:
        size = envelopes[uid].size if uid in envelopes else 0
        if part and held + size > BATCH_BYTES:
            yield part
            part, held = [], 0
        part.append(uid)
        held += size
    if part:
        yield part


def _note_problem(context: Context, mailbox: Mailbox, folders: Sequence[str], problem: str) -> None:
    with open_session(context.engine) as session:
        for name in folders:
            cursor = find_cursor(session, mailbox.name, name)
            if cursor is not None:
                cursor.problem = problem
                session.add(cursor)
        session.commit()
