"""Ledger to ticket: every mail has one visible outcome, and a complaint has its clock at once."""

import logging
import multiprocessing
import os
import signal
import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import pytest
from sqlalchemy import text
from sqlmodel import select

from config.settings import Shop
from storage.database import open_session
from storage.mail import (
    attachments_of,
    messages_of_ticket,
    outcome_counts,
    raw_bytes,
    record_vanished,
)
from storage.outbox import acknowledgement_of
from storage.tables import InboundMessage, OutboxMessage, RawMessage, Ticket, TicketEvent
from storage.tickets import set_status
from storage.work import LEASE, claim
from tests.factories import (
    NOW,
    a_mail,
    a_mailbox,
    an_smtp_server,
    in_the_ledger,
)
from worker.context import known_addresses
from worker.ingest import BATCH_BYTES, ingest
from worker.parser_process import ParserProcess

ANNA = "Anna Nowak <anna@klient.example>"


def settings_of(**sections):
    return {"smtp": an_smtp_server(), "mailboxes": [a_mailbox()]} | sections


@pytest.fixture(scope="module")
def parser(tmp_path_factory):
    """One child for all tests; it knows the shop's addresses and keeps nothing else."""
    from tests.factories import a_configuration

    settings = a_configuration(tmp_path_factory.mktemp("shop"), **settings_of())
    child = ParserProcess(known_addresses(settings))
    yield child
    child.close()


@pytest.fixture
def context(sqlite_engine, make_context):
    return make_context(sqlite_engine, **settings_of())


def read(context, parser, *mails, **columns):
    """Store mails and read them; return their ledger rows as they are then."""
    rows = in_the_ledger(context, *mails, **columns)
    while ingest(context, parser):
        continue
    with open_session(context.engine) as session:
        return [session.get(RawMessage, row.id) for row in rows]


def outcomes(rows):
    return [row.outcome for row in rows]


def all_of(context, table):
    with open_session(context.engine) as session:
        return list(session.exec(select(table).order_by(table.id)).all())


def ticket_of(context, row):
    with open_session(context.engine) as session:
        return session.get(Ticket, row.ticket_id)


def history(context, row):
    with open_session(context.engine) as session:
        events = session.exec(
            select(TicketEvent).where(TicketEvent.ticket_id == row.ticket_id)
        ).all()
    return [event.kind for event in events]


# A complaint


def test_a_complaint_becomes_a_ticket_with_its_clock_and_its_acknowledgement(
    engine, make_context, parser
):
    """B.8, row 1."""
    context = make_context(engine, **settings_of())
    mail = a_mail(
        sender=ANNA,
        subject="Stłuczone talerze",
        text="Dzień dobry,\n\nzamówienie nr 100234: talerze przyszły stłuczone. Proszę o zwrot "
        "pieniędzy.\n\nAnna Nowak",
    )
    [row] = read(context, parser, mail)
    assert (row.outcome, row.next_attempt_at, row.problem) == ("ticket", None, None)

    ticket = ticket_of(context, row)
    assert ticket.reference == "ODZ-2026-000001"
    assert (ticket.status, ticket.cause, ticket.urgency) == ("new", None, None)
    assert ticket.needs_review
    assert ticket.next_attempt_at == NOW  # it waits for classification, and for nothing else
    assert (ticket.requester_addr, ticket.requester_name) == ("anna@klient.example", "Anna Nowak")
    assert ticket.requester_status == "known"
    assert (ticket.subject, ticket.language) == ("Stłuczone talerze", "pl")
    assert (ticket.shop, ticket.mailbox) == ("Sklep Przykładny", "reklamacje")
    assert ticket.order_numbers == ["100234"]
    assert ticket.remedy == "refund"
    # Fourteen days after Monday 2 March, to the end of the day in Warsaw.
    assert ticket.due_at == datetime(2026, 3, 16, 23, 0, tzinfo=UTC)
    assert ticket.due_safe <= date(2026, 3, 16)
    assert history(context, row) == ["opened"]

    [message] = all_of(context, InboundMessage)
    assert (message.raw_message_id, message.ticket_id, message.kind) == (
        row.id,
        ticket.id,
        "person",
    )
    assert "talerze przyszły stłuczone" in message.text

    [owed] = all_of(context, OutboxMessage)
    assert (owed.ticket_id, owed.kind, owed.state) == (ticket.id, "acknowledgement", "waiting")
    assert (owed.recipient, owed.mandatory) == ("anna@klient.example", False)
    assert owed.next_attempt_at == owed.created_at == NOW
    written = message_from_bytes(owed.content, policy=default)
    assert written["To"] == "anna@klient.example"
    assert ticket.reference in written["Subject"]
    assert ticket.reference in written.get_content()
    assert written["Auto-Submitted"] == "auto-replied"
    assert ticket.acknowledgement_reason.startswith("B.1: ")
    assert ticket.acknowledged_at is None  # it is owed, not sent


