"""The customer's words in the mail of a marketplace."""

import pytest

from tests.unit.worker.mails import a_mail
from worker.mime import KnownAddresses, parse

KNOWN = KnownAddresses(own_domains=("sklep.example",), relays=("market.example",))
BUYER = "x8s7@market.example"
WORDS = "Czajnik nie działa.\n\nKto płaci za kuriera?"

RELAYED = {
    "between begin and end": (
        "Zamówienie nr 000-1\n\n------------- Początek wiadomości -------------\n\n"
        f"{WORDS}\n\n------------- Koniec wiadomości -------------\n\n"
        "Prawa autorskie 2026 Market.\n",
        f"Zamówienie nr 000-1\n\n{WORDS}",
    ),
    "in English": (
        f"--- Begin message ---\n{WORDS}\n--- End message ---\nCopyright Market\n",
        WORDS,
    ),
    "a ruled footer": (
        f"{WORDS}\n\n--------------------\nWiadomość została wysłana przez Kupującego: jan\n"
        "Adres wygaśnie po transakcji.\n",
        WORDS,
    ),
    "a footer that names the order": (
        f"{WORDS}\n_______________\n\nYou can reply to this email.\nOrder number: M-20418\n",
        f"{WORDS}\n\nOrder number: M-20418",
    ),
    "a line to answer above": (
        f"{WORDS}\n\n--- Odpisz powyżej tej linii. Wiadomość przekazana przez Market ---\n\n"
        "W dniu 2026-06-01 o 14:22, Sklep napisał(a):\n> Wysłaliśmy.\n",
        WORDS,
    ),
    "a begin without an end": (
        f"--- Begin message ---\n{WORDS}",
        f"--- Begin message ---\n{WORDS}",
    ),
    "a rule of the customer's": (
        f"{WORDS}\n----------\nModel: X1\nOdpowiedzcie.",
        f"{WORDS}\n----------\nModel: X1\nOdpowiedzcie.",
    ),
    "an end in the message": (
        f"--- Begin message ---\n{WORDS}\n--- End message ---\nTak napisałem.\n"
        "--- End message ---\nCopyright",
        f"{WORDS}\n--- End message ---\nTak napisałem.",
    ),
}


@pytest.mark.parametrize(("body", "text"), RELAYED.values(), ids=RELAYED)
def test_what_a_marketplace_adds_is_left_out(body, text):
    mail = parse(a_mail(body, From=BUYER), KNOWN)
    assert (mail.text, mail.requester_addr, mail.requester_source) == (text, BUYER, "relay")
    assert not mail.is_forward


def test_anybody_elses_mail_keeps_such_lines():
    body = RELAYED["a ruled footer"][0]
    assert parse(a_mail(body), KNOWN).text == body.strip()


def test_a_relayed_mail_with_list_fields_is_a_persons_and_answered():
    raw = a_mail(
        WORDS, From=BUYER, List_Unsubscribe="<https://a.example>", Return_Path="<bounces@a.example>"
    )
    mail = parse(raw, KNOWN)
    assert (mail.kind, mail.auto_ack_ok) == ("person", True)


@pytest.mark.parametrize("local", ["no-reply", "noreply", "notifications"])
def test_a_notice_of_the_marketplace_itself_is_not_answered(local):
    mail = parse(a_mail("Faktura", From=f"{local}@market.example"), KNOWN)
    assert (mail.kind, mail.auto_ack_ok) == ("person", False)
    assert mail.no_ack_reason.startswith("B-M8: ")


def test_an_address_in_a_relayed_body_gets_nothing():
    mail = parse(a_mail("Mój adres: jan@example.com\nE-mail: jan@example.com", From=BUYER), KNOWN)
    assert mail.requester_addr == BUYER
