"""Old mail and labelled cases into the archive: no acknowledgement, no clock.

Reading is streamed, and each message is a row of the ledger keyed by file and position, so that an
import that was interrupted, or is started again, adds only what is missing.
"""

import csv
import hashlib
import json
import mailbox
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from config.errors import PermanentError
from storage.database import Session, open_session
from storage.labels import add_label, latest_label
from storage.mail import find_ledger_row, known_places, store_raw
from storage.tables import URGENCIES, Ticket
from storage.tickets import get_ticket
from worker.context import Context, known_addresses
from worker.ingest import ingest
from worker.parser_process import ParserProcess

BATCH = 200
CASE_FILES = (".jsonl", ".json", ".csv")
LONGEST_FIELD = 16 * 1024 * 1024  # of a table, in characters


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
    how many were there already. Raises PermanentError for a file that cannot be read and for a
    case with an unknown cause or urgency, naming its line; what came before it is imported.
    """
    counts = {"new": 0, "known": 0}
    parser = ParserProcess(known_addresses(context.settings))
    try:
        for batch in _batches(_items(path, context)):
            with open_session(context.engine) as session:
                new = _store(context, session, batch, path.name)
            counts["new"] += new
            counts["known"] += len(batch) - new
            while ingest(context, parser):
                continue
            _label(context, [item for item in batch if item.cause], path.name)
            on_progress(len(batch))
    finally:
        parser.close()
    return counts


def _store(context: Context, session: Session, batch: Sequence[Item], name: str) -> int:
    """Write what the ledger does not have yet; return how many that are."""
    places = [(item.folder, item.position) for item in batch]
    known = known_places(session, f"import:{name}", places)
    now = context.clock()
    mails = [
        (
            {
                "mailbox": f"import:{name}",
                "folder": item.folder,
                "uidvalidity": 0,
                "uid": item.position,
                "size": len(item.content),
                "received_at": _written_at(item.content) or now,
                "fetched_at": now,
                "next_attempt_at": now,
                "archive": True,
            },
            item.content,
        )
        for item, place in zip(batch, places, strict=True)
        if place not in known
    ]
    store_raw(session, context.files, mails)
    session.commit()
    return len(mails)


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


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except PermanentError:
        yield batch  # what came before the one that is wrong
        raise
    if batch:
        yield batch


def _items(path: Path, context: Context) -> Iterator[Item]:
    try:
        if path.is_dir() and (path / "cur").is_dir():
            # The keys are file names: sorted, they give each message the same position every time.
            maildir = mailbox.Maildir(path, create=False)
            for position, key in enumerate(sorted(maildir.keys()), start=1):
                yield Item(str(path), position, maildir.get_bytes(key))
        elif path.is_dir():
            # A link could name any file of this machine (E-80).
            for file in sorted(f for f in path.rglob("*.eml") if not f.is_symlink()):
                yield Item(str(file), 1, file.read_bytes())
        elif path.suffix.lower() in CASE_FILES:
            yield from _cases(path, context)
        elif path.suffix.lower() == ".eml":
            yield Item(str(path), 1, path.read_bytes())
        else:
            yield from _mbox(path)
    except UnicodeDecodeError as error:
        raise PermanentError(f"{path} is not UTF-8 text; save it again as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise PermanentError(f"{path} cannot be read: {error}") from error


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
    causes = {cause.code for cause in context.taxonomy.causes}
    rows = _table(path) if path.suffix.lower() == ".csv" else _lines(path)
    for position, (line, case) in enumerate(rows, start=1):
        where = f"{path}, line {line}"
        cause = _one_of(case, "cause", causes, where=where)
        urgency = _one_of(case, "urgency", URGENCIES, where=where)
        yield Item(str(path), position, _as_mail(case, path, position), cause, urgency)


def _one_of(case: Mapping[str, Any], key: str, words: Collection[str], *, where: str) -> str:
    found = case.get(key)
    if not isinstance(found, str) or found not in words:
        raise PermanentError(
            f"{where}: the {key} {found!r} is not known; allowed: {', '.join(sorted(words))}"
        )
    return found


def _table(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(LONGEST_FIELD)
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = file.readline()
        file.seek(0)
        # Where a comma is the decimal sign, a spreadsheet puts semicolons between the fields.
        delimiter = ";" if names.count(";") > names.count(",") else ","
        reader = csv.DictReader(file, delimiter=delimiter)
        for case in reader:
            yield reader.line_num, case


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                case = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise PermanentError(f"{path}, line {number}: not JSON: {error}") from error
            if not isinstance(case, dict):
                raise PermanentError(f"{path}, line {number}: expected an object")
            yield number, case


def _as_mail(case: Mapping[str, Any], path: Path, position: int) -> bytes:
    message = EmailMessage()
    message["Subject"] = " ".join(_text(case, "subject").split())
    # Two cases with the same words are two cases.
    digest = hashlib.sha256(f"{path.name}:{position}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<case.{digest}@odzew.invalid>"
    message.set_content(_text(case, "body"))
    return message.as_bytes()


def _text(case: Mapping[str, Any], key: str) -> str:
    # JSON can name half of a surrogate pair, which no encoding can write.
    return str(case.get(key) or "").encode("utf-8", "replace").decode("utf-8")


def _written_at(content: bytes) -> datetime | None:
    """The Date field, for want of the server's moment of receipt."""
    for line in content[:65536].splitlines():
        if not line:
            return None
        if line.lower().startswith(b"date:"):
            try:
                moment = parsedate_to_datetime(line[5:].decode("ascii", "replace").strip())
                return moment.astimezone(UTC) if moment.tzinfo else None
            except (ValueError, OverflowError):
                return None
    return None
