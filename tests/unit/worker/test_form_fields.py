"""The fields of a contact form: who wrote it, and what of the mail is the customer's."""

import time

import pytest

from tests.unit.worker.mails import a_mail
from triage.entities import order_numbers
from worker.complaint import complaint_in
from worker.form_fields import field_of, form_fields
from worker.mime import KnownAddresses, parse

SHOP = KnownAddresses(
    own_domains=("sklep.example",),
    own_addresses=("sklep@sklep.example",),
    contact_forms=("formularz@sklep.example", "sklep@sklep.example", "mailer@builder.example"),
)
MESSAGE = "Buty rozkleiły się po tygodniu.\n\nProszę o zwrot pieniędzy.\nJan"


def a_form(body: str, **headers: str | None) -> bytes:
    return a_mail(body, **{"From": "Sklep <formularz@sklep.example>", **headers})


def fields(body: str):
    return form_fields(body.split("\n"))


LABELS = {
    "E-mail": "email",
    "Adres e-mail *": "email",
    "Twój e-mail (wymagane)": "email",
    "Email address": "email",
    "Your E-Mail": "email",
    "E-Mail-Adresse": "email",
    "Ihre E-Mail-Adresse": "email",
    "Váš e-mail": "email",
    "Електронна пошта": "email",
    "Adres e-mail klienta": "email",
    "Imię i nazwisko konsumenta": "name",
    "Imie i nazwisko": "name",
    "Jméno a příjmení": "name",
    "Ім’я та прізвище": "name",
    "Opis klienta": "message",
    "Twoja wiadomość": "message",
    "Ihre Nachricht": "message",
    "Text zprávy": "message",
    "Ваше повідомлення": "message",
    "W czym możemy pomóc?": "message",
    "Nr zamówienia": "order",
    "Bestellnummer": "order",
    "Adres IP nadawcy": "technical",
    "Zgoda RODO": "consent",
    "Dzień dobry": "",
    "Twój": "",
}


@pytest.mark.parametrize(("label", "field"), LABELS.items(), ids=LABELS)
def test_a_label_is_known_whatever_stands_around_it(label, field):
    assert field_of(label) == field


LAYOUTS = {
    "on one line": f"Imię: Jan Nowak\nE-mail: jan@example.com\nWiadomość: {MESSAGE}",
    "message below its label": (
        f"Imię: Jan Nowak\nE-mail: jan@example.com\n\nWiadomość:\n{MESSAGE}"
    ),
    "values on the next line": (
        f"Imię:\nJan Nowak\n\nE-mail:\njan@example.com\n\nWiadomość:\n{MESSAGE}"
    ),
    "labels without colon, values below": (
        "Imię i nazwisko\n\nJan Nowak\n\nE-mail\n\njan@example.com\n\nTelefon\n\n"
        f"Wiadomość\n{MESSAGE}"
    ),
    "labels without colon": f"Imię Jan Nowak\nE-mail jan@example.com\nWiadomość {MESSAGE}",
    "tabs": f"Imię\tJan Nowak\nE-mail\tjan@example.com\nWiadomość\t{MESSAGE}",
    "dot leaders": f"Imię.....: Jan Nowak\nE-mail...: jan@example.com\nOpis.....: {MESSAGE}",
    "bold": f"**Imię:** Jan Nowak\n**E-mail:** jan@example.com\n**Wiadomość:**\n{MESSAGE}",
    "halves of a name": (
        f"Imię: Jan\nNazwisko: Nowak\nE-mail: jan@example.com\nWiadomość:\n{MESSAGE}"
    ),
    "sender and address": f"Od: Jan Nowak <jan@example.com>\n\nTreść wiadomości:\n{MESSAGE}",
    "message above": f"Wiadomość: {MESSAGE}\n\nImię: Jan Nowak\nE-mail: jan@example.com",
    "English": f"From: Jan Nowak <jan@example.com>\n\nMessage Body:\n{MESSAGE}",
    "German": f"Vorname: Jan\nNachname: Nowak\nE-Mail: jan@example.com\nIhre Nachricht:\n{MESSAGE}",
    "Czech": f"Jméno a příjmení: Jan Nowak\nVáš e-mail: jan@example.com\nZpráva: {MESSAGE}",
    "Ukrainian": f"Ім'я: Jan Nowak\nЕлектронна пошта: jan@example.com\nПовідомлення:\n{MESSAGE}",
}


