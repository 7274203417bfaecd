"""Mail that was handed on: recognised from the body, taken apart, told from answers."""

import pytest

from tests.unit.worker.mails import a_mail, a_multipart, a_part
from worker.complaint import complaint_in
from worker.forward import subject_prefix
from worker.mime import KnownAddresses, parse

SHOP = KnownAddresses(
    own_domains=("sklep.example",),
    contact_forms=("formularz@sklep.example",),
    trusted_forwarders=("kasia.prywatnie@poczta.example",),
)
COLLEAGUE = "Kasia <kasia@sklep.example>"
INNER = "Dzień dobry, buty przyszły uszkodzone."
BLOCKS = {
    "Gmail, Polish": """---------- Forwarded message ---------
Od: Jan Kowalski <jan@example.com>
Date: pon., 2 mar 2026 o 10:00
Subject: Uszkodzone buty
To: <biuro@sklep.example>
Cc: Ewa <ewa@example.com>
""",
    "Outlook, Polish": """-----Wiadomość oryginalna-----
Od: Jan Kowalski [mailto:jan@example.com]
Wysłano: poniedziałek, 2 marca 2026 10:00
Do: biuro@sklep.example
DW: Ewa <ewa@example.com>
Temat: Uszkodzone buty
""",
    "Outlook on the web": """________________________________
Od: Jan Kowalski <jan@example.com>
Wysłane: poniedziałek, 2 marca 2026 10:00
Do: biuro@sklep.example <biuro@sklep.example>
DW: Ewa <ewa@example.com>
Temat: Uszkodzone buty
""",
    "Thunderbird, Polish": """-------- Treść przekazanej wiadomości --------
Temat: \tUszkodzone buty
Data: \tMon, 2 Mar 2026 10:00:00 +0100
Nadawca: \tJan Kowalski <jan@example.com>
Adresat: \tbiuro@sklep.example
Kopia: \tEwa <ewa@example.com>

""",
    "Apple Mail, Polish": """Początek przekazywanej wiadomości:

> Od: Jan Kowalski <jan@example.com>
> Temat: Uszkodzone buty
> Data: 2 marca 2026 10:00:00 CET
> Do: biuro@sklep.example
> DW: Ewa <ewa@example.com>
> """,
    "Yahoo, Polish": (
        "----- Przekazana wiadomość ----- Od: Jan Kowalski <jan@example.com>"
        'Do: "biuro@sklep.example" <biuro@sklep.example>Dw Ewa <ewa@example.com>'
        "Wysłano: 2 marca 2026 10:00Temat: Uszkodzone buty\n"
    ),
    "German": """-------- Weitergeleitete Nachricht --------
Betreff: Uszkodzone buty
Datum: Mon, 2 Mar 2026 10:00:00 +0100
Von: Jan Kowalski <jan@example.com>
An: biuro@sklep.example
Kopie (CC): Ewa <ewa@example.com>

""",
    "Czech": """---------- Přeposlaná zpráva ----------
Od: Jan Kowalski <jan@example.com>
Datum: 2. března 2026 10:00
Předmět: Uszkodzone buty
Komu: biuro@sklep.example
Kopie: Ewa <ewa@example.com>
""",
    "Ukrainian": """-------- Переслане повідомлення --------
Тема: Uszkodzone buty
Дата: Mon, 2 Mar 2026 10:00:00 +0100
Від: Jan Kowalski <jan@example.com>
Кому: biuro@sklep.example
Копія: Ewa <ewa@example.com>
""",
    "Outlook on a phone, Czech": """________________________________
Od: Jan Kowalski <jan@example.com>
Odesláno: pondělí 2. března 2026 10:00:12
Komu: biuro@sklep.example <biuro@sklep.example>
Kopie: Ewa <ewa@example.com>
Předmět: Uszkodzone buty
""",
    "Outlook on a phone, Ukrainian": """________________________________
Від: Jan Kowalski <jan@example.com>
Надіслано: понеділок, 2 березня 2026 р. 10:00
Кому: biuro@sklep.example <biuro@sklep.example>
Копія: Ewa <ewa@example.com>
Тема: Uszkodzone buty
""",
    "Outlook on a phone, French": """________________________________
De : Jan Kowalski <jan@example.com>
Envoyé : lundi 2 mars 2026 10:00
À : biuro@sklep.example <biuro@sklep.example>
Cc : ewa@example.com
Objet : Uszkodzone buty
""",
    "Outlook for Mac, Polish": """Od: Jan Kowalski <jan@example.com>
Data: poniedziałek, 2 marca 2026 10:00
Do: biuro@sklep.example <biuro@sklep.example>
DW: ewa@example.com
Temat: Uszkodzone buty
""",
    "Outlook, Slovak": """Od: Jan Kowalski <jan@example.com>
Odoslané: pondelok 2. marca 2026 10:00
Komu: biuro@sklep.example
Kópia: ewa@example.com
Predmet: Uszkodzone buty
""",
    "Outlook, Lithuanian": """Nuo: Jan Kowalski <jan@example.com>
Išsiųsta: 2026 m. kovo 2 d., pirmadienis 10:00
Kam: biuro@sklep.example
Kopija: ewa@example.com
Tema: Uszkodzone buty
""",
    "Outlook, Bulgarian": """От: Jan Kowalski <jan@example.com>
Изпратено: понеделник, 2 март 2026 г. 10:00
До: biuro@sklep.example
Копие: ewa@example.com
Относно: Uszkodzone buty
""",
    "Apple Mail, German, quoted whole": """> Anfang der weitergeleiteten Nachricht:
>
> Von: Jan Kowalski <jan@example.com>
> Betreff: Uszkodzone buty
> Datum: 2. März 2026 um 10:00:00 MEZ
> An: biuro@sklep.example
> Kopie: Ewa <ewa@example.com>
> """,
    "Apple Mail, Czech": """Začátek přeposílané zprávy:

> Od: Jan Kowalski <jan@example.com>
> Předmět: Uszkodzone buty
> Datum: 2. března 2026 v 10:00:00 SEČ
> Komu: biuro@sklep.example
> Kopie: Ewa <ewa@example.com>
> """,
    "Apple Mail, Ukrainian": """Початок листа, що пересилається:

> Від: Jan Kowalski <jan@example.com>
> Тема: Uszkodzone buty
> Дата: 2 березня 2026 р. о 10:00:00 EET
> Кому: biuro@sklep.example
> Копія: Ewa <ewa@example.com>
> """,
    "Roundcube, Polish": """-------- Wiadomość oryginalna --------
Temat: Uszkodzone buty
Data: 2026-03-02 10:00
Nadawca: Jan Kowalski <jan@example.com>
Odbiorca: biuro@sklep.example
Kopia: Ewa <ewa@example.com>
Odpowiedź-Do: rodzina@example.com
""",
    "Roundcube, Czech": """-------- Původní zpráva --------
Předmět: Uszkodzone buty
Datum: 2026-03-02 10:00
Odesílatel: Jan Kowalski <jan@example.com>
Adresát: biuro@sklep.example
Kopie: Ewa <ewa@example.com>
""",
    "Gmail, Ukrainian": """---------- Forwarded message ---------
Від: Jan Kowalski <jan@example.com>
Date: пн, 2 бер. 2026 р. о 10:00
Subject: Uszkodzone buty
To: <biuro@sklep.example>
Cc: Ewa <ewa@example.com>
""",
    "Yahoo, German": (
        "   ----- Weitergeleitete Nachricht ----- Von: Jan Kowalski <jan@example.com>"
        'An: "biuro@sklep.example" <biuro@sklep.example>CC: Ewa <ewa@example.com>'
        "Gesendet: Montag, 2. März 2026 um 10:00:00 MEZBetreff: Uszkodzone buty\n"
    ),
    "Yahoo, line by line": """----- Forwarded Message -----
From: Jan Kowalski <jan@example.com>
To: biuro@sklep.example <biuro@sklep.example>
Cc: Ewa <ewa@example.com>
Sent: Monday, March 2, 2026 at 10:00:00 AM GMT+1
Subject: Uszkodzone buty
""",
    "WP": """---- Wiadomość przekazana ----
Od: "Jan Kowalski" <jan@example.com>
Do: biuro@sklep.example;
DW: ewa@example.com;
Data: 2 marca 2026 10:00
Temat: Uszkodzone buty
""",
    "Onet": """----- Wiadomość przekazana -----
Nadawca: Jan Kowalski <jan@example.com>
Do: biuro@sklep.example
DW: ewa@example.com
Data wysłania: 2026-03-02 10:00:00
Temat: Uszkodzone buty
""",
    "Interia": """Od: "Jan Kowalski" <jan@example.com>
Do: biuro@sklep.example;
DW: ewa@example.com;
Wysłane: 10:00 Poniedziałek 2026-03-02
Temat: Uszkodzone buty
""",
    "Seznam": """---------- Původní e-mail ----------
Od: Jan Kowalski <jan@example.com>
Komu: biuro@sklep.example
Kopie: ewa@example.com
Datum: 2. 3. 2026 10:00:00
Předmět: Uszkodzone buty
""",
    "ukr.net": """--- Переслане повідомлення ---
Від кого: "Jan Kowalski" <jan@example.com>
Кому: biuro@sklep.example
Копія: ewa@example.com
Дата: 2 березня 2026, 10:00:00
Тема: Uszkodzone buty
""",
    "GMX": """Gesendet: Montag, 2. März 2026 um 10:00 Uhr
Von: "Jan Kowalski" <jan@example.com>
An: biuro@sklep.example
CC: ewa@example.com
Betreff: Uszkodzone buty
""",
    "T-Online": """-----Original-Nachricht-----
Betreff: Uszkodzone buty
Datum: 2026-03-02T10:00:00+0100
Von: "Jan Kowalski" <jan@example.com>
An: "biuro@sklep.example" <biuro@sklep.example>
Cc: ewa@example.com
""",
    "Samsung, with a label nobody knows": """-------- Oryginalna wiadomość --------
Od: Jan Kowalski <jan@example.com>
Data: 02.03.26  10:00  (GMT+02:00)
Etykieta: pilne
Do: biuro@sklep.example
DW: ewa@example.com
Temat: Uszkodzone buty
""",
    "eM Client, Polish, without colons": """------ Wiadomość przekazana dalej ------
Od "Jan Kowalski" <jan@example.com>
Do "Biuro" <biuro@sklep.example>
Kopia "Ewa" <ewa@example.com>
Data 02.03.2026 10:00:00
Temat Uszkodzone buty
""",
    "eM Client, German, without colons": """------ Weitergeleitete Nachricht ------
Von "Jan Kowalski" <jan@example.com>
An biuro@sklep.example
Cc "Ewa" <ewa@example.com>
Datum 02.03.2026 10:00:00
Betreff Uszkodzone buty
""",
    "Notes, Polish": """----- Przekazane przez Ewa Nowak/Biuro/Sklep dnia 2026-03-02 10:12 -----

Od:        Jan Kowalski <jan@example.com>
Do:        biuro@sklep.example
DW:        ewa@example.com
Data:      2026-03-02 10:00
Temat:     Uszkodzone buty
""",
    "Notes, with a wrapped title": """-------------------- Forwarded by Ewa Nowak/Biuro/Sklep on
2026-03-02 10:12 --------------------

From: Jan Kowalski <jan@example.com>
To: biuro@sklep.example
Cc: ewa@example.com
Date: 2026-03-02 10:00
Subject: Uszkodzone buty
""",
    "The Bat": """This is a forwarded message
From: Jan Kowalski <jan@example.com>
To: biuro@sklep.example
Cc: ewa@example.com
Date: Monday, March 2, 2026, 10:00:00 AM
Subject: Uszkodzone buty
""",
    "Proton, Polish": """------- Forwarded Message -------
Od: Jan Kowalski <jan@example.com>
Data: W dniu poniedziałek, 2 marca 2026 o 10:00
Temat: Uszkodzone buty
Do: biuro@sklep.example <biuro@sklep.example>
DW: ewa@example.com
""",
    "Zoho, its title twice": """============ Przekazana wiadomość ============
Od: Jan Kowalski <jan@example.com>
Do: "biuro"<biuro@sklep.example>
DW: <ewa@example.com>
Data: pon., 02 mar 2026 10:00:00 +0100
Temat: Uszkodzone buty
============ Przekazana wiadomość ============
""",
    "Exchange, a machine on behalf of the customer": """-----Original Message-----
From: bounce+3f@relay.example On Behalf Of Jan Kowalski <jan@example.com>
Sent: Monday, March 2, 2026 10:00 AM
To: biuro@sklep.example
Cc: ewa@example.com
Subject: Uszkodzone buty
""",
    "Exchange, for a firm": """Od: Jan Kowalski <jan@example.com> W imieniu Firma
Wysłano: poniedziałek, 2 marca 2026 10:00
Do: biuro@sklep.example
DW: ewa@example.com
Temat: Uszkodzone buty
""",
}