def test_ticket_message_and_acknowledgement_are_there_together_or_not_at_all(
    context, parser, clock
):
    """CP-16: the last of the rows is refused, so none of them is written."""
    with context.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER refuse BEFORE INSERT ON outbox_message "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        )
    [row] = read(context, parser, a_mail())
    assert (row.outcome, row.ticket_id, row.attempts) == ("pending", None, 1)
    for table in (Ticket, TicketEvent, InboundMessage, OutboxMessage):
        assert all_of(context, table) == []
    with context.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER refuse"))
    clock.forward(seconds=30)
    assert ingest(context, parser) == 1
    for table in (Ticket, TicketEvent, InboundMessage, OutboxMessage):
        assert len(all_of(context, table)) == 1


def test_many_mails_are_many_tickets_with_numbers_in_a_row(context, parser):
    rows = read(context, parser, *(a_mail() for _ in range(105)))
    assert Counter(outcomes(rows)) == {"ticket": 105}
    numbers = [ticket.reference for ticket in all_of(context, Ticket)]
    assert numbers == [f"ODZ-2026-{number:06d}" for number in range(1, 106)]


def test_numbers_begin_anew_each_year(context, parser, clock):
    read(context, parser, a_mail())
    clock.forward(days=365)
    read(context, parser, a_mail(), received_at=clock.now, fetched_at=clock.now)
    assert [t.reference for t in all_of(context, Ticket)] == ["ODZ-2026-000001", "ODZ-2027-000001"]


def test_attachments_are_stored_by_their_hash(context, parser):
    mail = (
        b"From: anna@klient.example\r\nMessage-ID: <a@b>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n'
        b"Content-Type: text/plain\r\n\r\nZdjecie w zalaczniku.\r\n--x\r\n"
        b'Content-Type: image/png\r\nContent-Disposition: attachment; filename="../talerz.png"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--x--\r\n"
    )
    [row] = read(context, parser, mail)
    with open_session(context.engine) as session:
        [message] = messages_of_ticket(session, row.ticket_id)
        [attachment] = attachments_of(session, [message.id])
    assert (attachment.type, attachment.size, attachment.inline) == ("image/png", 8, False)
    assert context.files.read(attachment.sha256) == b"\x89PNG\r\n\x1a\n"


def test_the_brand_of_a_mailbox_is_the_brand_of_its_tickets(sqlite_engine, make_context, parser):
    brand = a_mailbox(name="meble", shop="Meble Dobre", sender="Meble <meble@meble.example>")
    context = make_context(sqlite_engine, **settings_of(mailboxes=[a_mailbox(), brand]))
    [row] = read(context, parser, a_mail(), mailbox="meble")
    assert ticket_of(context, row).shop == "Meble Dobre"
    [owed] = all_of(context, OutboxMessage)
    assert owed.sender == "meble@meble.example"


def test_the_clock_starts_when_the_server_took_the_mail_not_when_we_read_it(context, parser):
    """D-P7: after an outage of three days the term is three days shorter."""
    [row] = read(context, parser, a_mail(), received_at=NOW - timedelta(days=3))
    ticket = ticket_of(context, row)
    assert ticket.received_at == NOW - timedelta(days=3)
    assert ticket.due_at == datetime(2026, 3, 13, 23, 0, tzinfo=UTC)


def test_without_an_smtp_server_a_ticket_says_why_nothing_is_sent(
    sqlite_engine, make_context, parser
):
    context = make_context(sqlite_engine, **settings_of(smtp=None))
    [row] = read(context, parser, a_mail())
    assert row.outcome == "ticket"
    assert ticket_of(context, row).acknowledgement_reason == "smtp: no server is configured"


# What is not a new complaint


@pytest.mark.parametrize(
    ("fields", "sender", "outcome"),
    [
        pytest.param({"Auto-Submitted": "auto-replied"}, ANNA, "automatic", id="B-M2"),
        pytest.param(
            {"List-Id": "<news.example>", "List-Unsubscribe": "<https://x.example>"},
            "Hurtownia <news@hurtownia.example>",
            "automatic",
            id="B-M3",
        ),
        pytest.param(
            {"Auto-Submitted": "auto-generated"},
            "Sklep <reklamacje@sklep.example>",
            "own",
            id="B-L1",
        ),
    ],
)
def test_mail_that_is_no_persons_is_kept_without_a_ticket(context, parser, fields, sender, outcome):
    [row] = read(context, parser, a_mail(sender=sender, fields=fields))
    assert (row.outcome, row.ticket_id) == (outcome, None)
    assert row.reason
    [message] = all_of(context, InboundMessage)
    assert message.ticket_id is None
    assert all_of(context, Ticket) == all_of(context, OutboxMessage) == []


def a_bounce_of(message_id):
    return (
        "From: MAILER-DAEMON@mx.klient.example\r\nTo: reklamacje@sklep.example\r\n"
        "Return-Path: <>\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        f"Message-ID: <bounce.{message_id}>\r\nIn-Reply-To: <{message_id}>\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r\n\r\n'
        "--x\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n"
        "--x\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.klient.example\r\n\r\n"
        "Final-Recipient: rfc822; anna@klient.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--x\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{message_id}>\r\n--x--\r\n"
    ).encode()


