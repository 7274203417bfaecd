"""Ticket or not, acknowledgement or not, and to whom: the decision table B.8, row by row.

Where a row is older than the decisions that stand above the table, the decision holds: forwards by
the shop's own people are acknowledged when their header is complete (22, 23), and a mail that no
server has authenticated is not a mail that failed (3, 54).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_bytes

import pytest
from sqlmodel import select

from config.settings import ContactForm, Group, Mail, Relay
from storage.database import open_session
from storage.mail import attachments_of, messages_of_ticket
from storage.outbox import is_suppressed, suppress
from storage.tables import OutboxMessage, RawMessage, Ticket, TicketEvent
from tests.factories import NOW, a_mail, a_mailbox, an_smtp_server, in_the_ledger
from worker.acknowledgement import loop_header
from worker.context import Context, known_addresses
from worker.ingest import ingest
from worker.parser_process import ParserProcess

ANNA = "anna@klient.example"
OURS = "mx.sklep.example"
SETTINGS = {
    "smtp": an_smtp_server(),
    "mailboxes": [a_mailbox()],
    "mail": Mail(authserv_ids=[OURS], trusted_sealers=["forward.example"]),
    "contact_forms": [ContactForm(sender="formularz@sklep.example")],
    "groups": [Group(address="grupa@sklep.example")],
    "relays": [Relay(domain="allegromail.example")],
}


@pytest.fixture(scope="module")
def parser(tmp_path_factory):
    from tests.factories import a_configuration

    settings = a_configuration(tmp_path_factory.mktemp("shop"), **SETTINGS)
    child = ParserProcess(known_addresses(settings))
    yield child
    child.close()


@dataclass
class Desk:
    """A shop that reads mail one after the other."""

    context: Context
    parser: ParserProcess

    def read(self, mail: bytes, **columns: object) -> RawMessage:
        [row] = in_the_ledger(self.context, mail, **columns)
        while ingest(self.context, self.parser):
            continue
        with open_session(self.context.engine) as session:
            found = session.get(RawMessage, row.id)
        assert found is not None
        return found

    def ticket(self, row: RawMessage) -> Ticket:
        with open_session(self.context.engine) as session:
            ticket = session.get(Ticket, row.ticket_id)
        assert ticket is not None
        return ticket

    def owed(self) -> list[OutboxMessage]:
        with open_session(self.context.engine) as session:
            return list(session.exec(select(OutboxMessage).order_by(OutboxMessage.id)).all())

    def events(self, row: RawMessage) -> list[str]:
        with open_session(self.context.engine) as session:
            found = session.exec(
                select(TicketEvent).where(TicketEvent.ticket_id == row.ticket_id)
            ).all()
        return [event.kind for event in found]


@pytest.fixture
def desk(sqlite_engine, make_context, parser):
    return Desk(make_context(sqlite_engine, **SETTINGS), parser)


def mail(text: str = "", *, sender: str = f"Anna Nowak <{ANNA}>", subject="Reklamacja", **fields):
    text = text or "Dzień dobry, talerze przyszły stłuczone. Proszę o wymianę."
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return a_mail(sender=sender, subject=subject, text=text, fields=named)


def judged(results: str, **fields: str) -> bytes:
    return mail(Authentication_Results=f"{OURS}; {results}", **fields)


def multipart(kind: str, *parts: str, **fields: str) -> bytes:
    body = "".join(f"--b1\r\n{part}\r\n" for part in parts) + "--b1--\r\n"
    body = body.replace("\r\n", "\n")  # the mail gets its line ends as a whole
    return mail(body, Content_Type=f"multipart/{kind}; boundary=b1", **fields)


def report(about: str, *, recipient: str = ANNA, action: str = "failed") -> bytes:
    return multipart(
        "report; report-type=delivery-status",
        "Content-Type: text/plain\r\n\r\nThe mail could not be delivered: no such user.",
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.klient.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: 5.1.1\r\n",
        f"Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{about}>",
        sender="MAILER-DAEMON@mx.klient.example",
        subject="Undelivered Mail Returned to Sender",
        Return_Path="<>",
    )


INNER = (
    "From: Ewa Lis <ewa@klient.example>\r\nTo: biuro@sklep.example\r\n"
    "Subject: Pęknięty wazon\r\nDate: Mon, 02 Mar 2026 09:00:00 +0100\r\n\r\n"
    "Wazon przyszedł pęknięty, proszę o zwrot pieniędzy."
)
FORWARDED = (
    "Proszę o zajęcie się.\n\n---------- Wiadomość przekazana dalej ---------\n"
    "Od: Ewa Lis <ewa@klient.example>\nData: pon., 2 mar 2026 o 09:00\nTemat: Pęknięty wazon\n"
    "Do: <biuro@sklep.example>\n\nWazon przyszedł pęknięty, proszę o zwrot pieniędzy.\n"
)
WITHDRAWAL = (
    "Oświadczam, że odstępuję od umowy sprzedaży zawartej 20 lutego 2026, zamówienie 7731.\n"
    "Anna Nowak, ul. Lipowa 3, 00-001 Warszawa"
)

# Rows about one mail alone: what it is, its outcome, the recipient of the acknowledgement.
ALONE: list[tuple[str, Callable[[], bytes], str, str | None]] = [
    (
        "1 plain complaint, DMARC passes",
        lambda: judged("dmarc=pass header.from=klient.example"),
        "ticket",
        ANNA,
    ),
    (
        "2 aligned DKIM passes",
        lambda: judged("dkim=pass header.d=klient.example; dmarc=none"),
        "ticket",
        ANNA,
    ),
    ("3 nobody has judged it", lambda: mail(), "ticket", ANNA),
    (
        "4 DMARC fails, the domain rejects",
        lambda: judged("dmarc=fail (p=reject dis=none) header.from=klient.example"),
        "ticket",
        None,
    ),
    ("5 null return path, ordinary text", lambda: mail(Return_Path="<>"), "ticket", None),
    (
        "7 a bounce of a mail that is not ours",
        lambda: report("obce.1@inny.example"),
        "bounce",
        None,
    ),
    ("11 Auto-Submitted: no", lambda: mail(Auto_Submitted="no"), "ticket", ANNA),
    ("12 auto-notified", lambda: mail(Auto_Submitted="auto-notified"), "automatic", None),
    (
        "13 newsletter",
        lambda: mail(List_Unsubscribe="<mailto:stop@nowosci.example>"),
        "automatic",
        None,
    ),
    (
        "14 mailing list rewrites From",
        lambda: mail(
            sender='"Jan via Lista" <lista@obca.example>',
            List_Id="<lista.obca.example>",
            X_Original_From="jan@klient.example",
        ),
        "automatic",
        None,
    ),
    (
        "15 own group, configured",
        lambda: mail(
            sender='"Jan Kos via Grupa" <grupa@sklep.example>',
            List_Id="<grupa.sklep.example>",
            Reply_To="jan@klient.example",
            X_Original_From="Jan Kos <jan@klient.example>",
        ),
        "ticket",
        "jan@klient.example",
    ),
    (
        "18 our number from a stranger, alone",
        lambda: mail(subject="Sprawa [ODZ-2026-000999]"),
        "ticket",
        ANNA,
    ),
    (
        "22 a colleague forwards inline",
        lambda: mail(FORWARDED, sender="Ola <ola@sklep.example>", subject="Fwd: Pęknięty wazon"),
        "ticket",
        "ewa@klient.example",
    ),
    (
        "23 a colleague forwards as an attachment",
        lambda: multipart(
            "mixed",
            "Content-Type: text/plain; charset=utf-8\r\n\r\nDo załatwienia.",
            f"Content-Type: message/rfc822\r\n\r\n{INNER}",
            sender="Ola <ola@sklep.example>",
            subject="Fwd: Pęknięty wazon",
        ),
        "ticket",
        "ewa@klient.example",
    ),
    (
        "24 redirected, DKIM passes",
        lambda: judged(
            "spf=pass smtp.mailfrom=srs0=aa=bb=klient.example=anna@forward.example; "
            "dkim=pass header.d=klient.example; dmarc=pass",
            Return_Path="<SRS0=aa=bb=klient.example=anna@forward.example>",
        ),
        "ticket",
        ANNA,
    ),
    (
        "25 redirected, only a trusted seal vouches",
        lambda: judged(
            "spf=fail smtp.mailfrom=klient.example; arc=pass; dmarc=fail (p=reject)",
            ARC_Seal="i=1; a=rsa-sha256; d=forward.example; s=x; cv=none; b=abc",
            ARC_Authentication_Results="i=1; mx.forward.example; dmarc=pass",
        ),
        "ticket",
        ANNA,
    ),
    (
        "26 the same, an unknown seal",
        lambda: judged(
            "spf=fail smtp.mailfrom=klient.example; arc=pass; dmarc=fail (p=reject)",
            ARC_Seal="i=1; a=rsa-sha256; d=obcy.example; s=x; cv=none; b=abc",
            ARC_Authentication_Results="i=1; mx.obcy.example; dmarc=pass",
        ),
        "ticket",
        None,
    ),
    (
        "27 contact form, configured",
        lambda: mail(sender="Formularz <formularz@sklep.example>", Reply_To=ANNA),
        "ticket",
        ANNA,
    ),
    (
        "28 contact form, not configured",
        lambda: mail(sender="WordPress <wordpress@sklep.example>", Reply_To=ANNA),
        "ticket",
        None,
    ),
    ("30 Reply-To in another domain", lambda: mail(Reply_To="ktos@inny.example"), "ticket", ANNA),
    (
        "31 no-reply of a courier",
        lambda: mail(sender="Kurier <no-reply@kurier.example>"),
        "ticket",
        None,
    ),
    (
        "32 our own address, spoofed",
        lambda: mail(sender="reklamacje@sklep.example"),
        "ticket",
        None,
    ),
    ("34 two senders", lambda: mail(sender=f"{ANNA}, jan@klient.example"), "ticket", None),
    ("35 no From, a Sender", lambda: mail(sender="", Sender=ANNA, From=""), "ticket", None),
    ("36 no Message-ID", lambda: mail(Message_ID=""), "ticket", ANNA),
    (
        "38 only photographs",
        lambda: multipart("mixed", "Content-Type: image/jpeg; name=IMG_1.jpg\r\n\r\n\xff\xd8\xff"),
        "ticket",
        ANNA,
    ),
    (
        "39 encrypted",
        lambda: multipart(
            'encrypted; protocol="application/pgp-encrypted"',
            "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1",
            "Content-Type: application/octet-stream\r\n\r\n-----BEGIN PGP MESSAGE-----",
        ),
        "ticket",
        ANNA,
    ),
    (
        "40 answer to an invitation",
        lambda: mail(
            "BEGIN:VCALENDAR\nMETHOD:REPLY\nEND:VCALENDAR",
            Content_Type="text/calendar; method=REPLY; charset=utf-8",
        ),
        "automatic",
        None,
    ),
    (
        "40 an invitation",
        lambda: mail(
            "BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR",
            Content_Type="text/calendar; method=REQUEST; charset=utf-8",
        ),
        "ticket",
        None,
    ),
    (
        "44 a program is attached",
        lambda: multipart(
            "mixed",
            "Content-Type: text/plain\r\n\r\nFaktura w zalaczniku, reklamuje.",
            "Content-Type: application/x-msdownload; name=faktura.exe\r\n\r\nMZ",
        ),
        "ticket",
        ANNA,
    ),
    (
        "46 not to be parsed as MIME",
        lambda: mail("--nic\r\n", Content_Type='multipart/mixed; boundary="'),
        "ticket",
        ANNA,
    ),
    (
        "48 letters that SMTP lacks",
        lambda: mail(sender="Zażółć <zażółć@klient.example>"),
        "ticket",
        None,
    ),
    ("52 a court", lambda: mail(sender="Sąd Rejonowy <biuro@krakow.sr.gov.pl>"), "ticket", None),
    (
        "53 withdrawal, authenticated",
        lambda: judged("dmarc=pass header.from=klient.example").replace(
            b"talerze", WITHDRAWAL.encode()
        ),
        "ticket",
        ANNA,
    ),
    (
        "54 withdrawal, its authentication failed",
        lambda: judged("dmarc=fail (p=quarantine)").replace(b"talerze", WITHDRAWAL.encode()),
        "ticket",
        None,
    ),
    (
        "55 asks for the erasure of data",
        lambda: mail("Na podstawie art. 17 RODO proszę o usunięcie moich danych.", subject="RODO"),
        "ticket",
        ANNA,
    ),
    ("56 marked as spam", lambda: mail(X_Spam_Flag="YES"), "ticket", None),
]


@pytest.mark.parametrize(
    ("make", "outcome", "recipient"),
    [pytest.param(*rest, id=f"row {name}") for name, *rest in ALONE],
)
def test_b8(desk, make, outcome, recipient):
    row = desk.read(make())
    assert row.outcome == outcome, row.reason
    assert [owed.recipient for owed in desk.owed()] == ([recipient] if recipient else [])
    if outcome == "ticket":
        said = desk.ticket(row).acknowledgement_reason
        assert said.startswith("B.1: ") == (recipient is not None), said
        assert ": " in said


def acknowledged(desk: Desk, **fields: str) -> tuple[RawMessage, OutboxMessage]:
    row = desk.read(mail(**fields))
    [owed] = desk.owed()
    return row, owed


def test_b8_row_6_the_acknowledgement_comes_back(desk):
    first, owed = acknowledged(desk)
    row = desk.read(report(owed.message_id))
    assert (row.outcome, row.ticket_id) == ("bounce", first.ticket_id)
    assert "acknowledgement_returned" in desk.events(first)
    with open_session(desk.context.engine) as session:
        assert is_suppressed(session, ANNA, now=NOW)
    assert len(desk.owed()) == 1


def test_b8_row_8_a_storm_of_bounces_makes_no_ticket_and_no_mail(desk):
    rows = [
        desk.read(report(f"obce.{n}@inny.example", recipient=f"a{n}@x.example")) for n in range(20)
    ]
    assert {row.outcome for row in rows} == {"bounce"}
    assert desk.owed() == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Jestem na urlopie do 15 marca.", id="row 9"),
        pytest.param("Jestem na urlopie. Poza tym brakuje mi śrub w stole.", id="row 10"),
    ],
)
def test_b8_an_out_of_office_note_is_kept_beside_its_ticket(desk, text):
    first, owed = acknowledged(desk)
    row = desk.read(
        mail(
            text,
            subject="Automatyczna odpowiedź: Potwierdzenie",
            Auto_Submitted="auto-replied",
            In_Reply_To=f"<{owed.message_id}>",
        )
    )
    assert (row.outcome, row.ticket_id) == ("automatic", first.ticket_id)
    assert "auto_reply" in desk.events(first)
    assert len(desk.owed()) == 1


def test_b8_row_9_a_note_without_any_mark_is_kept_beside_its_ticket(desk):
    first, owed = acknowledged(desk)
    row = desk.read(
        mail(
            "Jestem na urlopie do 15 marca, odpiszę po powrocie.",
            subject=f"Re: Potwierdzenie [{desk.ticket(first).reference}]",
            In_Reply_To=f"<{owed.message_id}>",
        )
    )
    assert (row.outcome, row.ticket_id) == ("automatic", first.ticket_id)
    assert "auto_reply" in desk.events(first)
    assert len(desk.owed()) == 1


def test_b8_row_10_a_customer_on_holiday_who_wants_something_is_heard(desk):
    first, owed = acknowledged(desk)
    row = desk.read(
        mail(
            "Jestem na urlopie do 15 marca, proszę o zwrot pieniędzy na konto.",
            subject="Re: Potwierdzenie",
            In_Reply_To=f"<{owed.message_id}>",
        )
    )
    assert (row.outcome, row.ticket_id) == ("appended", first.ticket_id)


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("Re: Potwierdzenie", id="row 16"),
        pytest.param("Zupełnie inny temat", id="row 17"),
    ],
)
def test_b8_a_reply_belongs_to_its_ticket(desk, subject):
    first, owed = acknowledged(desk)
    row = desk.read(
        mail(
            "Dosyłam numer: 100234.",
            subject=subject,
            References=f"<x@klient.example> <{owed.message_id}>",
        )
    )
    assert (row.outcome, row.ticket_id) == ("appended", first.ticket_id)
    assert len(desk.owed()) == 1


def test_b8_row_18_our_number_from_a_stranger_opens_a_ticket_of_its_own(desk):
    first, _ = acknowledged(desk)
    number = desk.ticket(first).reference
    row = desk.read(mail("To też moja sprawa.", sender="obcy@inny.example", subject=f"[{number}]"))
    assert row.outcome == "ticket"
    assert desk.ticket(row).related_ticket_id == first.ticket_id
    assert desk.owed()[-1].recipient == "obcy@inny.example"
    assert desk.ticket(row).reference.encode() in desk.owed()[-1].content


def test_b8_row_19_one_mail_to_three_aliases_is_one_ticket(desk):
    one = mail()
    rows = [desk.read(f"Delivered-To: {to}@sklep.example\r\n".encode() + one) for to in "abc"]
    assert [row.outcome for row in rows] == ["ticket", "duplicate", "duplicate"]
    assert len({row.ticket_id for row in rows}) == 1
    assert len(desk.owed()) == 1


def test_b8_row_20_the_same_words_sent_again_join_their_ticket(desk):
    first = desk.read(mail())
    again = desk.read(mail())
    assert (again.outcome, again.ticket_id) == ("appended", first.ticket_id)
    assert again.reason is not None
    assert again.reason.startswith("B-H5: ")
    assert len(desk.owed()) == 1


HANDED_ON = (
    "Dzień dobry, przekazuję.\n\n---------- Forwarded message ---------\n"
    "Od: {0} <{0}@klient.example>\nTemat: Wazon\n\nPrzyszedł {1} rozbity.\n"
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HANDED_ON.format("ewa", "wazon"), HANDED_ON.format("jan", "talerz")),
        ("Zamówienie 123456: proszę o zwrot.", "Zamówienie 123457: proszę o zwrot."),
    ],
    ids=["handed on", "another order"],
)
def test_the_same_words_about_something_else_are_a_ticket_of_their_own(desk, one, other):
    """Who hands on two customers' mails by the same words has two complaints."""
    assert [desk.read(mail(text)).outcome for text in (one, other)] == ["ticket", "ticket"]