@pytest.mark.parametrize("comment", ["", "Proszę się tym zająć.\n\n"])
@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_the_block_of_each_client_is_taken_apart(block, comment):
    mail = parse(a_mail(f"{comment}{block}\n{INNER}\n", Subject="PD: Uszkodzone buty"))
    assert mail.is_forward
    assert mail.forwarded is not None
    inner = mail.forwarded
    assert (inner.from_addr, inner.from_name) == ("jan@example.com", "Jan Kowalski")
    assert (inner.to, inner.cc) == (("biuro@sklep.example",), ("ewa@example.com",))
    assert (inner.subject, inner.complete) == ("Uszkodzone buty", True)
    assert inner.body.strip() == INNER
    assert mail.text.strip() == comment.strip()


def test_a_separator_is_enough_without_a_subject_prefix():
    assert parse(a_mail(BLOCKS["Gmail, Polish"] + INNER, Subject="Uszkodzone buty")).is_forward


@pytest.mark.parametrize(
    ("subject", "is_forward"), [("Odp: buty", False), ("buty", False), ("Fwd: buty", True)]
)
def test_a_copied_header_without_a_separator_is_a_forward_only_by_its_subject(subject, is_forward):
    block = BLOCKS["Outlook, Polish"].partition("\n")[2]
    assert (
        parse(a_mail(f"Zgadzam się.\n\n{block}\n{INNER}", Subject=subject)).is_forward is is_forward
    )


