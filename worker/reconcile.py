"""Does the ledger hold every message of a folder? The full comparison of C-03 and C-38.

The cursor alone would do if servers kept to the letter of the protocol; this is the proof, and
where it finds a gap it closes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.settings import Mailbox, Settings
from storage.columns import utc_now
from storage.database import Engine, Session, open_session
from storage.mail import find_cursor
from storage.tables import MailboxCursor
from storage.withheld import known_uids, withheld_uids
from worker.imap import Folder, connect, open_folder
from worker.oauth import AccessTokens

EVERY = timedelta(days=1)


@dataclass(frozen=True)
class Comparison:
    """A folder on the server beside the ledger; UIDs ascending."""

    mailbox: str
    folder: str
    on_server: int  # messages that count
    missing: tuple[int, ...]  # on the server, in no row
    withheld: tuple[int, ...]  # listed by the server and not handed out


def is_due(cursor: MailboxCursor, now: datetime) -> bool:
    return cursor.compared_at is None or now - cursor.compared_at >= EVERY


def compare_folder(
    session: Session, mailbox: Mailbox, cursor: MailboxCursor, folder: Folder
) -> Comparison:
    """Compare what the server lists with what the ledger has seen, up to the cursor.

    Mail from before the first contact counts only with ``start = "all"``: of the rest the server
    would have to be asked for each date again.
    """
    listed = [uid for uid in folder.uids_after(0) if uid <= cursor.last_uid]
    if mailbox.start != "all":
        listed = [uid for uid in listed if uid >= cursor.go_live_uid]
    withheld = set(withheld_uids(session, cursor))
    known = known_uids(session, cursor) | withheld
    return Comparison(
        mailbox=cursor.mailbox,
        folder=cursor.folder,
        on_server=len(listed),
        missing=tuple(uid for uid in listed if uid not in known),
        withheld=tuple(sorted(withheld & set(listed))),
    )


def compare_all(settings: Settings, engine: Engine) -> Iterator[Comparison]:
    """Every folder of every mailbox; raises MailboxUnreachable. Nothing is stored or changed."""
    tokens = AccessTokens(settings, utc_now)
    for mailbox in settings.mailboxes:
        with connect(mailbox, tokens) as client:
            for name in mailbox.folders:
                folder = open_folder(client, mailbox, name)
                with open_session(engine) as session:
                    cursor = find_cursor(session, mailbox.name, name)
                    if cursor is None or cursor.uidvalidity != folder.uidvalidity:
                        # Never pulled, or renumbered since: all of it is still to be read.
                        listed = folder.uids_after(0)
                        yield Comparison(mailbox.name, name, len(listed), tuple(listed), ())
                    else:
                        yield compare_folder(session, mailbox, cursor, folder)
