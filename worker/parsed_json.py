"""A parsed mail as the JSON object that ``odzew parse --json`` prints: the keys, in their order."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from worker.parsed_message import ParsedMessage


def to_json(path_name: str, parsed: ParsedMessage) -> dict[str, Any]:
    """The object of one mail. Absent: text "", lists [], everything else null."""
    forwarded = parsed.forwarded
    return {
        "file": path_name,
        "error": parsed.error,
        "subject": parsed.subject,
        "from_addr": parsed.from_addr,
        "from_name": parsed.from_name,
        "to_addrs": list(parsed.to_addrs),
        "cc_addrs": list(parsed.cc_addrs),
        "reply_to_addr": parsed.reply_to_addr,
        "requester_addr": parsed.requester_addr,
        "requester_source": parsed.requester_source,
        "message_id": parsed.message_id,
        "in_reply_to": list(parsed.in_reply_to),
        "references": list(parsed.references),
        "date": _rfc3339(parsed.date),
        "body": parsed.body,
        "text": parsed.text,
        "language": parsed.language,
        "kind": parsed.kind,
        "is_auto_reply": parsed.is_auto_reply,
        "is_bounce": parsed.is_bounce,
        "is_forward": parsed.is_forward,
        "auto_ack_ok": parsed.auto_ack_ok,
        "no_ack_reason": parsed.no_ack_reason,
        "forwarded": forwarded
        and {
            "from_addr": forwarded.from_addr,
            "from_name": forwarded.from_name,
            "to": list(forwarded.to),
            "cc": list(forwarded.cc),
            "subject": forwarded.subject,
            "body": forwarded.body,
        },
        "bounces": [asdict(bounce) for bounce in parsed.bounces],
        "attachments": [
            {"name": a.name, "type": a.type, "size": a.size, "inline": a.inline}
            for a in parsed.attachments
        ],
        "defects": list(parsed.defects),
    }


def _rfc3339(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
