"""Which mail is answered by itself: the rules B-M1 to B-M9, B-L1, B-L3."""

import pytest

from tests.unit.worker.mails import a_mail, a_multipart, a_part
from worker.mime import KnownAddresses, parse

SHOP = KnownAddresses(own_domains=("sklep.example",), own_addresses=("reklamacje@sklep.example",))

REFUSED = [
    ("B-M1", {"Return_Path": "<>"}),
    ("B-M2", {"Auto_Submitted": "auto-replied"}),
    ("B-M2", {"auto_submitted": "Auto-Generated; x=1"}),
    ("B-M2", {"Auto_Submitted": "auto-notified"}),
    ("B-M3", {"List_Id": "<dev.example.org>"}),
    ("B-M3", {"LIST_UNSUBSCRIBE": "<mailto:u@example.org>"}),
    ("B-M3", {"List_Unsubscribe_Post": "List-Unsubscribe=One-Click"}),
    ("B-M4", {"Precedence": "bulk"}),
    ("B-M4", {"precedence": "LIST"}),
    ("B-M4", {"Precedence": "auto_reply"}),
    ("B-M5", {"X_Auto_Response_Suppress": "DR, RN, AutoReply"}),
    ("B-M5", {"X_Auto_Response_Suppress": "All"}),
    ("B-M6", {"X_Autoreply": "yes"}),
    ("B-M6", {"X_Loop": "x"}),
    ("B-M6", {"X_Mailer": "vacation 1.2"}),
    ("B-M8", {"From": "no-reply@example.com"}),
    ("B-M8", {"From": "nie-odpowiadaj@example.com"}),
    ("B-M8", {"From": "MAILER-DAEMON@example.com"}),
    ("B-M8", {"Return_Path": "<prvs=12ab=owner-lista@example.com>"}),
    ("B-M8", {"Return_Path": "<bounces+123=anna@example.com>"}),
    ("B-M9", {"Subject": "Poza biurem: Reklamacja", "In_Reply_To": "<0@sklep.example>"}),
    ("B-A4", {"X_Spam_Flag": "YES"}),
    ("B-L1", {"From": "Jan <jan@sklep.example>"}),
    ("B-L1", {"Reply_To": "reklamacje@sklep.example"}),
    ("B-D2", {"From": "a@example.com, b@example.com"}),
    ("B-D2", {"From": "Anna"}),
    ("B-D2", {"From": None}),
]


@pytest.mark.parametrize(("rule", "headers"), REFUSED, ids=[f"{r} {h}" for r, h in REFUSED])
def test_mail_is_not_answered_by(rule, headers):
    mail = parse(a_mail(**headers), SHOP)
    assert not mail.auto_ack_ok
    assert mail.no_ack_reason is not None
    assert mail.no_ack_reason.startswith(f"{rule}: ")


ANSWERED = [
    {},
    {"Auto_Submitted": "no"},
    {"Subject": "Zwrot: zamówienie 123"},
    {"X_Auto_Response_Suppress": "OOF, DR"},
    {"Return_Path": "<anna@example.com>"},
    {"Return_Path": "<SRS0=ab=cd=example.com=anna@forwarder.example>"},
    {"Precedence": "first-class"},
    {"X_Spam_Status": "No, score=0.1"},
    {"Reply_To": "inna@other.example"},
]


@pytest.mark.parametrize("headers", ANSWERED, ids=str)
def test_a_persons_mail_is_answered(headers):
    mail = parse(a_mail(**headers), SHOP)
    assert (mail.auto_ack_ok, mail.no_ack_reason, mail.kind) == (True, None, "person")


def test_more_than_fifty_received_fields_are_a_loop():
    mail = parse(b"Received: from a by b\r\n" * 51 + a_mail())
    assert mail.no_ack_reason == "B-L3: more than 50 Received fields"


