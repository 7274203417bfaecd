"""Puts the acknowledgement of a new ticket into the outbox, or says on the ticket why not.

Runs inside the transaction that opens the ticket: no acknowledgement without a committed ticket,
and its text always has the committed number (D-P6).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parseaddr

from config.addresses import wire_address
from config.replies import Kind, Reply, ReplyError, ReplyValues, render
from config.settings import LANGUAGES, Mailbox, Settings
from storage.database import Session
from storage.mail import is_known_message
from storage.outbox import (
    is_suppressed,
    put_in_outbox,
    recent_from_mailbox,
    recent_to_address,
    recent_to_domain,
)
from storage.seen import Seen
from storage.tables import Instance, OutboxMessage, Ticket
from worker.acknowledgement import (
    Acknowledgement,
    AddressError,
    build_acknowledgement,
    reply_address,
)
from worker.complaint import Complaint
from worker.context import Context
from worker.parsed_message import ParsedMessage
from worker.reading import Reading
from worker.reply_policy import Circumstances, ReplyDecision, decide_reply

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TEN_MINUTES = timedelta(minutes=10)


@dataclass(frozen=True)
class Draft:
    """What would be sent, or why nothing is."""

    decision: ReplyDecision
    language: str
    acknowledgement: Acknowledgement | None
    mandatory: bool


def acknowledge(
    context: Context,
    session: Session,
    instance: Instance,
    ticket: Ticket,
    reading: Reading,
    seen: Seen,
    *,
    archive: bool,
) -> None:
    """Decide about a new ticket's acknowledgement and write it to the outbox."""
    message, complaint = reading.message, reading.complaint
    address = wire_address(complaint.requester_addr)  # as the outbox and refusals have it
    written_to = address in seen.recipients
    to_domain, from_mailbox = f"@{address.rpartition('@')[2]}", f"from {ticket.mailbox}"
    now = context.clock()
    facts = Circumstances(
        mail_reason=message.no_ack_reason,
        sender_addr=message.from_addr,
        requester_addr=complaint.requester_addr,
        requester_status=complaint.requester_status,
        received_at=ticket.received_at,
        now=now,
        archive=archive,
        before_restore=(
            instance.restored_at is not None and ticket.received_at <= instance.restored_at
        ),
        can_send=context.settings.smtp is not None,
        suppressed=address in seen.suppressed and is_suppressed(session, address, now=now),
        same_mail_before=message.message_id in seen.ids
        and is_known_message(
            session,
            message.message_id,
            from_addr=message.from_addr,
            since=now - DAY,
            beside=ticket,
        ),
        just_written_to=written_to
        and recent_to_address(session, address, since=now - TEN_MINUTES) > 0,
        recent_to_address=(
            recent_to_address(session, address, since=now - DAY) if written_to else 0
        ),
        recent_to_domain=seen.count(
            to_domain, lambda: recent_to_domain(session, to_domain[1:], since=now - HOUR)
        ),
        recent_from_mailbox=seen.count(
            from_mailbox, lambda: recent_from_mailbox(session, ticket.mailbox, since=now - HOUR)
        ),
        withdrawal=complaint.is_withdrawal,
    )
    draft = draft_acknowledgement(
        context.settings, facts, message, complaint, ticket=ticket, instance=instance
    )
    ticket.acknowledgement_reason = draft.decision.reason
    session.add(ticket)
    if draft.acknowledgement is None:
        return
    seen.recipients.add(address)
    seen.count_one_more(to_domain)
    seen.count_one_more(from_mailbox)
    put_in_outbox(
        session,
        OutboxMessage(  # type: ignore[call-arg]
            ticket=ticket,
            kind="acknowledgement",
            mandatory=draft.mandatory,
            mailbox=ticket.mailbox,
            sender=draft.acknowledgement.sender,
            recipient=draft.acknowledgement.recipient,
            message_id=draft.acknowledgement.message_id,
            content=draft.acknowledgement.content,
            created_at=now,
            next_attempt_at=now,
        ),
    )