def test_a_bounce_of_our_acknowledgement_is_noted_on_its_ticket(context, parser):
    """B.8, row 6."""
    [complaint] = read(context, parser, a_mail(sender=ANNA))
    [owed] = all_of(context, OutboxMessage)
    [row] = read(context, parser, a_bounce_of(owed.message_id))
    assert (row.outcome, row.ticket_id) == ("bounce", complaint.ticket_id)
    assert history(context, complaint) == ["opened", "acknowledgement_returned"]
    assert len(all_of(context, Ticket)) == len(all_of(context, OutboxMessage)) == 1


def test_a_bounce_of_something_that_is_not_ours_opens_nothing(context, parser):
    """B.8, row 7."""
    [row] = read(context, parser, a_bounce_of("spam@evil.example"))
    assert (row.outcome, row.ticket_id) == ("bounce", None)
    assert all_of(context, Ticket) == []


def test_an_out_of_office_reply_to_our_acknowledgement_is_noted_on_its_ticket(context, parser):
    """B.8, row 9."""
    [complaint] = read(context, parser, a_mail(sender=ANNA))
    [owed] = all_of(context, OutboxMessage)
    away = a_mail(
        sender=ANNA,
        subject="Automatyczna odpowiedź: Potwierdzenie",
        fields={"Auto-Submitted": "auto-replied", "In-Reply-To": f"<{owed.message_id}>"},
    )
    [row] = read(context, parser, away)
    assert (row.outcome, row.ticket_id) == ("automatic", complaint.ticket_id)
    assert history(context, complaint) == ["opened", "auto_reply"]


def test_our_own_acknowledgement_delivered_back_is_our_own(context, parser):
    """B.8, row 33."""
    read(context, parser, a_mail(sender=ANNA))
    [owed] = all_of(context, OutboxMessage)
    [row] = read(context, parser, owed.content)
    assert row.outcome == "own"
    assert len(all_of(context, Ticket)) == 1


# The same mail again


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "later"])
def test_the_same_bytes_are_a_duplicate(context, parser, together):
    """B-H4; B.8, row 19."""
    mail = a_mail()
    if together:
        first, second = read(context, parser, mail, mail)
    else:
        [first], [second] = read(context, parser, mail), read(context, parser, mail)
    assert outcomes([first, second]) == ["ticket", "duplicate"]
    assert second.ticket_id == first.ticket_id
    assert second.reason.startswith("B-H4: ")
    assert len(all_of(context, Ticket)) == len(all_of(context, OutboxMessage)) == 1


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "later"])
def test_the_same_mail_by_another_way_is_a_duplicate(context, parser, together):
    """B-H5: other trace fields, other line ends of a server, the same mail."""
    mail = a_mail(sender=ANNA)
    other_way = b"Received: from mx2.sklep.example by mx.sklep.example; x\r\n" + mail
    if together:
        first, second = read(context, parser, mail, other_way)
    else:
        [first], [second] = read(context, parser, mail), read(context, parser, other_way)
    assert outcomes([first, second]) == ["ticket", "duplicate"]
    assert second.ticket_id == first.ticket_id
    assert second.reason.startswith("B-H5: ")


def test_one_message_id_with_two_contents_is_two_messages(context, parser):
    """B-H4: a Message-ID is no identity."""
    fields = {"Message-ID": "<same@klient.example>"}
    rows = read(
        context,
        parser,
        a_mail(sender=ANNA, text="Pierwsza sprawa.", fields=fields),
        a_mail(sender="Jan <jan@inny.example>", text="Zupełnie inna sprawa.", fields=fields),
    )
    assert outcomes(rows) == ["ticket", "ticket"]


def test_an_automatic_mail_is_counted_once_too(context, parser):
    mail = a_mail(fields={"Auto-Submitted": "auto-replied"})
    assert outcomes(read(context, parser, mail, mail)) == ["automatic", "duplicate"]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_two_workers_that_read_the_same_bytes_at_once_open_one_ticket(engine, make_context, caplog):
    """D-P3: two mailboxes hold the same mails, two processes read them at the same moment."""
    context = make_context(engine, **settings_of())
    mails = [a_mail() for _ in range(10)]
    for mailbox in ("reklamacje", "biuro"):
        in_the_ledger(context, *mails, mailbox=mailbox)
    start = threading.Barrier(2)

    def work():
        own = ParserProcess(known_addresses(context.settings))
        try:
            own.read_all([mails[0]])
            start.wait()
            while ingest(context, own):
                continue
        finally:
            own.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert Counter(outcomes(all_of(context, RawMessage))) == {"ticket": 10, "duplicate": 10}
    assert len(all_of(context, Ticket)) == len(all_of(context, OutboxMessage)) == 10
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


# Conversations


def a_reply(to_id, *, sender=ANNA, subject="Re: Reklamacja", text="Dosyłam numer: 100234.", **keys):
    return a_mail(
        sender=sender,
        subject=subject,
        text=text,
        fields={"In-Reply-To": f"<{to_id}>", "References": f"<{to_id}>"},
        **keys,
    )