def test_a_relayed_customer_is_no_mailing_list():
    known = KnownAddresses(relays=("allegro.example",))
    raw = a_mail(From="x1@allegro.example", List_Unsubscribe="<mailto:u@allegro.example>")
    assert parse(raw, known).auto_ack_ok


AUTO_REPLIES = [
    {"Auto_Submitted": "auto-replied"},
    {"X_Autoreply": "yes"},
    {"Precedence": "auto_reply"},
    {"Subject": "Automatyczna odpowiedź: Reklamacja"},
    {"Subject": "Automatic reply: Potwierdzenie"},
    {"Subject": "Out of office", "X_Auto_Response_Suppress": "All"},
]


@pytest.mark.parametrize("headers", AUTO_REPLIES, ids=str)
def test_an_answer_of_a_machine_is_an_auto_reply(headers):
    mail = parse(a_mail("Jestem nieobecny do 10 marca.", **headers))
    assert (mail.is_auto_reply, mail.auto_ack_ok, mail.kind) == (True, False, "auto_reply")


def test_a_complaint_about_an_automatic_reply_is_a_persons():
    mail = parse(a_mail("Dostaję tylko autoodpowiedzi!", Subject="Autoodpowiedź zamiast pomocy"))
    assert not mail.is_auto_reply


def test_a_calendar_reply_is_a_report():
    part = a_part("BEGIN:VCALENDAR", "text/calendar; method=REPLY")
    mail = parse(a_multipart("alternative", a_part("Zaakceptowano"), part))
    assert (mail.kind, mail.auto_ack_ok) == ("report", False)


REPORTS = [
    {"Auto_Submitted": "auto-notified"},
    {"From": "root@web2.example", "X_Cron_Env": "<SHELL=/bin/sh>"},
    {"Subject": "Report Domain: sklep.example Submitter: poczta.example Report-ID: <1.2>"},
    {"Subject": "[Preview] Report domain: sklep.example Submitter: poczta.example"},
    {"Content_Type": "application/zip; name=mx.example!sklep.example!1758585600!1758671999.zip"},
    {"TLS_Report_Domain": "sklep.example"},
    {"Content_Type": "text/calendar; method=REPLY"},
    {"Content_Type": "text/calendar; charset=utf-8; METHOD=Refresh"},
]


@pytest.mark.parametrize("headers", REPORTS, ids=str)
def test_what_a_machine_reports_is_a_report(headers):
    mail = parse(a_mail("...", **headers), SHOP)
    assert (mail.kind, mail.auto_ack_ok) == ("report", False)


def test_a_report_on_authentication_is_b_m7():
    subject = "Report Domain: sklep.example Submitter: poczta.example"
    assert parse(a_mail(Subject=subject)).no_ack_reason == "B-M7: a machine's report"


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL", "COUNTER"])
def test_an_invitation_is_kept_as_a_persons_and_not_answered(method):
    part = a_part("BEGIN:VCALENDAR", f"text/calendar; method={method}")
    mail = parse(a_multipart("alternative", a_part("Omówmy szkody za maj."), part))
    assert (mail.kind, mail.no_ack_reason) == ("person", "B-M7: an invitation of a calendar")


def test_an_invitation_may_name_its_method_in_the_calendar_only():
    part = a_part("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n", "text/calendar; charset=utf-8")
    assert not parse(a_multipart("alternative", a_part("Omówmy szkody."), part)).auto_ack_ok


def test_a_calendar_that_a_customer_attached_is_no_invitation():
    part = a_part("BEGIN:VCALENDAR", "text/calendar", Content_Disposition="attachment")
    assert parse(a_multipart("mixed", a_part("Termin dostawy w załączniku."), part)).auto_ack_ok


def test_what_is_attached_to_a_complaint_makes_no_report_of_it():
    inner = a_part(
        a_mail("BEGIN:VCALENDAR", Content_Type="text/calendar; method=REPLY"), "message/rfc822"
    )
    mail = parse(a_multipart("mixed", a_part("Serwis potwierdził, a nie przyjechał."), inner))
    assert mail.kind == "person"