@pytest.mark.parametrize("body", LAYOUTS.values(), ids=LAYOUTS)
def test_a_form_is_read_field_by_field(body):
    form = fields(body)
    assert (form.addrs, form.name, form.message) == (("jan@example.com",), "Jan Nowak", MESSAGE)
    assert form.text("jan@example.com") == MESSAGE


def test_cells_of_a_table_are_fields():
    rows = "".join(
        f"<tr><td><b>{label}</b></td><td>{value}</td></tr>"
        for label, value in (
            ("Imię", "Jan"),
            ("E-mail", "jan@example.com"),
            ("Produkt", "Buty"),
            ("Wiadomość", "Rozkleiły się." + " Naprawdę." * 100 + "<br>Proszę o zwrot."),
        )
    )
    raw = a_form(f"<table>{rows}</table>", Content_Type="text/html; charset=utf-8")
    mail = parse(raw, SHOP)
    assert mail.requester_addr == "jan@example.com"
    assert mail.text == (
        "Produkt Buty\n\nRozkleiły się." + " Naprawdę." * 100 + "\nProszę o zwrot."
    )


def test_other_fields_stay_above_the_message_so_that_order_numbers_are_found():
    body = (
        "Imię: Jan\nE-mail: jan@example.com\nTelefon: 500 100 100\nNumer zamówienia: SK-20418\n"
        "Kolor sznurówek: zielone\nFaks:\nWiadomość: Buty się rozkleiły.\n\nProdukt: Kozaki\n"
    )
    text = fields(body).text("jan@example.com")
    assert text == (
        "Telefon: 500 100 100\nNumer zamówienia: SK-20418\nKolor sznurówek: zielone\nFaks:\n"
        "Produkt: Kozaki\n\nButy się rozkleiły."
    )
    assert order_numbers(text) == ("SK-20418",)


CHROME = {
    "addresses and browsers": "Adres IP: 192.0.2.1\nUser Agent: Mozilla/5.0",
    "a ruled block": "---\nData: 2 marca 2026\nCzas: 11:15\nAdres URL strony: https://a.example/\n"
    "Zdalny adres IP: 192.0.2.1\nObsługiwane przez: Elementor",
    "a consent": "Zgoda RODO: TAK",
    "a wrapped consent": "Wyrażam zgodę na przetwarzanie moich danych osobowych w celu obsługi\n"
    "zgłoszenia.",
    "a footer": "-- \nTen e-mail został wysłany z formularza kontaktowego na stronie Sklep",
    "a wrapped footer": "-- \nThis e-mail was sent from a contact form on the pages of our little\n"
    "shop (https://sklep.example)",
    "a panel": "Aby obsłużyć zgłoszenie, przejdź do panelu:\nhttps://sklep.example/panel/7",
    "a maker": "Sklep [https://sklep.example/] powered by PrestaShop(tm)\n[https://www.prestashop.com/]",
    "several on a line": "Lokalizacja: PL · Przeglądarka: Safari · Czat",
    "Czech": "IP adresa: 192.0.2.1\nTento e-mail byl odeslán z formuláře",
}


@pytest.mark.parametrize("chrome", CHROME.values(), ids=CHROME)
def test_what_the_form_adds_is_left_out(chrome):
    head = "Otrzymałeś wiadomość wysłaną z formularza\n\nImię: Jan\nE-mail: jan@example.com\n"
    form = fields(f"{head}IP: 192.0.2.1\n\nWiadomość:\n{MESSAGE}\n\n{chrome}\n")
    assert form.text("jan@example.com") == MESSAGE