@pytest.mark.parametrize("to", ["customer's own mail", "our acknowledgement"])
def test_a_reply_is_appended_and_not_acknowledged(context, parser, to):
    """B-H3; B.8, rows 16 and 17."""
    [complaint] = read(context, parser, a_mail(sender=ANNA))
    [mine], [owed] = all_of(context, InboundMessage), all_of(context, OutboxMessage)
    answered = mine.message_id if to == "customer's own mail" else owed.message_id
    [row] = read(context, parser, a_reply(answered, subject="Zupełnie inny temat"))
    assert (row.outcome, row.ticket_id) == ("appended", complaint.ticket_id)
    assert history(context, complaint) == ["opened", "reply"]
    assert len(all_of(context, OutboxMessage)) == 1


def test_a_complaint_and_its_reply_can_come_in_one_batch(context, parser):
    first = a_mail(sender=ANNA)
    sent_id = message_from_bytes(first)["Message-ID"].strip("<>")
    rows = read(context, parser, first, a_reply(sent_id))
    assert outcomes(rows) == ["ticket", "appended"]


def test_our_number_from_a_participant_is_a_reply(context, parser):
    [complaint] = read(context, parser, a_mail(sender=ANNA))
    [row] = read(context, parser, a_mail(sender=ANNA, subject="Pytanie [ODZ-2026-000001]"))
    assert (row.outcome, row.ticket_id) == ("appended", complaint.ticket_id)


def test_our_number_from_a_stranger_is_a_new_ticket_that_names_the_other(context, parser):
    """B.8, row 18: nobody gets into a ticket by copying its number."""
    [complaint] = read(context, parser, a_mail(sender=ANNA))
    mail = a_mail(sender="Jan <jan@obcy.example>", subject="Re: [ODZ-2026-000001]")
    [row] = read(context, parser, mail)
    ticket = ticket_of(context, row)
    assert row.outcome == "ticket"
    assert ticket.related_ticket_id == complaint.ticket_id != ticket.id
    _, owed = all_of(context, OutboxMessage)
    assert b"ODZ-2026-000002" in owed.content
    assert b"ODZ-2026-000001" not in owed.content


def closed(context, row, days_ago):
    with open_session(context.engine) as session:
        ticket = session.get(Ticket, row.ticket_id)
        set_status(session, ticket, "closed", now=NOW - timedelta(days=days_ago))
        session.commit()


def test_a_reply_within_thirty_days_opens_a_closed_ticket_again(context, parser):
    [complaint] = read(context, parser, a_mail(sender=ANNA))
    closed(context, complaint, days_ago=29)
    [mine] = all_of(context, InboundMessage)
    [row] = read(context, parser, a_reply(mine.message_id))
    ticket = ticket_of(context, row)
    assert (row.outcome, ticket.id) == ("appended", complaint.ticket_id)
    assert (ticket.status, ticket.closed_at) == ("new", None)
    assert history(context, complaint) == ["opened", "status", "status", "reply"]


def test_mere_thanks_open_nothing_again(context, parser):
    [complaint] = read(context, parser, a_mail(sender=ANNA))
    closed(context, complaint, days_ago=2)
    [mine] = all_of(context, InboundMessage)
    thanks = a_reply(mine.message_id, text="Dziękuję bardzo, sprawa załatwiona.\n\nAnna Nowak")
    [row] = read(context, parser, thanks)
    assert (row.outcome, row.ticket_id) == ("appended", complaint.ticket_id)
    assert ticket_of(context, complaint).status == "closed"
    assert history(context, complaint)[-1] == "thanks"


def test_a_colleague_who_answers_by_mail_opens_nothing_again(context, parser):
    [complaint] = read(context, parser, a_mail(sender=ANNA))
    closed(context, complaint, days_ago=2)
    [mine] = all_of(context, InboundMessage)
    answer = a_reply(mine.message_id, sender="Ola <ola@sklep.example>", text="Wysłaliśmy nowe.")
    [row] = read(context, parser, answer)
    assert (row.outcome, row.ticket_id) == ("appended", complaint.ticket_id)
    assert ticket_of(context, complaint).status == "closed"
    assert history(context, complaint)[-1] == "own_reply"


def test_a_reply_to_an_acknowledgement_that_a_restored_database_lacks(context, parser):
    """The id that we sent proves itself; the number in it leads to the ticket."""
    [complaint] = read(context, parser, a_mail(sender=ANNA))
    [owed] = all_of(context, OutboxMessage)
    with open_session(context.engine) as session:
        session.delete(session.get(OutboxMessage, owed.id))
        session.commit()
    [row] = read(context, parser, a_reply(owed.message_id, sender="mąż@inny.example"))
    assert (row.outcome, row.ticket_id) == ("appended", complaint.ticket_id)
    forged = owed.message_id.replace("ack.", "ack.").replace("0001.", "0001.f")
    [row] = read(context, parser, a_reply(forged, sender="obcy@inny.example"))
    assert row.outcome == "ticket"


