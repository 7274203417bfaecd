"""The JSON objects of the command line: promises to programs, documented in docs/json.md."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from storage.tables import OutboxMessage, RawMessage, Ticket


def moment(value: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the second."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def ticket_object(ticket: Ticket, message_ids: Sequence[str]) -> dict[str, Any]:
    return {
        "reference": ticket.reference,
        "status": ticket.status,
        "cause": ticket.cause,
        "cause_confidence": ticket.cause_confidence,
        "urgency": ticket.urgency,
        "priority": ticket.priority,
        "needs_review": ticket.needs_review,
        "requester_addr": ticket.requester_addr,
        "requester_status": ticket.requester_status,
        "language": ticket.language,
        "subject": ticket.subject,
        "received_at": moment(ticket.received_at),
        "due_at": moment(ticket.due_at),
        "due_safe": ticket.due_safe.isoformat() if ticket.due_safe else None,
        "shop": ticket.shop,
        "mailbox": ticket.mailbox,
        "message_ids": list(message_ids),
        "order_numbers": ticket.order_numbers,
        "remedy": ticket.remedy,
        "classifier": ticket.classifier,
        "acknowledged_at": moment(ticket.acknowledged_at),
        "acknowledgement_reason": ticket.acknowledgement_reason,
    }


def ledger_object(row: RawMessage, reference: str | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "mailbox": row.mailbox,
        "folder": row.folder,
        "uidvalidity": row.uidvalidity,
        "uid": row.uid,
        "sha256": row.sha256,
        "size": row.size,
        "received_at": moment(row.received_at),
        "outcome": row.outcome,
        "ticket": reference,
        "reason": row.reason,
        "attempts": row.attempts,
    }


def outbox_object(row: OutboxMessage, reference: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "ticket": reference,
        "kind": row.kind,
        "recipient": row.recipient,
        "message_id": row.message_id,
        "state": row.state,
        "attempts": row.attempts,
        "problem": row.problem,
        "sent_at": moment(row.sent_at),
    }
