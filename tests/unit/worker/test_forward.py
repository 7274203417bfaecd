"""Mail that was handed on: recognised from the body, taken apart, told from answers."""

import pytest

from tests.unit.worker.mails import a_mail, a_multipart, a_part
from worker.forward import subject_prefix
from worker.mime import parse

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


def test_two_attached_mails_are_no_single_forward():
    attached = a_part(a_mail(INNER), "message/rfc822")
    assert not parse(a_multipart("mixed", a_part("x"), attached, attached)).is_forward


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