def test_a_later_reply_is_a_new_ticket_that_names_the_old_one(context, parser):
    [complaint] = read(context, parser, a_mail(sender=ANNA))
    closed(context, complaint, days_ago=31)
    [mine] = all_of(context, InboundMessage)
    [row] = read(context, parser, a_reply(mine.message_id))
    ticket = ticket_of(context, row)
    assert row.outcome == "ticket"
    assert ticket.related_ticket_id == complaint.ticket_id
    assert ticket.due_at is not None
    assert ticket_of(context, complaint).status == "closed"


def test_a_reply_to_a_waiting_ticket_gives_it_back_to_the_team(context, parser):
    [complaint] = read(context, parser, a_mail(sender=ANNA))
    with open_session(context.engine) as session:
        set_status(session, session.get(Ticket, complaint.ticket_id), "waiting", now=NOW)
        session.commit()
    [mine] = all_of(context, InboundMessage)
    read(context, parser, a_reply(mine.message_id))
    assert ticket_of(context, complaint).status == "assigned"


# Forwards


COLLEAGUE = "Biuro <biuro@sklep.example>"
BLOCK = """Hej, to chyba do was. Kasia

---------- Wiadomość przekazana dalej ----------
Od: Barbara Lewandowska <basia@klient.example>
Data: pon., 2 mar 2026 o 08:42
Temat: Paczka nie doszła
Do: <biuro@sklep.example>


Dzień dobry, paczka nie doszła. Proszę o ponowną wysyłkę.
"""


def test_a_forward_by_a_colleague_belongs_to_the_customer_in_it(context, parser):
    """Decision 1; B.8, row 22."""
    mail = a_mail(
        sender="Biuro <biuro@sklep.example>", subject="Fwd: Paczka nie doszła", text=BLOCK
    )
    [row] = read(context, parser, mail)
    ticket = ticket_of(context, row)
    assert (ticket.requester_addr, ticket.requester_status) == ("basia@klient.example", "known")
    assert ticket.requester_name == "Barbara Lewandowska"
    assert ticket.subject == "Paczka nie doszła"
    [message] = all_of(context, InboundMessage)
    assert "paczka nie doszła" in message.text
    assert "Hej" not in message.text
    assert "Kasia" in message.comment
    [owed] = all_of(context, OutboxMessage)
    assert owed.recipient == "basia@klient.example"
    # The forwarder's id is not the customer's.
    assert message_from_bytes(owed.content)["In-Reply-To"] is None


def test_a_forward_by_a_stranger_belongs_to_the_stranger(context, parser):
    mail = a_mail(sender="Jan <jan@obcy.example>", subject="Fwd: Paczka nie doszła", text=BLOCK)
    [row] = read(context, parser, mail)
    assert ticket_of(context, row).requester_addr == "jan@obcy.example"
    [owed] = all_of(context, OutboxMessage)
    assert owed.recipient == "jan@obcy.example"


def test_a_forward_without_dates_only_suggests_its_customer(context, parser):
    """Decision 1: one click of a person releases the acknowledgement."""
    block = (
        "Do was.\n\n---- Forwarded message ----\nFrom: basia@klient.example\nSubject: Paczka\n\nX"
    )
    [row] = read(context, parser, a_mail(sender=COLLEAGUE, subject="Fwd: Paczka", text=block))
    assert row.outcome == "ticket"
    ticket = ticket_of(context, row)
    assert ticket.requester_status == "suggested"
    assert ticket.acknowledgement_reason.startswith("B-")
    assert all_of(context, OutboxMessage) == []


def test_a_forward_as_an_attachment_belongs_to_its_sender(context, parser):
    """B.8, row 23."""
    inner = a_mail(sender=ANNA, subject="Stłuczone talerze").decode()
    mail = (
        f"From: {COLLEAGUE}\r\nTo: reklamacje@sklep.example\r\nSubject: Fwd: talerze\r\n"
        "Date: Mon, 02 Mar 2026 08:00:00 +0000\r\nMessage-ID: <fwd@sklep.example>\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="x"\r\n\r\n'
        f"--x\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--x--\r\n"
    ).encode()
    [row] = read(context, parser, mail)
    ticket = ticket_of(context, row)
    assert (ticket.requester_addr, ticket.requester_status) == ("anna@klient.example", "known")
    assert ticket.subject == "Stłuczone talerze"
    [owed] = all_of(context, OutboxMessage)
    assert owed.recipient == "anna@klient.example"


# Limits


def test_the_fourth_mail_of_a_day_is_a_ticket_without_an_acknowledgement(context, parser, clock):
    """B.7"""
    rows = []
    for number in range(4):
        rows += read(context, parser, a_mail(sender=ANNA, text=f"Sprawa numer {number}."))
        clock.forward(hours=1)
    assert outcomes(rows) == ["ticket"] * 4
    assert len(all_of(context, OutboxMessage)) == 3
    reason = ticket_of(context, rows[3]).acknowledgement_reason
    assert reason == "B.7: 3 in a day to this address already"
    clock.forward(hours=24)
    later = a_mail(sender=ANNA, text="Następnego dnia.")
    [row] = read(context, parser, later, received_at=clock.now, fetched_at=clock.now)
    assert ticket_of(context, row).acknowledgement_reason.startswith("B.1: ")