def test_an_answer_to_a_forward_is_no_forward():
    body = f"Dziękuję.\n\nW dniu 2.03.2026 o 12:00 Ewa <e@example.com> pisze:\n> {BLOCKS['Czech']}"
    assert not parse(a_mail(body, Subject="Re: Fwd: buty")).is_forward


def test_an_attribution_under_a_forward_subject_names_the_sender():
    body = f'Dnia 2.03.2026 o 10:00 "Jan Kowalski" <jan@example.com> napisał(a):\n\n{INNER}'
    mail = parse(a_mail(body, Subject="Fwd: Uszkodzone buty"))
    assert mail.forwarded is not None
    assert (mail.forwarded.from_addr, mail.forwarded.from_name) == (
        "jan@example.com",
        "Jan Kowalski",
    )
    assert (mail.forwarded.subject, mail.forwarded.complete) == ("Uszkodzone buty", False)


def test_a_header_with_a_name_only_has_no_address_and_is_not_complete():
    block = (
        "-----Original Message-----\nFrom: Jan\nSent: 2 March 2026 10:00\nTo: Ewa\nSubject: buty\n"
    )
    mail = parse(a_mail(f"{block}\n{INNER}", Subject="FW: buty"))
    assert mail.forwarded is not None
    assert (mail.forwarded.from_addr, mail.forwarded.from_name) == ("", "Jan")
    assert not mail.forwarded.complete