TRICKY = [
    "Od: początku było źle",
    "Od: Ewa <ewa@example.com>\nTemat: buty\nWysłano: wczoraj",
    "E-mail: ewa@example.com",
    "E-mail\newa@example.com",
    "Imię: Ewa",
    "Adres IP: 192.0.2.7",
    "Zgoda: nie wyrażam",
    "Telefon nie działa",
    "---",
    "-- \nEwa",
    "Wiadomość: druga",
    "> cytat",
    "W dniu 2 marca 2026 Sklep napisał:",
    "---------- Forwarded message ----------\nFrom: Ewa <ewa@example.com>",
    "https://zdjecia.example/1",
    "Wysłane z opóźnieniem",
]


@pytest.mark.parametrize("line", TRICKY)
def test_a_line_in_the_midst_of_a_message_is_the_customers(line):
    message = f"Buty rozkleiły się.\n{line}\nProszę o zwrot pieniędzy."
    mail = parse(
        a_form(f"Imię: Jan\nE-mail: jan@example.com\nWiadomość:\n{message}\n\nIP: 192.0.2.1\n"),
        SHOP,
    )
    assert (mail.requester_addr, mail.text, mail.is_forward) == ("jan@example.com", message, False)


@pytest.mark.parametrize(
    "line", ["Telefon: 500", "E-mail: ewa@example.com", "Imię: Ewa", "https://a.example/1"]
)
def test_a_line_at_the_end_of_a_message_is_not_lost(line):
    form = fields(f"Imię: Jan\nE-mail: jan@example.com\nWiadomość: Buty rozkleiły się.\n{line}")
    assert form.addrs == ("jan@example.com",)
    assert line in form.text("jan@example.com").split("\n")


UNKNOWN = {
    "no message field": "Imię: Jan\nE-mail: jan@example.com\nCo zrobić: oddać\n\nButy.\n-- \nJan",
    "no field": "Dzień dobry,\nbuty rozkleiły się.\n\n-- \nJan",
    "all on one line": "Imię: Jan E-mail: jan@example.com Wiadomość: Buty.",
    "a message field alone": "Dzień dobry\nUwagi: buty\nE-poczta: jan@example.com",
    "history": "Dzień dobry\n\nW dniu 2 marca 2026 Sklep napisał:\n> kup buty",
}


@pytest.mark.parametrize("body", UNKNOWN.values(), ids=UNKNOWN)
def test_a_form_that_is_not_recognised_keeps_its_whole_text(body):
    assert parse(a_form(body), SHOP).text == body


def test_a_form_too_long_to_be_one_keeps_its_whole_text():
    body = "Imię: Jan\nE-mail: jan@example.com\nWiadomość: Buty\n" + "a\n" * 20_000
    assert parse(a_form(body), SHOP).text == body.strip()


ADDRESSES = {
    "one": ("jan@example.com", "E-mail: Jan@Example.COM"),
    "one with a link": ("jan@example.com", "E-mail: jan@example.com <mailto:jan@example.com>"),
    "one twice": ("jan@example.com", "E-mail: jan@example.com\nPowtórz: x\nEmail: jan@example.com"),
    "the shop's beside it": ("jan@example.com", "E-mail: jan@example.com\nEmail: a@sklep.example"),
    "two in a field": ("", "E-mail: jan@example.com, ewa@example.com"),
    "two fields": ("", "E-mail: jan@example.com\nTwój e-mail: ewa@example.com"),
    "no sign": ("", "E-mail: jan.example.com"),
    "no dot": ("", "E-mail: jan@example"),
    "spaces": ("", "E-mail: jan @ example.com"),
    "the shop's": ("", "E-mail: sklep@sklep.example"),
    "another form's": ("", "E-mail: mailer@builder.example"),
    "none": ("", "Telefon: 500 100 100"),
}


