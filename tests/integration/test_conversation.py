"""Which ticket a message belongs to: by ids we know, or by our number from a participant (B-H3)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from storage.tables import InboundMessage
from storage.tickets import open_ticket
from tests.factories import NOW, a_mail, a_raw_message, a_ticket, an_outbox_message
from worker.acknowledgement import reply_address, verify_reply_address
from worker.conversation import REOPEN_WITHIN, find_place
from worker.mime import parse
from worker.reading import reading_of

ANNA = "anna@klient.example"


def opened(session, *, sender=ANNA, **columns):
    """A ticket with the message that opened it."""
    raw = a_raw_message()
    ticket = open_ticket(session, a_ticket(requester_addr=sender, **columns))
    session.add(raw)
    session.flush()  # gives both their ids
    message = InboundMessage(
        raw_message_id=raw.id,
        ticket_id=ticket.id,
        message_id=f"first.{raw.uid}@klient.example",
        fingerprint=str(raw.uid),
        kind="person",
        from_addr=sender,
        from_name="Anna",
        subject="Reklamacja",
        body="x",
        text="x",
        received_at=NOW,
    )
    session.add(message)
    session.flush()
    session.commit()
    return ticket, message


def a_message(*, subject="Re: Reklamacja", sender=ANNA, in_reply_to=(), references=()):
    message = parse(a_mail(sender=f"Anna <{sender}>", subject=subject))
    return replace(message, in_reply_to=tuple(in_reply_to), references=tuple(references))


def place(session, **keys):
    return place_of(session, a_message(**keys))


def place_of(session, message, **keys):
    return find_place(session, reading_of(message), now=NOW, key=b"key", **keys)


def test_a_message_that_names_nothing_has_no_place(session):
    opened(session)
    found = place(session)
    assert (found.ticket, found.related) == (None, None)


@pytest.mark.parametrize("field", ["in_reply_to", "references"])
def test_an_id_that_we_received_leads_to_its_ticket(session, field):
    ticket, message = opened(session)
    assert place(session, **{field: [message.message_id]}).ticket == ticket


def test_an_id_that_we_sent_leads_to_its_ticket(session):
    ticket, _ = opened(session)
    owed = an_outbox_message(ticket)
    session.add(owed)
    session.commit()
    assert place(session, in_reply_to=[owed.message_id]).ticket == ticket


def test_in_reply_to_comes_before_references_and_the_newest_reference_first(session):
    (first, one), (second, two), (third, three) = (opened(session) for _ in range(3))
    ids = [one.message_id, two.message_id]
    assert place(session, references=ids).ticket == second
    assert place(session, in_reply_to=[three.message_id], references=ids).ticket == third
    assert place(session, references=[*ids, "unknown@x.example"]).ticket == second
    assert place(session, references=[one.message_id]).ticket == first


def test_an_id_leads_there_whoever_quotes_it(session):
    """A colleague who was in copy answers from another address."""
    ticket, message = opened(session)
    found = place(session, sender="jan@inny.example", in_reply_to=[message.message_id])
    assert found.ticket == ticket


def test_an_id_of_mail_without_a_ticket_leads_nowhere(session):
    _, message = opened(session)
    message.ticket_id = None
    session.add(message)
    session.commit()
    assert place(session, in_reply_to=[message.message_id]).ticket is None


@pytest.mark.parametrize(
    "subject", ["[{}]", "Re: Potwierdzenie [{}] – Reklamacja", "odp: sprawa {}", "RE: ({})"]
)
@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_our_number_from_the_requester_leads_to_its_ticket(session, subject, case):
    ticket, _ = opened(session)
    assert place(session, subject=subject.format(case(ticket.reference))).ticket == ticket


def test_our_number_from_somebody_who_wrote_before_leads_to_its_ticket(session):
    ticket, message = opened(session)
    message.from_addr = "jan@inny.example"
    session.add(message)
    session.commit()
    subject = f"Re: [{ticket.reference}]"
    assert place(session, subject=subject, sender="jan@inny.example").ticket == ticket
    assert place(session, subject=subject, sender=ANNA).ticket == ticket


def test_who_only_sent_automatic_mail_is_no_participant(session):
    ticket, message = opened(session, sender=ANNA)
    message.from_addr, message.kind = "robot@inny.example", "auto_reply"
    session.add(message)
    session.commit()
    found = place(session, subject=f"[{ticket.reference}]", sender="robot@inny.example")
    assert (found.ticket, found.related) == (None, ticket)


def test_an_address_with_our_token_leads_to_its_ticket_whoever_writes_there(session):
    ticket, _ = opened(session)
    address = reply_address("reklamacje@sklep.example", ticket.reference, key=b"key")
    assert verify_reply_address(address, b"key") == ticket.reference
    message = replace(a_message(sender="jan@inny.example"), to_addrs=("x@y.example", address))
    assert place_of(session, message).ticket == ticket
    for forged in (address.replace(".", ".0", 1), address.replace("+", ""), "odz-2026-000001@x.y"):
        message = replace(message, to_addrs=(forged,))
        assert place_of(session, message).ticket is None


def test_e_67_photographs_in_mails_of_their_own_are_named_to_a_person(session):
    ticket, _ = opened(session, subject="Zdjęcia", received_at=NOW)
    album = replace(a_message(subject="Zdjęcia"), text="", body="")
    found = place_of(session, album)
    assert (found.ticket, found.related) == (None, ticket)
    assert place_of(session, replace(album, subject="Inne")).related is None


def test_our_number_from_a_stranger_only_relates(session):
    """B.8, row 18."""
    ticket, _ = opened(session)
    found = place(session, subject=f"Re: [{ticket.reference}]", sender="jan@obcy.example")
    assert (found.ticket, found.related) == (None, ticket)


def test_a_ticket_without_a_requester_is_open_to_no_empty_address(session):
    ticket, _ = opened(session, sender="")
    message = replace(a_message(subject=f"[{ticket.reference}]"), from_addr="")
    found = place_of(session, message)
    assert found.ticket is None


@pytest.mark.parametrize(
    "subject", ["ODZ-2026-999999", "ODZ-26-000001", "XODZ-2026-000001", "ODZ-2026-0000012345"]
)
def test_a_number_that_is_not_ours_leads_nowhere(session, subject):
    opened(session, reference="ODZ-2026-000001")
    found = place(session, subject=subject)
    assert (found.ticket, found.related) == (None, None)


@pytest.mark.parametrize("status", ["resolved", "closed"])
@pytest.mark.parametrize("by", ["id", "number"])
@pytest.mark.parametrize(
    ("ago", "same"),
    [
        (timedelta(0), True),
        (REOPEN_WITHIN, True),
        (REOPEN_WITHIN + timedelta(seconds=1), False),
        (timedelta(days=400), False),
    ],
    ids=["today", "30 days", "a second later", "a year"],
)
def test_a_closed_ticket_takes_replies_for_thirty_days(session, status, by, ago, same):
    ticket, message = opened(session, status=status, closed_at=NOW - ago)
    keys = (
        {"in_reply_to": [message.message_id]}
        if by == "id"
        else {"subject": f"[{ticket.reference}]"}
    )
    found = place(session, **keys)
    assert (found.ticket, found.related) == ((ticket, None) if same else (None, ticket))


def test_an_open_ticket_takes_replies_for_ever(session):
    ticket, message = opened(session, status="waiting", received_at=NOW - timedelta(days=400))
    assert place(session, in_reply_to=[message.message_id]).ticket == ticket


def test_hundreds_of_references_are_looked_up_at_once(session):
    ticket, message = opened(session)
    references = [message.message_id, *(f"{number}@x.example" for number in range(500))]
    assert place(session, references=references).ticket == ticket