def test_five_mails_in_one_batch_count_one_another(context, parser):
    """B.7: the limit holds inside a transaction, too."""
    rows = read(
        context, parser, *(a_mail(sender=ANNA, text=f"Sprawa numer {n}.") for n in range(5))
    )
    assert outcomes(rows) == ["ticket"] * 5
    assert len(all_of(context, OutboxMessage)) == 1


def test_an_address_written_in_another_way_is_the_same_address(context, parser):
    """B.7: a domain in Polish letters, in those of the wire, in letters that look different."""
    for number, domain in enumerate(["żółw.example", "xn--w-uga1v8h.example", "ŻÓŁW.example"]):
        mail = a_mail(sender=f"Jan <jan@{domain}>", text=f"Sprawa numer {number}.")
        read(context, parser, mail)
    read(context, parser, a_mail(sender="Jan <jan@\U0001d423an.example>", text="Jedna."))
    read(context, parser, a_mail(sender="Jan <jan@jan.example>", text="Druga."))
    recipients = [owed.recipient for owed in all_of(context, OutboxMessage)]
    assert recipients == ["jan@xn--w-uga1v8h.example", "jan@jan.example"]


def test_a_mail_that_was_found_a_week_late_is_a_ticket_without_an_acknowledgement(context, parser):
    """B-49"""
    [late, in_time] = read(context, parser, a_mail(), received_at=NOW - timedelta(days=8)) + read(
        context, parser, a_mail(), received_at=NOW - timedelta(days=3)
    )
    assert ticket_of(context, late).acknowledgement_reason.startswith("B-49: ")
    assert ticket_of(context, in_time).acknowledgement_reason.startswith("B.1: ")


def test_a_withdrawal_is_confirmed_beyond_every_limit(context, parser):
    """B.8, row 53."""
    mails = [a_mail(sender=ANNA, text=f"Sprawa numer {number}.") for number in range(3)]
    withdrawal = a_mail(
        sender=ANNA, subject="Odstąpienie", text="Oświadczam, że odstępuję od umowy sprzedaży."
    )
    *_, row = read(context, parser, *mails, withdrawal)
    with open_session(context.engine) as session:
        owed = acknowledgement_of(session, row.ticket_id)
    assert owed is not None
    assert owed.mandatory


# The archive


def test_archived_mail_has_neither_clock_nor_acknowledgement_nor_work(context, parser):
    """B-50; B.8, row 50."""
    [row] = read(context, parser, a_mail(), archive=True)
    assert row.outcome == "archived"
    ticket = ticket_of(context, row)
    assert (ticket.status, ticket.closed_at) == ("closed", NOW)
    assert (ticket.due_at, ticket.due_safe, ticket.next_attempt_at) == (None, None, None)
    assert not ticket.needs_review
    assert ticket.acknowledgement_reason.startswith("B-50: ")
    assert all_of(context, OutboxMessage) == []
    with open_session(context.engine) as session:
        assert claim(session, Ticket, now=NOW + timedelta(days=999), limit=9) == []


def test_an_archived_conversation_stays_closed(context, parser):
    first = a_mail(sender=ANNA)
    sent_id = message_from_bytes(first)["Message-ID"].strip("<>")
    rows = read(context, parser, first, a_reply(sent_id), archive=True)
    assert outcomes(rows) == ["archived", "appended"]
    assert ticket_of(context, rows[0]).status == "closed"


# What nobody would send on purpose


def nested(depth):
    head = b"From: anna@klient.example\r\nMessage-ID: <nested@klient.example>\r\n"
    parts = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n)
        for n in range(depth)
    )
    end = b"".join(b"\r\n--b%d--" % n for n in reversed(range(depth)))
    return head + parts + b"Content-Type: text/plain\r\n\r\nw srodku" + end


ODD = {
    "nothing": b"",
    "only an empty line": b"\r\n",
    "no header": b"Dzie\xc5\x84 dobry, gdzie jest moja paczka?\r\n",
    "no From": b"Subject: Reklamacja\r\n\r\nGdzie jest moja paczka?\r\n",
    "empty From": b"From: \r\nSubject: Reklamacja\r\n\r\nGdzie jest moja paczka?\r\n",
    "two in From": b"From: a@b.example, c@d.example\r\n\r\nGdzie jest moja paczka?\r\n",
    "no body": b"From: anna@klient.example\r\nSubject: Reklamacja\r\n\r\n",
    "1,000 nested parts": nested(1000),
    "unknown charset": a_mail(fields={"Content-Type": "text/plain; charset=x-nieznany"}),
    "NUL in the body": a_mail(text="przed\x00po"),
    "NUL in the header": b"From: anna@klient.example\r\nSubject: a\x00b\r\n\r\nx\x00y\r\n",
    "lone surrogate": a_mail(text="x").replace(b"\r\n\r\nx", b"\r\n\r\n\xed\xa0\x80"),
    "raw cp1250": "From: anna@klient.example\r\nSubject: Zażółć\r\n\r\nGęślą jaźń\r\n".encode(
        "cp1250"
    ),
    "date of the year 9999": a_mail(fields={"Date": "Fri, 31 Dec 9999 23:59:59 -1200"}),
    "date before time": a_mail(fields={"Date": "Mon, 1 Jan 0001 00:00:00 +1400"}),
    "date nobody can read": a_mail(fields={"Date": "wczoraj po obiedzie"}),
    "Message-ID of 10,000 letters": a_mail(fields={"Message-ID": f"<{'x' * 10000}@y>"}),
    "subject of 100,000 letters": a_mail(subject="x" * 100_000),
    "20,000 references": a_mail(fields={"References": " ".join(f"<{n}@x>" for n in range(20000))}),
    "address without a domain": a_mail(sender="anna"),
    "address of an unknown alphabet": a_mail(sender="анна@клієнт.укр"),
    "boundary that never comes": a_mail(fields={"Content-Type": "multipart/mixed; boundary=zzz"}),
    "broken base64": a_mail(text="!!!!", fields={"Content-Transfer-Encoding": "base64"}),
}