NOTICES = [
    {"From": "Kurier <noreply@kurier.example>", "Subject": "Dzisiaj doręczymy paczkę"},
    {"From": "powiadomienia@kurier.example", "Auto_Submitted": "auto-generated"},
    {"From": "kontakt@paczka.example", "X_Auto_Response_Suppress": "All"},
    {"From": "Bank <no-reply@bank.example>", "Subject": "Zwrot środków zrealizowany"},
]


@pytest.mark.parametrize("headers", NOTICES, ids=str)
def test_a_notice_of_a_courier_or_a_bank_becomes_a_ticket_without_answer(headers):
    mail = parse(a_mail("Paczka 0000 wraca do nadawcy. Wiadomość automatyczna.", **headers))
    assert (mail.kind, mail.auto_ack_ok) == ("person", False)


NOT_TO_BE_ANSWERED = [
    "Kupujący otworzył spór, termin 29 marca. Prosimy nie odpowiadać na tego e-maila. Operator",
    "Your parcel is damaged. Please do not reply to this message.",
    "Das Paket kommt zurück. Bitte antworten Sie nicht auf diese E-Mail.",
]


@pytest.mark.parametrize("text", NOT_TO_BE_ANSWERED)
def test_what_asks_not_to_be_answered_is_a_ticket_without_answer(text):
    mail = parse(a_mail(text, From="spory@operator.example"), SHOP)
    assert (mail.kind, mail.no_ack_reason) == ("person", "B-M8: it asks not to be answered")


def test_who_quotes_such_a_wish_is_answered():
    text = 'Odpisali mi tylko "prosimy nie odpowiadać na tę wiadomość". Proszę o zwrot.'
    assert parse(a_mail(text), SHOP).auto_ack_ok


def test_a_form_that_asks_not_to_be_answered_speaks_of_its_own_address():
    text = "Pękła mi szklanka.\n\nProsimy nie odpowiadać na tę wiadomość."
    mail = parse(a_mail(text, From="sklep@sklep.example", Reply_To="anna@klient.example"), SHOP)
    assert not (mail.no_ack_reason or "").startswith("B-M8")


def test_a_notice_of_a_newsletter_is_a_list():
    assert parse(a_mail(List_Unsubscribe="<https://example.com>")).kind == "list"


def test_what_our_own_machines_sent_is_own():
    machine = a_mail(From="reklamacje@sklep.example", Auto_Submitted="auto-replied")
    assert parse(machine, SHOP).kind == "own"
    stamped = a_mail(From="reklamacje@sklep.example", X_Odzew_Loop="v1;abc;def")
    assert parse(stamped, SHOP).kind == "own"


def test_what_a_colleague_wrote_is_kept_as_a_persons_and_not_answered():
    mail = parse(a_mail(From="reklamacje@sklep.example"), SHOP)
    assert (mail.kind, mail.auto_ack_ok) == ("person", False)
    assert mail.no_ack_reason is not None
    assert mail.no_ack_reason.startswith("B-L1: ")


def test_a_customer_with_an_address_of_ours_in_another_field_gets_a_ticket():
    mail = parse(a_mail(Reply_To="reklamacje@sklep.example"), SHOP)
    assert (mail.kind, mail.auto_ack_ok) == ("person", False)


def test_a_machine_behind_a_colleagues_forward_is_not_answered():
    forwarded = (
        "---------- Wiadomość przekazana dalej ---------\n"
        "Od: InPost <no-reply@inpost.example>\n"
        "Data: pt., 20 lis 2026 o 10:00\n"
        "Temat: Uszkodzona paczka\n"
        "Do: <biuro@sklep.example>\n\n"
        "Paczka została uszkodzona.\n"
    )
    mail = parse(a_mail(forwarded, From="biuro@sklep.example", Subject="Fwd: Uszkodzona"), SHOP)
    assert (mail.requester_addr, mail.auto_ack_ok) == ("no-reply@inpost.example", False)
