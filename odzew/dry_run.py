"""What would be sent for one mail: the worker's own decision, with nothing stored."""

from datetime import UTC, datetime
from typing import Any

from config.settings import Settings, Smtp
from storage.tables import Instance, Ticket
from triage.entities import order_numbers, remedy
from triage.withdrawal import is_withdrawal
from worker.acknowledge import draft_acknowledgement
from worker.complaint import complaint_in
from worker.context import known_addresses
from worker.mime import parse
from worker.reply_policy import Circumstances


def decision_for(content: bytes, settings: Settings) -> dict[str, Any]:
    """The object of contracts, section 5. The mail alone is judged: as if received now, first."""
    now = datetime.now(UTC)
    if settings.smtp is None:
        # Without a configuration the decision can still be shown, under a name that is nobody's.
        settings = settings.with_changes(
            smtp=Smtp(host="localhost", security="none", sender="Sklep <sklep@sklep.example>")
        )
    message = parse(content, known_addresses(settings))
    complaint = complaint_in(message)
    opens_ticket = message.kind == "person"
    ticket = Ticket(
        reference=f"ODZ-{now.year}-000000",
        requester_status=complaint.requester_status,
        subject=complaint.subject,
        received_at=now,
        shop=settings.shop.name,
        mailbox=settings.mailboxes[0].name if settings.mailboxes else "",
        fingerprint="",
        order_numbers=list(order_numbers(f"{complaint.subject}\n{complaint.text}")),
        remedy=remedy(complaint.text),
        acknowledgement_reason="",
    )
    facts = Circumstances(
        mail_reason=message.no_ack_reason if opens_ticket else _reason(message.no_ack_reason),
        sender_addr=message.from_addr,
        requester_addr=complaint.requester_addr,
        requester_status=complaint.requester_status,
        received_at=now,
        now=now,
        archive=False,
        before_restore=False,
        can_send=True,
        suppressed=False,
        same_mail_before=False,
        just_written_to=False,
        recent_to_address=0,
        recent_to_domain=0,
        recent_from_mailbox=0,
        withdrawal=is_withdrawal(complaint.text),
    )
    draft = draft_acknowledgement(
        settings,
        facts,
        message,
        complaint,
        ticket=ticket,
        instance=Instance(shop_id="dry-run", loop_key=b"dry-run"),
    )
    sent = draft.acknowledgement
    return {
        "create_ticket": opens_ticket,
        "acknowledge": sent is not None,
        "to": sent.recipient if sent else "",
        "reason": draft.decision.reason,
        "language": draft.language,
        "message": sent.content.decode("utf-8") if sent else None,
    }


def _reason(found: str | None) -> str:
    return found or "B.1: not a person's mail"
