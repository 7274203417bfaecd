"""Old mail and labelled cases into the archive: no acknowledgement, no clock.

Reading is streamed, and each message is a row of the ledger keyed by file and position, so that an
import that was interrupted, or is started again, adds only what is missing.
"""

import csv
import hashlib
import json
import mailbox
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from itertools import islice
from pathlib import Path
from typing import Any

from config.errors import PermanentError
from storage.database import Session, open_session
from storage.labels import add_label, latest_label
from storage.mail import find_ledger_row, store_raw
from storage.tables import URGENCIES, Ticket
from storage.tickets import get_ticket
from worker.context import Context, known_addresses
from worker.ingest import ingest
from worker.parser_process import ParserProcess

BATCH = 200
CASE_FILES = (".jsonl", ".json", ".csv")


@dataclass(frozen=True)
class Item:
    """One message of an import; ``cause`` and ``urgency`` where somebody has labelled it."""

    folder: str  # the file it came from
    position: int  # from 1
    content: bytes
    cause: str = ""
    urgency: str = ""


def import_path(
    context: Context, path: Path, *, on_progress: Callable[[int], None] = lambda _done: None
) -> dict[str, int]:
    """Import an mbox, a Maildir, a folder of ``.eml`` or labelled cases (JSON lines, CSV).

    Cases need the keys subject, body, cause and urgency. Returns how many messages were new and
    how many were there already. Raises PermanentError for a case with an unknown cause or urgency,
    naming its line; what came before it is imported.
    """
    counts = {"new": 0, "known": 0}
    parser = ParserProcess(known_addresses(context.settings))
    items = _items(path, context)
    try:
        while batch := list(islice(items, BATCH)):
            with open_session(context.engine) as session:
                for item in batch:
                    counts["new" if _store(context, session, item, path.name) else "known"] += 1
                session.commit()
            while ingest(context, parser):
                continue
            _label(context, [item for item in batch if item.cause], path.name)
            on_progress(len(batch))
    finally:
        parser.close()
    return counts


def _store(context: Context, session: Session, item: Item, name: str) -> bool:
    if find_ledger_row(session, f"import:{name}", item.folder, 0, item.position) is not None:
        return False
    now = context.clock()
    row = {
        "mailbox": f"import:{name}",
        "folder": item.folder,
        "uidvalidity": 0,
        "uid": item.position,
        "size": len(item.content),
        "received_at": _written_at(item.content) or now,
        "fetched_at": now,
        "next_attempt_at": now,
        "archive": True,
    }
    store_raw(session, context.files, row, item.content, hashlib.sha256(item.content).hexdigest())
    return True


def _label(context: Context, items: list[Item], name: str) -> None:
    with open_session(context.engine) as session:
        for item in items:
            row = find_ledger_row(session, f"import:{name}", item.folder, 0, item.position)
            ticket: Ticket | None = None
            if row is not None and row.ticket_id is not None:
                ticket = get_ticket(session, row.ticket_id)
            if ticket is None or ticket.id is None or latest_label(session, ticket.id) is not None:
                continue
            add_label(
                session,
                ticket,
                cause=item.cause,
                urgency=item.urgency,
                author=f"import:{name}",
                source="import",
            )
        session.commit()


def _items(path: Path, context: Context) -> Iterator[Item]:
    if path.is_dir() and (path / "cur").is_dir():
        # The keys are file names: sorted, they give each message the same position every time.
        maildir = mailbox.Maildir(path, create=False)
        for position, key in enumerate(sorted(maildir.keys()), start=1):
            yield Item(str(path), position, maildir.get_bytes(key))
    elif path.is_dir():
        for file in sorted(path.rglob("*.eml")):
            yield Item(str(file), 1, file.read_bytes())
    elif path.suffix.lower() in CASE_FILES:
        yield from _cases(path, context)
    elif path.suffix.lower() == ".eml":
        yield Item(str(path), 1, path.read_bytes())
    else:
        yield from _mbox(path)


def _mbox(path: Path) -> Iterator[Item]:
    with path.open("rb") as file:
        if not file.read(5) == b"From ":
            raise PermanentError(
                f"{path} is none of: an mbox (begins with 'From '), a Maildir, a folder of .eml, "
                "cases in .jsonl or .csv"
            )
    box = mailbox.mbox(path, create=False)
    try:
        for position, key in enumerate(box.iterkeys(), start=1):
            yield Item(str(path), position, box.get_bytes(key))
    finally:
        box.close()


def _cases(path: Path, context: Context) -> Iterator[Item]:
    known = {cause.code for cause in context.taxonomy.causes}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows: Iterator[Any] = csv.DictReader(file) if path.suffix.lower() == ".csv" else iter(file)
        for position, row in enumerate(rows, start=1):
            if isinstance(row, str) and not row.strip():
                continue
            case = _case(path, position, row)
            cause, urgency = str(case.get("cause", "")), str(case.get("urgency", ""))
            if cause not in known:
                raise PermanentError(f"{path}, case {position}: the cause {cause!r} is not known")
            if urgency not in URGENCIES:
                raise PermanentError(
                    f"{path}, case {position}: the urgency {urgency!r} is not known; "
                    f"allowed: {', '.join(URGENCIES)}"
                )
            yield Item(str(path), position, _as_mail(case, path, position), cause, urgency)


def _case(path: Path, position: int, row: Any) -> Mapping[str, Any]:
    if not isinstance(row, str):
        return dict(row)
    try:
        case = json.loads(row)
    except ValueError as error:
        raise PermanentError(f"{path}, line {position}: not JSON: {error}") from error
    if not isinstance(case, dict):
        raise PermanentError(f"{path}, line {position}: expected an object")
    return case


def _as_mail(case: Mapping[str, Any], path: Path, position: int) -> bytes:
    message = EmailMessage()
    message["Subject"] = " ".join(str(case.get("subject") or "").split())
    # Two cases with the same words are two cases.
    digest = hashlib.sha256(f"{path.name}:{position}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<case.{digest}@odzew.invalid>"
    message.set_content(str(case.get("body") or ""))
    return message.as_bytes()


def _written_at(content: bytes) -> datetime | None:
    """The Date field, for want of the server's moment of receipt."""
    for line in content[:65536].splitlines():
        if not line:
            return None
        if line.lower().startswith(b"date:"):
            try:
                moment = parsedate_to_datetime(line[5:].decode("ascii", "replace").strip())
            except ValueError:
                return None
            return moment if moment.tzinfo else None
    return None
