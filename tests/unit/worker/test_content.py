"""Which of the alternatives that say the same is read."""

import pytest

from tests.unit.worker.mails import a_multipart, a_part
from worker.mime import parse

HTML = "<p>Trzecia rolka ma zupełnie inny odcień zieleni niż dwie pierwsze. Ile mam czekać?</p>" * 5

STUBS = [
    "Twój klient poczty nie obsługuje HTML.",
    "Aby zobaczyc te wiadomosc, uzyj klienta poczty zgodnego z HTML.",
    "This message requires an HTML capable client",
    "Please view this email in your browser: https://a.example/view?id=12345",
    "Ihr E-Mail-Programm kann diese Nachricht nicht anzeigen.",
    "Váš poštovní klient nezobrazuje tuto zprávu.",
]


@pytest.mark.parametrize("stub", STUBS)
def test_a_plain_part_that_only_points_to_the_html_is_not_read(stub):
    raw = a_multipart("alternative", a_part(stub), a_part(HTML, "text/html; charset=utf-8"))
    mail = parse(raw)
    assert mail.text.startswith("Trzecia rolka")
    assert stub not in mail.body
    assert mail.attachments == ()


PLAIN = [
    "Trzecia rolka ma inny odcień.",
    "Sklep nie działa w mojej przeglądarce." * 10,
]


@pytest.mark.parametrize("plain", PLAIN, ids=["no such word", "long"])
def test_any_other_plain_part_is_read(plain):
    raw = a_multipart("alternative", a_part(plain), a_part(HTML, "text/html; charset=utf-8"))
    assert parse(raw).text == plain


def test_a_plain_part_that_the_html_repeats_is_read():
    plain = "Sklep nie działa w mojej przeglądarce."
    html = f"<div>Sklep nie działa w mojej <b>przeglądarce.</b></div>{HTML}"
    raw = a_multipart("alternative", a_part(plain), a_part(html, "text/html; charset=utf-8"))
    assert parse(raw).text == plain


def test_a_stub_beside_nothing_is_read():
    plain = "This message requires an HTML capable client"
    raw = a_multipart("alternative", a_part(plain), a_part("<p>x</p>", "text/html; charset=utf-8"))
    assert parse(raw).text == plain
