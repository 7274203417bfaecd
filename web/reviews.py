"""What a person decides about a ticket by one click: cause, urgency, status, requester."""

import logging
import re

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from config.addresses import plain_address
from storage.labels import add_label
from storage.mail import is_archived
from storage.tables import STATUSES, URGENCIES, Ticket
from storage.tickets import add_event, confirm_requester, set_status
from triage.clock import deadlines, priority
from web.pages import SignedIn, Visit
from web.tickets import require_ticket

log = logging.getLogger(__name__)
router = APIRouter()

# Roughly one address; the worker checks it strictly before it writes there (B-D2).
_ADDRESS = re.compile(r"[^@\s<>,;:\"()]{1,64}@[^@\s<>,;:\"()]{1,250}\.[^@\s<>,;:\"().]{2,63}")


@router.post("/tickets/{reference}/label")
def label(visit: SignedIn, reference: str) -> Response:
    """Confirm or correct cause and urgency; what the form leaves out stays as it is."""
    ticket = require_ticket(visit, reference)
    cause = visit.fields.get("cause") or ticket.cause
    urgency = visit.fields.get("urgency") or ticket.urgency or "normal"
    known = {cause.code for cause in visit.site.taxonomy.active_causes} | {ticket.cause}
    if cause is None or cause not in known or urgency not in URGENCIES:
        raise HTTPException(422)
    is_change = (cause, urgency) != (ticket.cause, ticket.urgency)
    add_label(
        visit.db, ticket, cause=cause, urgency=urgency, author=visit.me.email, source="person"
    )
    # A probability says nothing any more: a person has decided.
    ticket.cause_confidence = ticket.urgency_confidence = None
    _set_dates(visit, ticket, cause)
    if ticket.status == "new":
        set_status(visit.db, ticket, "assigned", actor=visit.me.email, now=visit.now)
    visit.db.add(ticket)
    visit.db.commit()
    log.info("ticket labelled", extra={"ticket": ticket.reference})
    return _back(visit, ticket, flash="corrected" if is_change else "confirmed")


def _set_dates(visit: Visit, ticket: Ticket, cause: str) -> None:
    """Term and priority of the cause, always from the original receipt (A-10)."""
    assert ticket.id is not None
    shop = visit.site.settings.shop
    clock = next((c.clock for c in visit.site.taxonomy.causes if c.code == cause), "complaint")
    if is_archived(visit.db, ticket.id):
        clock = "none"
    term = deadlines(ticket.received_at, clock=clock, timezone=shop.timezone, country=shop.country)
    before, after = ticket.due_safe, None if term is None else term.due_safe
    ticket.due_at = None if term is None else term.due_at
    ticket.due_safe = after
    ticket.priority = priority(ticket.urgency, after, visit.formats.today, country=shop.country)
    if before != after:
        add_event(
            visit.db,
            ticket,
            "due",
            actor=visit.me.email,
            before=before and before.isoformat(),
            after=after and after.isoformat(),
        )


@router.post("/tickets/{reference}/requester")
def confirm(visit: SignedIn, reference: str) -> Response:
    """Say whose ticket it is: the address that was suggested, or another.

    The acknowledgement that had waited for this goes out then, unless something else forbids it.
    """
    ticket = require_ticket(visit, reference)
    address = plain_address(visit.fields.get("address", "").strip())
    if not _ADDRESS.fullmatch(address) or len(address) > 254:
        return _back(visit, ticket, flash="bad_address")
    if ticket.requester_status != "known":
        confirm_requester(visit.db, ticket, address, actor=visit.me.email, now=visit.now)
        visit.db.commit()
        log.info("requester confirmed", extra={"ticket": ticket.reference})
    return _back(visit, ticket, flash="requester")


@router.post("/tickets/{reference}/status")
def change_status(visit: SignedIn, reference: str) -> Response:
    ticket = require_ticket(visit, reference)
    status = visit.fields.get("status", "")
    if status not in STATUSES:
        raise HTTPException(422)
    set_status(visit.db, ticket, status, actor=visit.me.email, now=visit.now)
    visit.db.add(ticket)
    visit.db.commit()
    return _back(visit, ticket, flash="status")


def _back(visit: Visit, ticket: Ticket, *, flash: str) -> Response:
    return visit.go(f"/tickets/{ticket.reference}", flash=flash)