def test_an_attached_mail_is_a_forward_with_the_text_around_it():
    attached = a_part(a_mail(INNER, From="Jan <jan@example.com>"), "message/rfc822")
    mail = parse(a_multipart("mixed", a_part("Do rozpatrzenia."), attached))
    assert mail.forwarded is not None
    assert (mail.forwarded.from_addr, mail.forwarded.body) == ("jan@example.com", INNER)
    assert (mail.text, mail.forwarded.complete) == ("Do rozpatrzenia.", True)
    assert mail.attachments[0].name == "Reklamacja.eml"


def test_of_several_attached_mails_the_first_is_taken_and_a_person_has_a_look():
    jan, ewa = (
        a_part(a_mail(text, From=f"{name}@example.com"), "message/rfc822")
        for name, text in (("jan", INNER), ("ewa", "Szwy puszczają."))
    )
    mail = parse(a_multipart("mixed", a_part("Obie wiadomości."), jan, ewa, From=COLLEAGUE), SHOP)
    assert mail.forwarded is not None
    assert (mail.forwarded.from_addr, mail.forwarded.complete) == ("jan@example.com", False)
    assert (mail.auto_ack_ok, mail.text, len(mail.attachments)) == (False, "Obie wiadomości.", 2)


def test_a_mail_that_the_customer_had_attached_does_not_hide_the_customer():
    courier = a_part(a_mail("Doręczono.", From="info@kurier.example"), "message/rfc822")
    body = a_part(BLOCKS["Gmail, Polish"] + INNER)
    mail = parse(a_multipart("mixed", body, courier, From=COLLEAGUE, Subject="Fwd: buty"), SHOP)
    assert (mail.requester_addr, mail.auto_ack_ok) == ("jan@example.com", False)


