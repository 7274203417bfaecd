"""Whole objects for tests: each call is a new one, and a test names only what it is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from config.settings import Database, Mailbox, Settings, Shop, Smtp, Storage
from storage.database import open_session
from storage.mail import find_ledger_row, store_raw
from storage.tables import OutboxMessage, RawMessage, Ticket
from worker.context import Context

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)  # the fixture ``now``

_serial = count(1)


@dataclass
class Clock:
    """Time stands still until a test moves it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


def a_mail(
    *,
    sender: str = "",
    subject: str = "Reklamacja",
    text: str = "Dzień dobry, talerze przyszły stłuczone. Proszę o wymianę.",
    date: datetime | None = NOW,
    fields: Mapping[str, str] | None = None,
) -> bytes:
    """A customer's mail; each has its own sender and Message-ID. ``fields`` adds or replaces."""
    number = next(_serial)
    every = {
        "From": sender or f"Anna Nowak <anna{number}@klient{number}.example>",
        "To": "reklamacje@sklep.example",
        "Subject": subject,
        "Date": f"{date:%a, %d %b %Y %H:%M:%S +0000}" if date else "",
        "Message-ID": f"<mail{number}@klient.example>",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
    } | dict(fields or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in every.items() if value)
    return (head + "\r\n" + text.replace("\n", "\r\n") + "\r\n").encode()


def a_raw_message(**columns: object) -> RawMessage:
    """A message in the ledger that waits to be read."""
    number = next(_serial)
    defaults: dict[str, object] = {
        "mailbox": "reklamacje",
        "folder": "INBOX",
        "uidvalidity": 1,
        "uid": number,
        "sha256": f"{number:064x}",
        "size": 1000,
        "received_at": NOW,
        "fetched_at": NOW,
        "next_attempt_at": NOW,
    }
    return RawMessage(**(defaults | columns))


def in_the_ledger(context: Context, *mails: bytes, **columns: object) -> list[RawMessage]:
    """Mails as a pull leaves them: stored, not yet read."""
    rows = [a_raw_message(**columns) for _ in mails]
    with open_session(context.engine) as session:
        values = [
            row.model_dump(exclude={"id", "sha256"}) | {"size": len(mail)}
            for row, mail in zip(rows, mails, strict=True)
        ]
        store_raw(session, context.files, list(zip(values, mails, strict=True)))
        session.commit()
        stored = [
            find_ledger_row(session, row.mailbox, row.folder, row.uidvalidity, row.uid)
            for row in rows
        ]
    return [row for row in stored if row is not None]


def a_ticket(**columns: object) -> Ticket:
    """An open ticket of somebody we may answer; it does not wait for classification."""
    number = next(_serial)
    defaults: dict[str, object] = {
        "reference": f"ODZ-2026-{number:06d}",
        "requester_addr": f"anna{number}@klient{number}.example",
        "requester_name": "Anna Nowak",
        "requester_status": "known",
        "subject": "Reklamacja",
        "received_at": NOW,
        "shop": "Sklep Przykładny",
        "mailbox": "reklamacje",
        "fingerprint": f"{number:064x}",
        "acknowledgement_reason": "B.1: a person's mail with one safe address",
        "next_attempt_at": None,
    }
    return Ticket(**(defaults | columns))


def an_outbox_message(ticket: Ticket, **columns: object) -> OutboxMessage:
    """The acknowledgement of a stored ticket, due now."""
    number = next(_serial)
    defaults: dict[str, object] = {
        "ticket_id": ticket.id,
        "kind": "acknowledgement",
        "mailbox": ticket.mailbox,
        "sender": "reklamacje@sklep.example",
        "recipient": ticket.requester_addr,
        "message_id": f"ack.{number}@sklep.example",
        "content": a_mail(
            sender="Sklep Przykładny <reklamacje@sklep.example>",
            subject=f"Potwierdzenie [{ticket.reference}]",
            text="Dzień dobry,\n.\n..otrzymaliśmy Państwa wiadomość.\n.koniec\n\n",
            fields={"To": ticket.requester_addr, "Message-ID": f"<ack.{number}@sklep.example>"},
        ),
        "created_at": NOW,
        "next_attempt_at": NOW,
    }
    return OutboxMessage(**(defaults | columns))


def a_mailbox(**keys: object) -> Mailbox:
    """A mailbox on loopback in plain text; ``host``, ``port`` and the secret are the test's."""
    defaults: dict[str, object] = {
        "name": "reklamacje",
        "host": "127.0.0.1",
        "port": 143,
        "security": "none",
        "start": "all",
    }
    return Mailbox.model_validate(defaults | keys)


def an_smtp_server(**keys: object) -> Smtp:
    """An SMTP server on loopback in plain text without a login."""
    defaults: dict[str, object] = {
        "host": "127.0.0.1",
        "port": 25,
        "security": "none",
        "sender": "Sklep Przykładny <reklamacje@sklep.example>",
    }
    return Smtp.model_validate(defaults | keys)


def a_configuration(folder: Path, **sections: object) -> Settings:
    """The settings of a shop that keeps everything in ``folder``."""
    defaults: dict[str, object] = {
        "shop": Shop(name="Sklep Przykładny", own_domains=["sklep.example"]),
        "database": Database(url=f"sqlite:///{folder / 'odzew.db'}"),
        "storage": Storage(path=folder / "var"),
    }
    return Settings(**(defaults | sections))  # type: ignore[arg-type]
