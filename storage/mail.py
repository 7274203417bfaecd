"""Mailbox cursors, raw messages (the ledger) and inbound messages."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Insert, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from config.addresses import plain_address
from storage.files import FileStore
from storage.tables import (
    Attachment,
    InboundMessage,
    MailboxCursor,
    OutboxMessage,
    RawContent,
    RawMessage,
    Ticket,
)

INLINE_LIMIT = 1024 * 1024  # bytes; a larger raw mail is a file


def insert_for(session: Session, table: type[SQLModel]) -> postgresql.Insert | sqlite.Insert:
    """INSERT with ON CONFLICT, which both databases spell alike but in two modules."""
    dialect = session.get_bind().dialect.name
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def insert_ignoring_duplicates(session: Session, table: type[SQLModel]) -> Insert:
    return insert_for(session, table).on_conflict_do_nothing()


def find_cursor(session: Session, mailbox: str, folder: str) -> MailboxCursor | None:
    return session.exec(
        select(MailboxCursor).where(
            MailboxCursor.mailbox == mailbox, MailboxCursor.folder == folder
        )
    ).first()


def store_raw(
    session: Session, files: FileStore, mails: Sequence[tuple[dict[str, Any], bytes]]
) -> None:
    """Add fetched messages to the ledger; one that is there already is left alone.

    mails: the columns of RawMessage, and the bytes. These are durable once the caller has
    committed.
    """
    contents, rows = [], []
    for columns, content in mails:
        sha256 = hashlib.sha256(content).hexdigest()
        if len(content) > INLINE_LIMIT:
            files.put(content)
        else:
            contents.append({"sha256": sha256, "content": content})
        rows.append(RawMessage(**columns, sha256=sha256).model_dump(exclude={"id"}))
    for table, values in ((RawContent, contents), (RawMessage, rows)):
        if values:
            session.execute(insert_ignoring_duplicates(session, table), values)


def find_ledger_row(
    session: Session, mailbox: str, folder: str, uidvalidity: int, uid: int
) -> RawMessage | None:
    return session.exec(
        select(RawMessage).where(
            RawMessage.mailbox == mailbox,
            RawMessage.folder == folder,
            RawMessage.uidvalidity == uidvalidity,
            RawMessage.uid == uid,
        )
    ).first()


def known_places(
    session: Session, mailbox: str, places: Collection[tuple[str, int]]
) -> set[tuple[str, int]]:
    """Which of some messages, by folder and UID, the ledger of an import has."""
    rows = session.exec(
        select(RawMessage.folder, RawMessage.uid).where(
            RawMessage.mailbox == mailbox,
            RawMessage.uidvalidity == 0,
            col(RawMessage.folder).in_({folder for folder, _ in places}),
            col(RawMessage.uid).in_({uid for _, uid in places}),
        )
    ).all()
    return set(rows)


def get_ledger_row(session: Session, row_id: int) -> RawMessage | None:
    return session.get(RawMessage, row_id)


def record_vanished(session: Session, row: dict[str, Any]) -> None:
    """A message that was on the server when we looked and gone when we fetched (C-07, C-16)."""
    vanished = RawMessage(**row, outcome="vanished", reason="C-07: gone before it could be fetched")
    values = vanished.model_dump(exclude={"id"}) | {"next_attempt_at": None}
    session.execute(insert_ignoring_duplicates(session, RawMessage), values)


def raw_contents(session: Session, files: FileStore, rows: Sequence[RawMessage]) -> list[bytes]:
    """The bytes of each of some messages."""
    names = [row.sha256 for row in rows]
    stored = dict(
        session.exec(
            select(RawContent.sha256, RawContent.content).where(col(RawContent.sha256).in_(names))
        ).all()
    )
    return [stored[name] if name in stored else files.read(str(name)) for name in names]


def raw_bytes(session: Session, files: FileStore, sha256: str) -> bytes:
    stored = session.get(RawContent, sha256)
    return stored.content if stored is not None else files.read(sha256)


def first_with_same_bytes(session: Session, row: RawMessage) -> RawMessage | None:
    """An earlier message of the ledger with the same bytes that has had its outcome."""
    return session.exec(
        select(RawMessage)
        .where(
            RawMessage.sha256 == row.sha256,
            RawMessage.id != row.id,
            col(RawMessage.outcome).not_in(("pending", "quarantined", "duplicate")),
        )
        .order_by(col(RawMessage.id))
        .limit(1)
    ).first()


def message_with_fingerprint(session: Session, fingerprint: str) -> InboundMessage | None:
    """The same mail delivered by another way (B-H5)."""
    return session.exec(
        select(InboundMessage)
        .where(InboundMessage.fingerprint == fingerprint)
        .order_by(col(InboundMessage.id))
        .limit(1)
    ).first()


def ticket_of_same_content(
    session: Session, requester_addr: str, content_hash: str, *, since: datetime
) -> Ticket | None:
    """The newest ticket of a requester that a mail with this very content opened or joined."""
    return session.exec(
        select(Ticket)
        .join(InboundMessage, col(InboundMessage.ticket_id) == Ticket.id)
        .where(
            Ticket.requester_addr == requester_addr,
            InboundMessage.kind == "person",
            InboundMessage.content_hash == content_hash,
            col(InboundMessage.received_at) >= since,
        )
        .order_by(col(Ticket.id).desc())
        .limit(1)
    ).first()


def newest_of_requester(
    session: Session, requester_addr: str, subject: str, *, since: datetime
) -> Ticket | None:
    """The newest ticket of a requester with this subject, received since a moment."""
    return session.exec(
        select(Ticket)
        .where(
            Ticket.requester_addr == requester_addr,
            Ticket.subject == subject,
            col(Ticket.received_at) >= since,
        )
        .order_by(col(Ticket.id).desc())
        .limit(1)
    ).first()


def opening_message(session: Session, ticket_id: int) -> RawMessage | None:
    """The ledger row of the mail that opened a ticket."""
    return session.exec(
        select(RawMessage)
        .where(RawMessage.ticket_id == ticket_id, col(RawMessage.sha256).is_not(None))
        .order_by(col(RawMessage.id))
        .limit(1)
    ).first()


def ticket_of_message_ids(session: Session, message_ids: Iterable[str]) -> int | None:
    """The ticket to which a message with one of these ids belongs, sent or received by us.

    The ids are tried in the order given.
    """
    ids = list(message_ids)
    if not ids:
        return None
    found: dict[str, int] = {}
    for table in (InboundMessage, OutboxMessage):
        rows = session.exec(
            select(table.message_id, table.ticket_id).where(
                col(table.message_id).in_(ids), col(table.ticket_id).is_not(None)
            )
        )
        for message_id, ticket_id in rows:
            if ticket_id is not None:
                found.setdefault(message_id, ticket_id)
    return next((found[message_id] for message_id in ids if message_id in found), None)


def is_known_message(
    session: Session, message_id: str, *, from_addr: str, since: datetime, beside: Ticket
) -> bool:
    """Whether another ticket than ``beside`` has a message of this sender with this id (B-H4)."""
    session.flush()  # a ticket without its number could not be told from the others
    found = session.exec(
        select(InboundMessage.id)
        .where(
            InboundMessage.message_id == message_id,
            InboundMessage.from_addr == from_addr,
            col(InboundMessage.received_at) >= since,
            col(InboundMessage.ticket_id).is_not(None),
            InboundMessage.ticket_id != beside.id,
        )
        .limit(1)
    )
    return found.first() is not None


def participants(session: Session, ticket: Ticket) -> set[str]:
    """Addresses that may add to a ticket by quoting its reference."""
    senders = session.exec(
        select(InboundMessage.from_addr).where(
            InboundMessage.ticket_id == ticket.id, InboundMessage.kind == "person"
        )
    )
    # Rows of earlier versions have a domain in A-labels.
    return set(map(plain_address, {ticket.requester_addr, *senders})) - {""}


def messages_of_ticket(session: Session, ticket_id: int) -> Sequence[InboundMessage]:
    return session.exec(
        select(InboundMessage)
        .where(InboundMessage.ticket_id == ticket_id)
        .order_by(col(InboundMessage.received_at), col(InboundMessage.id))
    ).all()


def is_archived(session: Session, ticket_id: int) -> bool:
    """Whether the mail that opened a ticket was kept without acknowledgement and clock."""
    return (
        session.exec(
            select(RawMessage.archive)
            .where(RawMessage.ticket_id == ticket_id)
            .order_by(col(RawMessage.id))
            .limit(1)
        ).first()
        is True
    )


def attachments_of(session: Session, message_ids: Sequence[int]) -> Sequence[Attachment]:
    return session.exec(
        select(Attachment)
        .where(col(Attachment.message_id).in_(message_ids))
        .order_by(col(Attachment.id))
    ).all()


def find_attachment(session: Session, attachment_id: int) -> tuple[Attachment, int | None] | None:
    """An attachment and the ticket it is on."""
    row = session.exec(
        select(Attachment, InboundMessage.ticket_id)
        .join(InboundMessage, col(InboundMessage.id) == Attachment.message_id)
        .where(Attachment.id == attachment_id)
    ).first()
    return None if row is None else (row[0], row[1])


def ledger(session: Session) -> Iterable[tuple[RawMessage, str | None]]:
    """Every row of the ledger with the reference of its ticket, in order of arrival."""
    statement = (
        select(RawMessage, Ticket.reference)
        .join(Ticket, col(Ticket.id) == RawMessage.ticket_id, isouter=True)
        .order_by(col(RawMessage.id))
        .execution_options(yield_per=500)
    )
    return session.exec(statement)


def count_ledger(session: Session) -> int:
    return session.exec(select(func.count()).select_from(RawMessage)).one()


def outcome_counts(session: Session) -> dict[str, int]:
    """How many messages had each outcome; the sum is the number of rows."""
    rows = session.exec(select(RawMessage.outcome, func.count()).group_by(RawMessage.outcome))
    return dict(rows.all())


def add_attachments(
    session: Session,
    message: InboundMessage,
    attachments: Iterable[tuple[str, str, int, bool, str]],
) -> None:
    """attachments: name, media type, size in bytes, inline, SHA-256 of the stored file."""
    for name, type_, size, inline, sha256 in attachments:
        session.add(
            Attachment(  # type: ignore[call-arg]
                message=message,  # its id is known only when both are written
                name=name,
                type=type_,
                size=size,
                inline=inline,
                sha256=sha256,
            )
        )