@pytest.mark.parametrize(("addr", "line"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_e_mail_field_must_name_exactly_one_stranger(addr, line):
    mail = parse(a_form(f"Imię: Jan\n{line}\nWiadomość: Buty."), SHOP)
    assert (mail.requester_addr, mail.auto_ack_ok) == (addr, bool(addr))
    assert mail.requester_source == ("form" if addr else "none")
    assert mail.kind == "person"


def test_an_address_that_is_not_the_requesters_stays_in_the_text():
    body = "Imię: Jan\nE-mail: jan@exampel.com\nWiadomość: Buty."
    mail = parse(a_form(body, Reply_To="jan@example.com"), SHOP)
    assert (mail.requester_addr, mail.requester_name) == ("jan@example.com", "Jan")
    assert mail.text == "E-mail: jan@exampel.com\n\nButy."


REPLY_TO = {
    "a stranger's": ("ewa@example.com", "Ewa <ewa@example.com>"),
    "the shop's": ("jan@example.com", "sklep@sklep.example"),
    "in the shop's domain": ("jan@example.com", "biuro@sklep.example"),
    "the form's own": ("jan@example.com", "mailer@builder.example"),
    "misspelt": ("jan@example.com", "jan.example.com"),
    "without a dot": ("jan@example.com", "jan@example"),
    "two": ("jan@example.com", "ewa@example.com, ola@example.com"),
}


@pytest.mark.parametrize(("addr", "reply_to"), REPLY_TO.values(), ids=REPLY_TO)
def test_reply_to_comes_before_the_field_if_it_names_one_stranger(addr, reply_to):
    body = "E-mail: jan@example.com\nWiadomość: Buty."
    mail = parse(a_form(body, Reply_To=reply_to, From="mailer@builder.example"), SHOP)
    assert (mail.requester_addr, mail.requester_source, mail.auto_ack_ok) == (addr, "form", True)


def test_the_ticket_of_a_form_has_the_customers_name_and_language():
    body = "Imię: Mary Smith\nE-mail: mary@example.com\nWiadomość: The shoes fell apart, refund me."
    complaint = complaint_in(parse(a_form(body), SHOP))
    assert (complaint.requester_name, complaint.requester_status) == ("Mary Smith", "known")
    assert complaint.language == "en"


def test_an_answer_from_the_address_of_a_form_is_no_form():
    history = "> E-mail: jan@example.com\n> Imię: Jan"
    body = f"Dziękujemy.\n\nW dniu 2 marca 2026 Formularz napisał:\n{history}"
    mail = parse(a_form(body, In_Reply_To="<1@sklep.example>", Subject="Re: Formularz"), SHOP)
    assert (mail.text, mail.requester_addr, mail.auto_ack_ok) == ("Dziękujemy.", "", False)


FORWARD = (
    "---------- Forwarded message ---------\nFrom: Jan <jan@example.com>\n"
    "Date: Mon, 2 Mar 2026\nSubject: Buty\nTo: <sklep@sklep.example>\n\nButy są uszkodzone.\n"
)


def test_what_people_forward_from_the_address_of_a_form_is_a_forward():
    raw = a_mail(FORWARD, From="sklep@sklep.example", Subject="Fwd: Buty")
    mail = parse(raw, SHOP)
    assert (mail.requester_source, mail.requester_addr) == ("forward", "jan@example.com")


def test_what_a_customer_pastes_into_a_form_is_no_forward():
    raw = a_form(FORWARD, Subject="Fwd: Buty", Reply_To="ewa@example.com")
    mail = parse(raw, SHOP)
    assert (mail.requester_source, mail.requester_addr) == ("form", "ewa@example.com")
    assert not mail.is_forward
    assert mail.text == FORWARD.strip()


def test_a_form_marked_as_a_list_is_a_persons():
    raw = a_form("E-mail: jan@example.com\nWiadomość: Buty", List_Unsubscribe="<https://a.example>")
    mail = parse(raw, SHOP)
    assert (mail.kind, mail.auto_ack_ok) == ("person", True)


def test_the_time_is_linear_in_the_lines():
    lines = ["Opis: a", "Telefon: 5", "Wyrażam zgodę na przetwarzanie", "https://a.example"] * 2500
    began = time.perf_counter()
    form_fields(lines)
    half = time.perf_counter() - began
    began = time.perf_counter()
    form_fields(lines * 2)
    assert time.perf_counter() - began < 5 * half + 0.5