def test_the_same_words_under_another_subject_are_a_ticket_of_their_own(desk):
    one, other = (mail(subject=f"Zamówienie {number}") for number in (123456, 123457))
    assert [desk.read(raw).outcome for raw in (one, other)] == ["ticket", "ticket"]


def test_b8_row_21_a_second_complaint_within_ten_minutes_is_not_acknowledged(desk):
    desk.read(mail())
    row = desk.read(mail("I jeszcze jedno: w drugiej paczce brakuje instrukcji."))
    assert row.outcome == "ticket"
    assert desk.ticket(row).acknowledgement_reason.startswith("B.7: one in ten minutes")
    assert len(desk.owed()) == 1


def test_b8_row_29_a_marketplace_is_answered_at_its_masked_address_only(desk):
    row = desk.read(
        mail(
            sender="Kupujący <x12ab@allegromail.example>",
            Reply_To=ANNA,
            List_Unsubscribe="<https://allegro.example/u>",
        )
    )
    assert row.outcome == "ticket"
    assert desk.ticket(row).requester_addr == "x12ab@allegromail.example"
    assert {owed.recipient for owed in desk.owed()} <= {"x12ab@allegromail.example"}


def test_b8_row_33_our_own_acknowledgement_comes_back(desk):
    _, owed = acknowledged(desk)
    row = desk.read(b"Delivered-To: reklamacje@sklep.example\r\n" + owed.content)
    assert row.outcome == "own"
    assert len(desk.owed()) == 1