def draft_acknowledgement(
    settings: Settings,
    facts: Circumstances,
    message: ParsedMessage,
    complaint: Complaint,
    *,
    ticket: Ticket,
    instance: Instance,
) -> Draft:
    """The decision, and the message where it is a yes; nothing is stored.

    ticket: its reference, moment of receipt, order numbers and remedy are used.
    """
    mailbox = settings.mailbox(ticket.mailbox)
    language = _language(settings, mailbox, complaint)
    decision = decide_reply(facts, settings.acknowledgements)
    if not decision.acknowledge:
        return Draft(decision, language, None, facts.withdrawal)
    kind: Kind = "withdrawal" if facts.withdrawal else "received"
    try:
        reply = render(
            kind,
            language,
            _values(settings, mailbox, ticket, message),
            folder=settings.acknowledgements.templates,
        )
        built = _build(settings, mailbox, reply, message, complaint, ticket, instance, facts.now)
    except (AddressError, ReplyError) as error:
        refusal = replace(decision, acknowledge=False, reason=f"B-D2: {error}")
        return Draft(refusal, language, None, facts.withdrawal)
    if built.needs_smtputf8:
        refusal = replace(
            decision, acknowledge=False, reason="B-D7: the address has letters that SMTP lacks"
        )
        return Draft(refusal, language, None, facts.withdrawal)
    return Draft(decision, language, built, facts.withdrawal)


def _language(settings: Settings, mailbox: Mailbox | None, complaint: Complaint) -> str:
    """The customer's language, else the mailbox's, else the shop's."""
    if complaint.language in LANGUAGES:
        return str(complaint.language)
    return (mailbox.language if mailbox and mailbox.language else None) or settings.shop.language


def _values(
    settings: Settings, mailbox: Mailbox | None, ticket: Ticket, message: ParsedMessage
) -> ReplyValues:
    contact = (settings.shop.address, parseaddr(sender_of(settings, mailbox))[1])
    has_picture = any(part.type.startswith("image/") for part in message.attachments)
    return ReplyValues(
        shop_name=ticket.shop,
        shop_contact="\n".join(line for line in contact if line),
        reference=ticket.reference,
        received_at=ticket.received_at,
        timezone=settings.shop.timezone,
        privacy_link=settings.shop.privacy_url,
        order_numbers=tuple(ticket.order_numbers),
        asks_order_number=not ticket.order_numbers,
        asks_photos=not has_picture,
        asks_wish=ticket.remedy in (None, "none"),
    )


def _build(
    settings: Settings,
    mailbox: Mailbox | None,
    reply: Reply,
    message: ParsedMessage,
    complaint: Complaint,
    ticket: Ticket,
    instance: Instance,
    now: datetime,
) -> Acknowledgement:
    sender = sender_of(settings, mailbox)
    name, address = parseaddr(sender)
    is_theirs = message.requester_source != "forward"
    return build_acknowledgement(
        reply,
        reference=ticket.reference,
        sender_name=name or ticket.shop,
        sender_addr=address,
        reply_to=(
            reply_address(address, ticket.reference, key=instance.loop_key)
            if mailbox is not None and mailbox.plus_addressing
            else address
        ),
        recipient=complaint.requester_addr,
        date=now,
        shop_id=instance.shop_id,
        key=instance.loop_key,
        # The forwarder's ids are not the customer's: their mail program could not thread them.
        original_message_id=message.message_id if is_theirs else "",
        original_references=message.references if is_theirs else (),
    )


def sender_of(settings: Settings, mailbox: Mailbox | None) -> str:
    """Who an acknowledgement comes from: the mailbox's own sender, else the SMTP server's."""
    if mailbox is not None and mailbox.sender:
        return mailbox.sender
    return settings.smtp.sender if settings.smtp is not None else ""