# --- what is no forward --------------------------------------------------------------------------


def test_talk_about_forwarding_is_no_forward():
    body = f"Na ekranie był napis\n---------- Wiadomość przekazana dalej ----------\ni nic. {INNER}"
    assert not parse(a_mail(body)).is_forward


def test_a_title_alone_is_a_forward_when_the_subject_says_so():
    body = f"Zajmij się.\n---------- Wiadomość przekazana dalej ----------\n{INNER}"
    mail = parse(a_mail(body, From=COLLEAGUE, Subject="PD: buty"), SHOP)
    assert mail.forwarded is not None
    assert (mail.text, mail.forwarded.body) == ("Zajmij się.", INNER)
    assert (mail.requester_addr, mail.auto_ack_ok) == ("", False)


def test_a_title_in_a_sentence_does_not_hide_the_forward_below():
    body = f"Widziałam napis\n-- Forwarded message --\ni nic więcej.\n\n{BLOCKS['Czech']}\n{INNER}"
    mail = parse(a_mail(body))
    assert mail.forwarded is not None
    assert mail.forwarded.from_addr == "jan@example.com"


@pytest.mark.parametrize(
    ("sender", "fields"),
    [
        ("wordpress@sklep.example", "Od: Jan <jan@example.com>\nTemat: Buty\n"),
        ("formularz@sklep.example", "Od: jan@example.com\nData: 2.03.2026 10:00\nTemat: Buty\n"),
        ("no-reply@sklep.example", "Od: jan@example.com\nData: 2.03.2026 10:00\nTemat: Buty\n"),
    ],
)
def test_the_fields_of_a_form_are_no_forward(sender, fields):
    mail = parse(a_mail(f"{fields}\nTreść wiadomości:\n{INNER}\n", From=sender), SHOP)
    assert not mail.is_forward
    assert INNER in mail.text


# --- colleagues who reply, and colleagues who forward what colleagues forwarded ------------------


OUTLOOK = BLOCKS["Outlook, Polish"].partition("\n")[2]


@pytest.mark.parametrize(
    "block", [OUTLOOK, BLOCKS["Outlook, Polish"], BLOCKS["Outlook on the web"]]
)
def test_a_colleague_who_replies_to_the_shop_itself_hands_the_mail_on(block):
    body = f"Sprawdzisz to?\n\n{block}\n{INNER}"
    for headers in ({}, {"In_Reply_To": "<jan.1@example.com>"}):
        mail = parse(a_mail(body, From=COLLEAGUE, Subject="Odp: buty", **headers), SHOP)
        assert (mail.requester_addr, mail.text) == ("jan@example.com", "Sprawdzisz to?")
        assert (mail.is_forward, mail.kind, mail.auto_ack_ok) == (True, "person", True)


def test_a_quotation_with_an_attribution_sent_to_the_shop_itself_only_suggests_its_sender():
    body = f"Sprawdzisz?\n\nDnia 2.03.2026 10:00 Jan <jan@example.com> napisał(a):\n\n> {INNER}"
    mail = parse(a_mail(body, From=COLLEAGUE, Subject="Re: buty"), SHOP)
    assert (mail.requester_addr, mail.auto_ack_ok) == ("jan@example.com", False)


