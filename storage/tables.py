"""The schema, whole, in the order in which a message travels through it.

Words such as statuses are text with a CHECK constraint, the same words as in the JSON of the
command line. Tables that inherit ``WorkColumns`` are also queues: see ``storage.work``.
"""

from datetime import date, datetime
from typing import Any, Optional

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
)
from sqlmodel import Field, Relationship, SQLModel

from storage.columns import UtcDateTime, one_of, utc_now
from storage.rows import Row

OUTCOMES = (
    "pending",
    "ticket",
    "appended",
    "automatic",
    "bounce",
    "own",
    "duplicate",
    "archived",
    "quarantined",
    "vanished",
)
STATUSES = ("new", "assigned", "waiting", "resolved", "closed")
URGENCIES = ("low", "normal", "high", "critical")
REQUESTER_STATUSES = ("known", "suggested", "missing")
KINDS = ("person", "auto_reply", "bounce", "list", "own", "report")
OUTBOX_STATES = ("waiting", "sending", "sent", "failed", "unknown")
VERSION_STATES = ("candidate", "active", "retired")
ROLES = ("agent", "lead", "admin")
TOLD = ("", "open", "closed")

# Names that Alembic can refer to on both databases.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class WorkColumns(Row):
    """Columns of a table whose rows are work; only ``storage.work`` changes them."""

    next_attempt_at: datetime | None = Field(
        default_factory=utc_now,
        sa_type=UtcDateTime,
        index=True,
        description="when the work may next be tried; null: there is nothing to do",
    )
    claimed_until: datetime | None = Field(
        default=None, sa_type=UtcDateTime, description="end of the lease of whoever works on it"
    )
    claimed_by: str | None = Field(
        default=None, description="which claim it is: a random word that no other claim has"
    )
    attempts: int = 0
    problem: str | None = Field(default=None, description="why the last attempt failed")


class Instance(Row, table=True):
    """One row: what this installation is and what a person has paused."""

    __tablename__ = "instance"
    __table_args__ = (CheckConstraint("id = 1", name="is_single"),)

    id: int = Field(default=1, primary_key=True)
    shop_id: str
    loop_key: bytes = Field(description="key of the HMAC by which we know our own mail again")
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    acknowledgements_paused: bool = False
    acknowledgements_resumed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    restored_at: datetime | None = Field(
        default=None, sa_type=UtcDateTime, description="from a backup, last"
    )
    pause_reason: str = Field(default="", description="empty: a person has paused them")
    worker_paused: bool = False


class MailboxCursor(Row, table=True):
    """How far a folder has been read.

    ``go_live_uid``: messages below it were in the folder when we first saw it; whether they count
    is the mailbox's ``start``.
    """

    __tablename__ = "mailbox_cursor"
    __table_args__ = (UniqueConstraint("mailbox", "folder"),)

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    folder: str
    uidvalidity: int = Field(sa_type=BigInteger, description="unsigned 32 bits, RFC 9051 §2.3.1.1")
    last_uid: int = Field(default=0, sa_type=BigInteger)
    go_live_uid: int = Field(sa_type=BigInteger)
    go_live_at: datetime = Field(sa_type=UtcDateTime)
    renumbered: bool = Field(default=False, description="UIDVALIDITY has changed since go-live")
    last_success_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    problem: str | None = None
    compared_at: datetime | None = Field(
        default=None, sa_type=UtcDateTime, description="with everything in the folder (C-38)"
    )
    gaps: int = Field(default=0, description="messages that the last comparison found missing")


class WithheldMessage(Row, table=True):
    """A message that the server lists but does not hand out; it is tried again (C-19)."""

    __tablename__ = "withheld_message"
    __table_args__ = (UniqueConstraint("mailbox", "folder", "uidvalidity", "uid"),)

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    folder: str
    uidvalidity: int = Field(sa_type=BigInteger)
    uid: int = Field(sa_type=BigInteger)
    first_tried_at: datetime = Field(sa_type=UtcDateTime)
    tries: int = 0
    next_try_at: datetime = Field(sa_type=UtcDateTime)