def test_b_l2_a_mark_that_is_not_ours_is_ignored(desk):
    forged = loop_header("inny-sklep", key=b"inny klucz")
    row = desk.read(mail(X_Odzew_Loop=forged))
    assert row.outcome == "ticket"
    assert len(desk.owed()) == 1


def test_b8_row_37_one_message_id_and_other_words_make_two_tickets(desk):
    fields = {"Message_ID": "<ten.sam@klient.example>"}
    first = desk.read(mail(**fields))
    second = desk.read(mail("Zupełnie inna sprawa: nie działa czajnik.", **fields))
    assert (first.outcome, second.outcome) == ("ticket", "ticket")
    assert first.ticket_id != second.ticket_id
    assert len(desk.owed()) == 1


def test_b8_row_41_a_read_receipt_is_noted(desk):
    first, owed = acknowledged(desk)
    row = desk.read(
        multipart(
            "report; report-type=disposition-notification",
            "Content-Type: text/plain\r\n\r\nPrzeczytano.",
            "Content-Type: message/disposition-notification\r\n\r\n"
            f"Original-Message-ID: <{owed.message_id}>\r\nDisposition: manual-action; displayed",
            subject="Przeczytano: Potwierdzenie",
        )
    )
    assert (row.outcome, row.ticket_id) == ("automatic", first.ticket_id)
    assert "report" in desk.events(first)


