"""What becomes of one mail: a ticket, an addition to one, a duplicate, or a note beside one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from storage.database import Session
from storage.mail import (
    add_attachments,
    first_with_same_bytes,
    message_with_fingerprint,
    ticket_of_message_ids,
)
from storage.outbox import acknowledgement_of, suppress
from storage.seen import Seen
from storage.tables import InboundMessage, Instance, RawMessage, Ticket
from storage.tickets import OPEN, add_event, get_ticket, open_ticket, set_status
from triage.clock import deadlines, priority
from triage.thanks import is_mere_thanks
from worker.acknowledge import acknowledge
from worker.acknowledgement import verify_loop_header
from worker.complaint import Complaint
from worker.context import Context, known_addresses
from worker.conversation import Place, find_place
from worker.parsed_message import Bounce, ParsedMessage
from worker.reading import Reading

TRUNCATED = "larger than storage.max_bytes: only its beginning was fetched"

# What becomes of mail that is not a person's; a person's mail opens a ticket or joins one.
AUTOMATIC = {
    "auto_reply": "automatic",
    "list": "automatic",
    "report": "automatic",
    "bounce": "bounce",
    "own": "own",
}


@dataclass(frozen=True)
class Intake:
    """Takes in the mails of one batch, within one transaction."""

    context: Context
    session: Session
    instance: Instance
    seen: Seen

    def take(
        self,
        row: RawMessage,
        reading: Reading,
        files: Sequence[str],
        arrived: datetime,
        references: Iterator[str],
    ) -> None:
        """Give one mail its outcome; ``files``: the SHA-256 of each attachment."""
        session, seen, message = self.session, self.seen, reading.message
        same_bytes = first_with_same_bytes(session, row) if row.sha256 in seen.mails else None
        if same_bytes is not None:
            reason = "B-H4: the same bytes as an earlier message"
            _close(row, "duplicate", same_bytes.ticket, reason)
            return
        known = reading.fingerprint in seen.fingerprints
        twin = message_with_fingerprint(session, reading.fingerprint) if known else None
        if twin is not None:
            _close(row, "duplicate", twin.ticket, "B-H5: the same mail came by another way")
            return
        seen.mails.add(str(row.sha256))
        if message.kind in AUTOMATIC or _is_ours(message, self.instance):
            self._keep_automatic(row, reading, files)
            return
        place = find_place(
            session,
            reading,
            now=self.context.clock(),
            key=self.instance.loop_key,
            archive=row.archive,
            seen=seen,
        )
        if place.ticket is not None:
            self._append(row, reading, files, place)
            return
        ticket = _new_ticket(self.context, row, reading.complaint, arrived, next(references))
        ticket.fingerprint = reading.fingerprint
        ticket.related_ticket_id = None if place.related is None else place.related.id
        open_ticket(session, ticket)
        acknowledge(
            self.context, session, self.instance, ticket, reading, seen, archive=row.archive
        )
        self._add_message(row, reading, files, ticket)
        outcome = "archived" if row.archive else "ticket"
        _close(row, outcome, ticket, message.no_ack_reason)

    def _keep_automatic(self, row: RawMessage, reading: Reading, files: Sequence[str]) -> None:
        """Automatic mail is kept, beside the ticket it answers where there is one (decision 3)."""
        session, message = self.session, reading.message
        answered = [*message.returned_ids, *message.in_reply_to, *reversed(message.references)]
        ticket_id = ticket_of_message_ids(session, [i for i in answered if i in self.seen.ids])
        ticket = None if ticket_id is None else get_ticket(session, ticket_id)
        self._add_message(row, reading, files, ticket)
        kind = "own" if _is_ours(message, self.instance) else message.kind
        reason = message.no_ack_reason or f"kind: {kind}"
        if ticket is not None:
            returned = kind != "own" and self._note_returned(ticket, message)
            if not returned:
                add_event(session, ticket, kind)
        elif message.kind == "bounce":
            reason = f"B-M7: about a mail that is not ours ({reason})"
        _close(row, AUTOMATIC[kind], ticket, reason)

    def _note_returned(self, ticket: Ticket, message: ParsedMessage) -> bool:
        """Say on the ticket that its acknowledgement did not arrive, or was complained about.

        Its id has a part that nobody can guess, so who names it has seen the mail (E-64). A
        delivery that failed for good, or a complaint, keeps us from writing there for a while.
        """
        session = self.session
        acknowledgement = acknowledgement_of(session, ticket.id) if ticket.id is not None else None
        if acknowledgement is None or acknowledgement.message_id not in message.returned_ids:
            return False
        complained = message.report_type == "feedback-report"
        if not message.is_bounce and not complained:
            return False
        if complained or any(_is_about_the_address(bounce) for bounce in message.bounces):
            reason = "B.8 row 42: complained about" if complained else "B.8 row 6: returned"
            address = acknowledgement.recipient
            suppress(session, address, now=self.context.clock(), reason=reason)
            self.seen.suppressed.add(address)
        add_event(session, ticket, "abuse_report" if complained else "acknowledgement_returned")
        return True

    def _append(
        self, row: RawMessage, reading: Reading, files: Sequence[str], place: Place
    ) -> None:
        """Add a mail to its ticket; what the customer wants of us opens it again.

        Mere thanks and what the shop's own people write (they answer from their mail program, with
        the desk in copy) change no status.
        """
        session, message, ticket = self.session, reading.message, place.ticket
        assert ticket is not None
        self._add_message(row, reading, files, ticket)
        own = known_addresses(self.context.settings).is_own(message.from_addr)
        if own and message.requester_source in ("from", "reply_to"):
            add_event(session, ticket, "own_reply")
        elif is_mere_thanks(message.text):
            add_event(session, ticket, "thanks")
        else:
            if ticket.status not in OPEN and not row.archive:
                set_status(session, ticket, "new", now=self.context.clock())
            elif ticket.status == "waiting":
                set_status(session, ticket, "assigned", now=self.context.clock())
            add_event(session, ticket, "reply")
        _close(row, "appended", ticket, place.reason)

    def _add_message(
        self, row: RawMessage, reading: Reading, files: Sequence[str], ticket: Ticket | None
    ) -> None:
        assert row.id is not None
        message, complaint = reading.message, reading.complaint
        inbound = InboundMessage(
            raw_message_id=row.id,
            ticket=ticket,
            message_id=message.message_id,
            fingerprint=reading.fingerprint,
            content_hash=reading.content_hash,
            kind=message.kind,
            from_addr=message.from_addr,
            from_name=message.from_name,
            subject=message.subject,
            body=message.body,
            text=complaint.text,
            comment=complaint.comment,
            language=message.language,
            sent_at=message.date,
            received_at=row.received_at,
            defects=[*message.defects, *([TRUNCATED] if row.truncated else [])],
        )
        self.session.add(inbound)
        self.seen.fingerprints.add(reading.fingerprint)
        self.seen.ids.add(message.message_id)
        if ticket is not None:
            self.seen.requesters.add(ticket.requester_addr)
            self.seen.contents.add(reading.content_hash)
        described = [(a.name, a.type, a.size, a.inline) for a in message.attachments]
        add_attachments(
            self.session,
            inbound,
            [(*of, name) for of, name in zip(described, files, strict=True)],
        )


def _is_ours(message: ParsedMessage, instance: Instance) -> bool:
    """Whether our own mail came back: by its mark, which only we can make (B-L2).

    Anybody may copy the mark from a mail that we sent them; so it must be automatic mail as well.
    """
    return message.is_automatic and any(
        verify_loop_header(mark, instance.loop_key) is not None for mark in message.loop_marks
    )


def _is_about_the_address(bounce: Bounce) -> bool:
    """Whether the address itself is wrong or closed, not its mailbox full (RFC 3463 §3.2)."""
    if bounce.status is None:
        return bounce.hard is True
    return bounce.status.startswith("5.1.") or bounce.status == "5.2.1"


def _new_ticket(
    context: Context,
    row: RawMessage,
    complaint: Complaint,
    arrived: datetime,
    reference: str,
) -> Ticket:
    """A ticket with its clock; not yet classified, so it counts as a complaint (A-02, A-10)."""
    shop = context.settings.shop
    mailbox = context.mailbox(row.mailbox)
    now = context.clock()
    term = None
    if not row.archive:
        term = deadlines(arrived, clock="complaint", timezone=shop.timezone, country=shop.country)
    due_safe = None if term is None else term.due_safe
    return Ticket(
        reference=reference,
        status="closed" if row.archive else "new",
        closed_at=now if row.archive else None,
        needs_review=not row.archive,
        next_attempt_at=None if row.archive else now,
        priority=priority(None, due_safe, context.local_date(now), country=shop.country),
        requester_addr=complaint.requester_addr,
        requester_name=complaint.requester_name,
        requester_status=complaint.requester_status,
        language=complaint.language,
        subject=complaint.subject[:500],
        received_at=arrived,
        due_at=None if term is None else term.due_at,
        due_safe=due_safe,
        shop=mailbox.shop if mailbox and mailbox.shop else shop.name,
        mailbox=row.mailbox,
        fingerprint="",
        order_numbers=list(complaint.order_numbers),
        remedy=complaint.remedy,
        acknowledgement_reason="",
    )


def _close(row: RawMessage, outcome: str, ticket: Ticket | None, reason: str | None) -> None:
    row.outcome, row.ticket, row.reason = outcome, ticket, reason