@pytest.mark.parametrize("mail", ODD.values(), ids=ODD)
def test_an_odd_mail_has_a_visible_outcome(context, parser, mail):
    """D-P4"""
    [row] = read(context, parser, mail)
    assert (row.outcome, row.next_attempt_at, row.attempts) == ("ticket", None, 0)
    assert ticket_of(context, row).due_at is not None
    with open_session(context.engine) as session:
        assert raw_bytes(session, context.files, row.sha256) == mail


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_every_odd_mail_fits_into_postgresql(engine, make_context, parser):
    context = make_context(engine, **settings_of())
    rows = read(context, parser, *ODD.values())
    assert dict(zip(ODD, outcomes(rows), strict=True)) == dict.fromkeys(ODD, "ticket")
    with open_session(engine) as session:
        assert outcome_counts(session) == {"ticket": len(ODD)}


def test_a_truncated_mail_is_a_ticket_of_its_first_part(sqlite_engine, make_context, parser):
    """B.8, row 45."""
    context = make_context(sqlite_engine, **settings_of())
    whole = a_mail(sender=ANNA, text="Reklamacja z ogromnym zdjęciem. " * 100)
    [row] = read(context, parser, whole[:1000], truncated=True)
    assert (row.outcome, row.truncated) == ("ticket", True)


class KilledBy(ParserProcess):
    """A parser whose child is killed over a mail with these bytes."""

    def __init__(self, deadly, known):
        super().__init__(known)
        self._deadly = deadly

    def _submit(self, contents):
        deadly = any(self._deadly in content for content in contents)
        if deadly:
            self._signal(signal.SIGSTOP)
        reading = super()._submit(contents)
        if deadly:
            self._signal(signal.SIGKILL)
        return reading

    def _signal(self, number):
        for child in self._pool._processes.values():
            os.kill(child.pid, number)


def test_a_mail_that_kills_the_parser_is_quarantined_and_the_rest_goes_on(context):
    """The child dies, the worker lives."""
    parser = KilledBy(b"zabojcza", known_addresses(context.settings))
    try:
        rows = read(context, parser, a_mail(), a_mail(subject="zabojcza"), a_mail())
        assert outcomes(rows) == ["ticket", "pending", "ticket"]
        for _ in range(2):
            context.clock.forward(minutes=5)
            ingest(context, parser)
    finally:
        parser.close()
    with open_session(context.engine) as session:
        rows = [session.get(RawMessage, row.id) for row in rows]
    assert outcomes(rows) == ["ticket", "quarantined", "ticket"]
    bad = rows[1]
    assert bad.reason == bad.problem
    assert "the parser did not survive this mail" in bad.reason
    assert (bad.next_attempt_at, bad.ticket_id) == (None, None)


def test_a_mail_over_which_the_worker_died_three_times_is_quarantined(context, parser, clock):
    """CP-11: both in hand at the first death, one alone at the next two; the other goes on."""
    suspect, innocent = in_the_ledger(context, a_mail(), a_mail())

    def die():
        with open_session(context.engine) as session:
            claim(session, RawMessage, now=clock.now, limit=9)
        clock.forward(seconds=LEASE.total_seconds() + 1)

    die()
    die()
    assert ingest(context, parser) == 1, "the other one, before the suspect is tried again"
    die()
    while ingest(context, parser):
        continue
    with open_session(context.engine) as session:
        bad, good = (session.get(RawMessage, row.id) for row in (suspect, innocent))
    assert (bad.outcome, bad.reason) == ("quarantined", "the worker died over it 3 times")
    assert good.outcome == "ticket"


def test_a_vanished_message_is_nobodys_work(context, parser):
    row = {
        "mailbox": "reklamacje",
        "folder": "INBOX",
        "uidvalidity": 1,
        "uid": 7,
        "size": 0,
        "received_at": NOW,
        "fetched_at": NOW,
    }
    with open_session(context.engine) as session:
        record_vanished(session, row)
        session.commit()
    assert ingest(context, parser) == 0
    assert outcomes(all_of(context, RawMessage)) == ["vanished"]