@pytest.mark.parametrize(
    ("sender", "to", "author"),
    [
        (COLLEAGUE, "jan@example.com, reklamacje@sklep.example", "jan@example.com"),
        (COLLEAGUE, "reklamacje@sklep.example", "ewa@sklep.example"),
        (COLLEAGUE, "reklamacje@sklep.example", "kasia.prywatnie@poczta.example"),
        ("anna@example.com", "reklamacje@sklep.example", "jan@example.com"),
    ],
)
def test_an_answer_to_somebody_is_no_forward(sender, to, author):
    body = f"Zgoda.\n\n{OUTLOOK.replace('jan@example.com', author)}\n{INNER}"
    assert not parse(a_mail(body, From=sender, To=to, Subject="Odp: buty"), SHOP).is_forward


def handed_on(body: str, *, by: str, to: str = "biuro@sklep.example", subject: str) -> str:
    """The body of a mail in which Outlook forwards ``body``."""
    return (
        f"Zajmiesz się?\n\nOd: {by}\nWysłano: wtorek, 3 marca 2026 08:00\nDo: {to}\n"
        f"Temat: {subject}\n\n{body}"
    )


FIRST = f"Do Was.\n\n{BLOCKS['Gmail, Polish']}\n{INNER}"


def test_the_customer_is_found_behind_a_colleague_who_handed_the_mail_on():
    body = handed_on(FIRST, by="Ewa <ewa@sklep.example>", subject="Fwd: buty")
    mail = parse(a_mail(body, From=COLLEAGUE, Subject="PD: buty"), SHOP)
    assert mail.forwarded is not None
    assert mail.forwarded.from_addr == "ewa@sklep.example"
    assert (mail.requester_addr, mail.auto_ack_ok) == ("jan@example.com", True)
    complaint = complaint_in(mail)
    assert (complaint.text, complaint.subject) == (INNER, "Uszkodzone buty")
    assert (complaint.requester_addr, complaint.requester_name) == (
        "jan@example.com",
        "Jan Kowalski",
    )


@pytest.mark.parametrize(("times", "found"), [(2, True), (3, True), (4, False)])
def test_forwards_inside_forwards_are_followed_three_deep(times, found):
    body = FIRST
    for _ in range(times - 1):
        body = handed_on(body, by="Ewa <ewa@sklep.example>", subject="Fwd: buty")
    body = handed_on(body, by="Ola <kasia.prywatnie@poczta.example>", subject="Fwd: buty")
    mail = parse(a_mail(body, From=COLLEAGUE, Subject="PD: buty"), SHOP)
    assert mail.forwarded is not None
    assert (mail.forwarded.origin is not None) is found


def test_the_mail_of_a_stranger_is_not_looked_into():
    body = handed_on(FIRST, by="Anna <anna@example.com>", subject="Fwd: buty")
    mail = parse(a_mail(body, From=COLLEAGUE, Subject="PD: buty"), SHOP)
    assert (mail.requester_addr, mail.auto_ack_ok) == ("anna@example.com", True)


def test_behind_a_mere_name_that_handed_a_mail_on_the_customer_is_only_suggested():
    body = handed_on(FIRST, by="Ewa Nowak", to="Kasia Lis", subject="PD: buty")
    mail = parse(a_mail(body, From=COLLEAGUE, Subject="PD: buty"), SHOP)
    assert (mail.requester_addr, mail.auto_ack_ok) == ("jan@example.com", False)
    named = handed_on(FIRST, by="Ewa Nowak", to="Kasia Lis", subject="buty")
    assert parse(a_mail(named, From=COLLEAGUE, Subject="PD: buty"), SHOP).requester_addr == ""


def test_the_customer_whom_a_colleague_had_answered_is_only_suggested():
    answered = f"Proszę o zdjęcia.\n\n{OUTLOOK}\n{INNER}"
    body = handed_on(answered, by="ewa@sklep.example", to="jan@example.com", subject="Odp: buty")
    mail = parse(a_mail(body, From=COLLEAGUE, Subject="PD: Odp: buty"), SHOP)
    assert (mail.requester_addr, mail.auto_ack_ok) == ("jan@example.com", False)
    assert complaint_in(mail).text == INNER