def test_b8_row_42_a_complaint_about_our_mail_stops_it(desk):
    first, owed = acknowledged(desk)
    row = desk.read(
        multipart(
            "report; report-type=feedback-report",
            "Content-Type: text/plain\r\n\r\nThis is a spam report.",
            "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse",
            f"Content-Type: message/rfc822\r\n\r\nMessage-ID: <{owed.message_id}>\r\n\r\nx",
            sender="fbl@poczta.example",
        )
    )
    assert (row.outcome, row.ticket_id) == ("automatic", first.ticket_id)
    assert "abuse_report" in desk.events(first)
    with open_session(desk.context.engine) as session:
        assert is_suppressed(session, ANNA, now=NOW)


def test_b8_row_45_only_the_beginning_of_a_huge_mail_was_fetched(desk):
    row = desk.read(mail(), truncated=True)
    assert row.outcome == "ticket"
    assert len(desk.owed()) == 1


def test_b8_row_47_an_address_that_a_server_refused(desk):
    with open_session(desk.context.engine) as session:
        suppress(session, ANNA, now=NOW, reason="5.1.1")
        session.commit()
    row = desk.read(mail())
    assert desk.ticket(row).acknowledgement_reason.startswith("B-47: ")
    assert desk.owed() == []


@pytest.mark.parametrize(("days", "answered"), [(3, True), (8, False)])
def test_b8_row_49_found_late_after_an_outage(desk, days, answered):
    row = desk.read(mail(), received_at=NOW - timedelta(days=days))
    assert row.outcome == "ticket"
    assert bool(desk.owed()) == answered