class RawMessage(WorkColumns, table=True):
    """The ledger: one row for each message seen on a server, with exactly one outcome.

    The bytes are under ``sha256``: in ``raw_content`` or, when large, in the file store.
    """

    __tablename__ = "raw_message"
    __table_args__ = (
        UniqueConstraint("mailbox", "folder", "uidvalidity", "uid"),
        one_of("outcome", OUTCOMES),
        CheckConstraint("sha256 IS NOT NULL OR outcome = 'vanished'", name="has_bytes"),
        Index("ix_raw_message_outcome", "outcome", "fetched_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    folder: str
    uidvalidity: int = Field(sa_type=BigInteger, description="unsigned 32 bits, RFC 9051 §2.3.1.1")
    uid: int = Field(sa_type=BigInteger)
    sha256: str | None = Field(default=None, index=True)
    size: int = Field(
        sa_type=BigInteger, description="bytes on the server; more than were fetched when truncated"
    )
    truncated: bool = Field(default=False, description="larger than storage.max_bytes")
    archive: bool = Field(default=False, description="kept without acknowledgement or clock")
    received_at: datetime = Field(sa_type=UtcDateTime, description="INTERNALDATE")
    fetched_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    outcome: str = "pending"
    reason: str | None = None
    ticket_id: int | None = Field(default=None, foreign_key="ticket.id", index=True)
    ticket: Optional["Ticket"] = Relationship()


class RawContent(Row, table=True):
    """The unchanged bytes of messages of up to 1 MiB, once per content."""

    __tablename__ = "raw_content"

    sha256: str = Field(primary_key=True)
    content: bytes


class InboundMessage(Row, table=True):
    """A parsed message, on a ticket or (an automatic mail) beside one."""

    __tablename__ = "inbound_message"
    __table_args__ = (one_of("kind", KINDS),)

    id: int | None = Field(default=None, primary_key=True)
    raw_message_id: int = Field(foreign_key="raw_message.id", unique=True)
    ticket_id: int | None = Field(default=None, foreign_key="ticket.id", index=True)
    message_id: str = Field(index=True, description="without angle brackets")
    fingerprint: str = Field(index=True, description="the same for one mail by two ways (B-H5)")
    content_hash: str = Field(
        default="",
        index=True,
        sa_column_kwargs={"server_default": ""},
        description="the same for a mail that is sent again by hand",
    )
    kind: str
    from_addr: str = Field(index=True)
    from_name: str
    subject: str
    body: str = Field(description="all readable text")
    text: str = Field(description="what the sender newly wrote; of a forward the inner mail's text")
    comment: str = Field(default="", description="what the forwarder wrote above a forward")
    language: str | None = None
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime, description="Date field")
    received_at: datetime = Field(sa_type=UtcDateTime)
    defects: list[str] = Field(default_factory=list, sa_type=JSON)
    ticket: Optional["Ticket"] = Relationship()


class Attachment(Row, table=True):
    """A part with a name or without text; its bytes are in the file store under ``sha256``."""

    __tablename__ = "attachment"

    id: int | None = Field(default=None, primary_key=True)
    message_id: int = Field(foreign_key="inbound_message.id", index=True)
    name: str
    type: str
    size: int = Field(description="bytes")
    sha256: str
    inline: bool = False
    message: InboundMessage = Relationship()


class Ticket(WorkColumns, table=True):
    """A request from a requester, with its clock; as work: it waits for classification."""

    __tablename__ = "ticket"
    __table_args__ = (
        one_of("status", STATUSES),
        one_of("urgency", URGENCIES),
        one_of("requester_status", REQUESTER_STATUSES),
        CheckConstraint("priority BETWEEN 1 AND 4", name="priority_in_range"),
        Index("ix_ticket_queue", "status", "priority", "due_safe"),
    )

    id: int | None = Field(default=None, primary_key=True)
    reference: str = Field(unique=True, description="what people quote: ODZ-2026-000123")
    status: str = "new"
    cause: str | None = None
    cause_confidence: float | None = Field(default=None, description="probability, 0 to 1")
    urgency: str | None = None
    urgency_confidence: float | None = None
    priority: int = Field(default=3, description="1 first to 4")
    needs_review: bool = True
    requester_addr: str = Field(default="", index=True)
    requester_name: str = ""
    requester_status: str
    language: str | None = None
    subject: str
    received_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime | None = Field(
        default=None, sa_type=UtcDateTime, description="exclusive end of the statutory term"
    )
    due_safe: date | None = Field(default=None, description="last safe working day to answer")
    shop: str
    mailbox: str
    fingerprint: str = Field(unique=True, description="of the mail that opened it (D-P3)")
    order_numbers: list[str] = Field(default_factory=list, sa_type=JSON)
    remedy: str | None = None
    classifier: str | None = Field(default=None, description="version that classified it")
    acknowledged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    acknowledgement_reason: str = Field(description="rule and sentence: why (not) acknowledged")
    acknowledgement_wanted_at: datetime | None = Field(
        default=None,
        sa_type=UtcDateTime,
        index=True,
        description="a person has confirmed the address; the worker has yet to act on it",
    )
    related_ticket_id: int | None = Field(
        default=None, sa_column=Column(ForeignKey("ticket.id"), nullable=True)
    )
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ReferenceCounter(Row, table=True):
    """The last ticket number of a year; numbers may have gaps, never duplicates."""

    __tablename__ = "reference_counter"

    year: int = Field(primary_key=True)
    last: int


class TicketEvent(Row, table=True):
    """One line of a ticket's history; append only."""

    __tablename__ = "ticket_event"

    id: int | None = Field(default=None, primary_key=True)
    ticket_id: int = Field(foreign_key="ticket.id", index=True)
    at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    actor: str = Field(default="", description="e-mail of a person; empty: odzew itself")
    kind: str
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    ticket: Ticket = Relationship()


class Prediction(Row, table=True):
    """What one classifier version said of a ticket; append only."""

    __tablename__ = "prediction"

    id: int | None = Field(default=None, primary_key=True)
    ticket_id: int = Field(foreign_key="ticket.id", index=True)
    classifier: str
    cause: str
    cause_confidence: float
    urgency: str
    urgency_confidence: float
    needs_review: bool
    level: str = Field(default="preselect", description="suggest, preselect or automatic")
    causes: dict[str, float] = Field(sa_type=JSON)
    urgencies: dict[str, float] = Field(sa_type=JSON)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class Label(Row, table=True):
    """The cause and urgency a person or an import stated; append only, the newest counts."""

    __tablename__ = "label"
    __table_args__ = (one_of("urgency", URGENCIES), one_of("source", ("person", "import")))

    id: int | None = Field(default=None, primary_key=True)
    ticket_id: int = Field(foreign_key="ticket.id", index=True)
    cause: str
    urgency: str
    source: str
    author: str
    prediction_id: int | None = Field(default=None, foreign_key="prediction.id")
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class OutboxMessage(WorkColumns, table=True):
    """An e-mail we owe to someone: written together with its cause, sent later.

    ``message_id`` and ``content`` are fixed when the row is written, so that whatever is sent
    for this row is always the same message (RFC 5322 §3.6.4). ``sending`` is committed before the
    message goes on the wire; who finds it there after a crash cannot know whether it arrived.
    """

    __tablename__ = "outbox_message"
    __table_args__ = (
        UniqueConstraint("ticket_id", "kind"),  # at most one acknowledgement per ticket
        one_of("state", OUTBOX_STATES),
        Index("ix_outbox_message_state", "state", "created_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    ticket_id: int = Field(foreign_key="ticket.id")
    kind: str = Field(description="'acknowledgement' so far; at most one of a kind per ticket")
    mandatory: bool = Field(default=False, description="a confirmation the law asks for")
    mailbox: str = Field(description="whose limits count")
    sender: str = Field(description="RFC 5321 envelope sender")
    recipient: str = Field(index=True, description="RFC 5321 address, no display name")
    message_id: str = Field(unique=True, description="without angle brackets")
    content: bytes = Field(sa_type=LargeBinary, description="the whole RFC 5322 message")
    state: str = "waiting"
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime, index=True)
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ticket: Ticket = Relationship()


class SuppressedAddress(Row, table=True):
    """An address that a server refused for good; nothing automatic goes there until then."""

    __tablename__ = "suppressed_address"

    address: str = Field(primary_key=True)
    until: datetime = Field(sa_type=UtcDateTime)
    reason: str


class ClassifierVersion(Row, table=True):
    """A trained classifier: its folder, its report, and which one is active."""

    __tablename__ = "classifier_version"
    __table_args__ = (
        one_of("state", VERSION_STATES),
        Index(
            "ix_one_active_version",
            "state",
            unique=True,
            sqlite_where=Column("state") == "active",
            postgresql_where=Column("state") == "active",
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    version: str = Field(unique=True)
    state: str
    shipped: bool = Field(description="comes with odzew; else it is below storage.path")
    manifest_sha256: str
    report: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    promoted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    override_reason: str = Field(default="", description="why it was promoted against the gate")


class Person(Row, table=True):
    """Somebody who signs in."""

    __tablename__ = "person"
    __table_args__ = (one_of("role", ROLES),)

    id: int | None = Field(default=None, primary_key=True)
    email: str = Field(unique=True)
    name: str
    role: str
    password_hash: str | None = Field(default=None, description="argon2id; null: link only")
    language: str = "pl"
    disabled: bool = False
    failed_sign_ins: int = 0
    locked_until: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SignInLink(Row, table=True):
    """A link that signs one person in, once."""

    __tablename__ = "sign_in_link"

    token_sha256: str = Field(primary_key=True)
    person_id: int = Field(foreign_key="person.id")
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class WebSession(Row, table=True):
    """A signed-in browser; the cookie's value is never stored, only its hash."""

    __tablename__ = "web_session"

    token_sha256: str = Field(primary_key=True)
    person_id: int = Field(foreign_key="person.id")
    csrf_token: str
    created_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)
    last_seen_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class FleetNode(Row, table=True):
    """A running ``odzew fleet``; it says every few seconds that it is alive."""

    __tablename__ = "fleet_node"

    name: str = Field(primary_key=True)
    steps: list[str] = Field(sa_type=JSON, description="names of steps")
    started_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime, description="by the database's clock")


class FleetTick(Row, table=True):
    """The newest tick of a step that a node has put into the queue, so that none is run twice."""

    __tablename__ = "fleet_tick"

    step: str = Field(primary_key=True)
    tick: int = Field(sa_type=BigInteger, description="a period of the database's clock")
    failures: int = Field(default=0, description="in a row, of a step that runs once at a time")
    not_before: datetime | None = Field(
        default=None, sa_type=UtcDateTime, description="after failures: no tick until then"
    )


class StoredCount(Row, table=True):
    """How many rows of a table have a word in a column, counted now and then for the metrics.

    Counting all of them reads an index as a whole, which is too much for each scrape.
    """

    __tablename__ = "stored_count"

    name: str = Field(primary_key=True, description="messages or outbox")
    word: str = Field(primary_key=True, description="an outcome or a state")
    count: int = Field(sa_type=BigInteger)
    counted_at: datetime = Field(sa_type=UtcDateTime)


class Alarm(WorkColumns, table=True):
    """Something that a person should be told by another way than the page; as work: to be told.

    What may pass by itself is no alarm before ``counts_from``. A channel has been told of ``open``
    or, later, of ``closed``; each is told at least once.
    """

    __tablename__ = "alarm"
    __table_args__ = (
        Index(
            "ix_one_open_alarm",
            "key",
            unique=True,
            sqlite_where=Column("closed_at").is_(None),
            postgresql_where=Column("closed_at").is_(None),
        ),
        one_of("webhook_told", TOLD),
        one_of("mail_told", TOLD),
    )

    id: int | None = Field(default=None, primary_key=True)
    kind: str = Field(description="a key of config/alarms/words.toml")
    key: str = Field(description="what it is about; one open alarm for each")
    detail: dict[str, Any] = Field(
        default_factory=dict, sa_type=JSON, description="names and numbers for its sentence"
    )
    opened_at: datetime = Field(sa_type=UtcDateTime)
    counts_from: datetime = Field(sa_type=UtcDateTime)
    told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    webhook_told: str = ""
    mail_told: str = ""