def test_every_row_of_the_ledger_has_one_outcome(context, parser):
    """D-P4"""
    mail = a_mail(sender=ANNA)
    mails = [mail, mail, a_mail(fields={"Auto-Submitted": "auto-replied"}), b"", a_mail()]
    read(context, parser, *mails)
    with open_session(context.engine) as session:
        counts = outcome_counts(session)
    assert sum(counts.values()) == len(all_of(context, RawMessage)) == 5
    assert "pending" not in counts


def test_nothing_waiting_is_no_work(context, parser):
    assert ingest(context, parser) == 0


def test_no_address_subject_or_text_is_logged(context, parser, caplog):
    caplog.set_level(logging.DEBUG)
    read(context, parser, a_mail(sender=ANNA, subject="Tajemnica", text="Sekretna sprawa."))
    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert "messages handled" in logged
    for secret in ("anna@klient", "Tajemnica", "Sekretna"):
        assert secret not in logged


def test_a_shop_in_another_zone_counts_its_own_days(sqlite_engine, make_context, parser):
    shop = Shop(name="Sklep", own_domains=["sklep.example"], timezone="America/New_York")
    context = make_context(sqlite_engine, **settings_of(shop=shop))
    [row] = read(context, parser, a_mail(), received_at=datetime(2026, 2, 24, 4, 0, tzinfo=UTC))
    # Still Monday 23 February in New York.
    assert ticket_of(context, row).due_at == datetime(2026, 3, 10, 4, 0, tzinfo=UTC)


def test_an_id_longer_than_any_index_takes_stops_nothing(engine, make_context, parser):
    context = make_context(engine, **settings_of())
    long = a_mail(fields={"Message-ID": f"<{'ż' * 950}@example.com>"})
    assert outcomes(read(context, parser, long, a_mail())) == ["ticket", "ticket"]


def test_a_living_reply_to_archived_mail_has_a_clock_of_its_own(context, parser):
    [old] = read(
        context, parser, a_mail(fields={"Message-ID": "<stary@klient.example>"}), archive=True
    )
    [new] = read(context, parser, a_mail(fields={"In-Reply-To": "<stary@klient.example>"}))
    ticket = ticket_of(context, new)
    assert (old.outcome, new.outcome) == ("archived", "ticket")
    assert ticket.due_at is not None
    assert ticket.related_ticket_id == old.ticket_id


def test_the_same_id_with_another_body_is_a_ticket_but_not_answered_again(context, parser):
    """B-H4: a footer added on the way makes two mails of one."""
    fields = {"Message-ID": "<raz@klient.example>"}
    one = a_mail(sender=ANNA, text="Talerz jest rozbity.", fields=fields)
    other = a_mail(sender=ANNA, text="Talerz jest rozbity.\n\nSprawdzono.", fields=fields)
    rows = read(context, parser, one, other)
    assert outcomes(rows) == ["ticket", "ticket"]
    assert ticket_of(context, rows[1]).acknowledgement_reason.startswith("B-H4: ")


class Weighing(ParserProcess):
    """Notes how many bytes were in hand at once."""

    def read_all(self, contents):
        self.held = [*getattr(self, "held", []), sum(map(len, contents))]
        return super().read_all(contents)


def test_many_large_mails_are_not_held_in_memory_at_once(context):
    """Phone photos after a night's outage."""
    parser = Weighing(known_addresses(context.settings))
    try:
        rows = read(context, parser, *(a_mail(text="x" * 70 + "\n" * 6_000_000) for _ in range(5)))
    finally:
        parser.close()
    assert outcomes(rows) == ["ticket"] * 5
    assert len(parser.held) > 1
    assert max(parser.held) <= BATCH_BYTES


def test_a_parser_that_died_while_idle_costs_no_mail_an_attempt(context):
    """As when the machine runs out of memory: the next mail is innocent."""
    parser = ParserProcess(known_addresses(context.settings))
    try:
        assert outcomes(read(context, parser, a_mail())) == ["ticket"]
        for child in multiprocessing.active_children():
            child.kill()
            child.join()
        threading.Event().wait(0.2)  # till the thread that minds it has noticed
        [row] = in_the_ledger(context, a_mail())
        ingest(context, parser)
    finally:
        parser.close()
    with open_session(context.engine) as session:
        after = session.get(RawMessage, row.id)
    assert (after.outcome, after.attempts) == ("ticket", 0)


def test_no_mail_is_in_hand_while_the_parser_starts(context):
    """A worker that dies young would make the oldest mail look guilty."""
    held = []

    class Watched(ParserProcess):
        def warm_up(self):
            super().warm_up()
            with open_session(context.engine) as session:
                held.extend(session.exec(select(RawMessage.claimed_until)).all())
            held.append(len(multiprocessing.active_children()))

    parser = Watched(known_addresses(context.settings))
    try:
        assert ingest(context, parser) == 0
        assert held == [], "nor is one started for nothing"
        in_the_ledger(context, a_mail())
        assert ingest(context, parser) == 1
    finally:
        parser.close()
    assert held[:2] == [None, 1]