@pytest.mark.parametrize("attached_twice", [False, True])
def test_the_customer_is_found_in_the_attached_mail_of_a_colleague(attached_twice):
    customer = a_part(a_mail(INNER, From="Jan <jan@example.com>"), "message/rfc822")
    inner = a_mail(FIRST, From="ewa@sklep.example", Subject="Fwd: buty")
    if attached_twice:
        inner = a_multipart("mixed", a_part("x"), customer, From="ewa@sklep.example")
        inner = inner.replace(b"b1", b"b2")
    outer = a_multipart("mixed", a_part("Do Was."), a_part(inner, "message/rfc822"), From=COLLEAGUE)
    mail = parse(outer, SHOP)
    assert mail.forwarded is not None
    assert mail.forwarded.from_addr == "ewa@sklep.example"
    assert (mail.requester_addr, mail.auto_ack_ok) == ("jan@example.com", True)
    assert complaint_in(mail).text == INNER


# --- lines that programs wrap or add -------------------------------------------------------------


def test_a_subject_and_recipients_that_gmail_wrapped_are_whole():
    body = f"""---------- Forwarded message ---------
Od: Jan Kowalski <jan@example.com>
Date: pon., 2 mar 2026 o 10:00
Subject: Trzy z sześciu świec przyszły połamane - zamówienie NW-40817 złożone 2
października
To: Biuro Obsługi Klienta <biuro@sklep.example>, Dział Sprzedaży Hurtowej <
hurt@sklep.example>

{INNER}"""
    mail = parse(a_mail(body, Subject="Fwd: x"))
    assert mail.forwarded is not None
    assert mail.forwarded.subject.endswith("NW-40817 złożone 2 października")
    assert mail.forwarded.to == ("biuro@sklep.example", "hurt@sklep.example")
    assert mail.forwarded.body == INNER


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_wrapped_subject_at_the_end_goes_on_as_the_mails_own_subject_does(wrapped):
    begun = "Reklamacja butów trekkingowych Granit rozmiar 44 z zamówienia"
    block = f"Od: jan@example.com\nWysłano: 2 marca 2026 10:00\nDo: x@sklep.example\nTemat: {begun}"
    subject = f"PD: {begun} 2026/03/118877" if wrapped else f"PD: {begun}"
    mail = parse(a_mail(f"{block}\n2026/03/118877\n\n{INNER}", Subject=subject))
    assert mail.forwarded is not None
    assert mail.forwarded.subject == subject.removeprefix("PD: ")
    assert ("118877" in mail.forwarded.body) is not wrapped


def test_an_attribution_below_a_title_names_the_sender():
    body = f"""-------- Пересылаемое сообщение --------
02.03.2026, 10:00, "Jan Kowalski" <jan@example.com>:

{INNER}

-------- Конец пересылаемого сообщения --------
"""
    mail = parse(a_mail(body, Subject="Buty"))
    assert mail.forwarded is not None
    assert (mail.forwarded.from_addr, mail.forwarded.complete) == ("jan@example.com", False)
    assert mail.forwarded.body == INNER


def test_a_last_line_between_other_dashes_is_the_customers():
    body = f"{BLOCKS['WP']}\n{INNER}\n--- Jan ---"
    mail = parse(a_mail(body, Subject="Fwd: buty"))
    assert mail.forwarded is not None
    assert mail.forwarded.body == f"{INNER}\n--- Jan ---"


@pytest.mark.parametrize("subject", ["PD: buty", "Do rozmowy o 11"])
def test_words_between_dashes_above_a_header_are_its_title_in_any_language(subject):
    block = f"----- Välittänyt Ewa Nowak/Biuro -----\n\n{OUTLOOK}"
    mail = parse(a_mail(f"Zajmij się.\n\n{block}\n{INNER}", Subject=subject))
    assert (mail.is_forward, mail.text) == (True, "Zajmij się.")


@pytest.mark.parametrize(
    ("subject", "prefix"),
    [
        ("Fwd: x", "forward"),
        ("PD: Odp: x", "forward"),
        ("[Sklep] WG: x", "forward"),
        ("RE: Fwd: x", "reply"),
        ("Odp: x", "reply"),
        ("Re[2]: x", "reply"),
        ("Zwrot: zamówienie 123", ""),
        ("Reklamacja", ""),
    ],
)
def test_the_first_subject_prefix_counts(subject, prefix):
    assert subject_prefix(subject) == prefix