def test_b8_row_50_the_mail_of_before(desk):
    row = desk.read(mail(), archive=True)
    assert row.outcome == "archived"
    assert desk.ticket(row).due_at is None
    assert desk.owed() == []


def test_b8_row_51_after_a_new_uidvalidity_nothing_is_new(desk):
    one = mail()
    first, again = desk.read(one), desk.read(one, uidvalidity=2)
    assert (again.outcome, again.ticket_id) == ("duplicate", first.ticket_id)
    assert len(desk.owed()) == 1


def test_b8_row_38_the_photographs_are_on_the_ticket(desk):
    row = desk.read({name: make for name, make, *_ in ALONE}["38 only photographs"]())
    with open_session(desk.context.engine) as session:
        [message] = messages_of_ticket(session, row.ticket_id)
        [photograph] = attachments_of(session, [message.id])
    assert (photograph.name, photograph.type) == ("IMG_1.jpg", "image/jpeg")


def test_b8_row_43_mail_in_the_junk_folder_has_its_clock(desk):
    row = desk.read(mail(X_Spam_Status="Yes, score=7"), folder="Junk")
    assert desk.ticket(row).due_at is not None
    assert desk.owed() == []


def test_an_answer_to_the_address_of_the_ticket_finds_it(desk):
    """B.6: by plus addressing, where the shop says that its server can."""
    [mailbox] = desk.context.settings.mailboxes
    able = mailbox.model_copy(update={"plus_addressing": True})
    settings = desk.context.settings.model_copy(update={"mailboxes": [able]})
    desk.context = replace(desk.context, settings=settings)
    first, owed = acknowledged(desk)
    answer_to = message_from_bytes(owed.content)["Reply-To"]
    assert answer_to.startswith("reklamacje+odz-")
    row = desk.read(mail("Dosyłam numer.", To=answer_to, sender="inny@adres.example"))
    assert (row.outcome, row.ticket_id) == ("appended", first.ticket_id)
