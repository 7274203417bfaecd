"""The language of short mails."""

import pytest

from triage.language import detect


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("gdzie moja paczka", "pl"),
        ("Gdzie jest moja paczka?", "pl"),
        ("prosze o zwrot pieniedzy", "pl"),
        ("nie dziala", "pl"),
        ("Paczka nie dotarla od tygodnia", "pl"),
        ("kurier zgubil przesylke", "pl"),
        ("Reklamacja zamówienia 123", "pl"),
        ("REKLAMACJA! Buty są za małe.", "pl"),
        ("Where is my parcel?", "en"),
        ("I want my money back", "en"),
        ("Wo ist mein Paket?", "de"),
        ("Ich habe die Ware nicht erhalten", "de"),
        ("Kde je moje zásilka?", "cs"),
        ("kde je muj balik", "cs"),
        ("Zboží přišlo rozbité", "cs"),
        ("Де моя посилка?", "uk"),
        ("Доброго дня, товар прийшов зламаний", "uk"),
        ("Где моя посылка?", None),
        ("Kde je moja zásielka?", None),
        ("Où est mon colis?", None),
        ("OK", None),
        ("", None),
        ("123 456 789", None),
        ("https://sklep.example/moja/paczka jan@example.com", None),
    ],
)
def test_a_short_mail_is_recognised(text, language):
    assert detect(text) == language


def test_the_language_of_most_words_wins():
    text = "Dzień dobry, zamówienie nie dotarło, proszę o pomoc. Order status: shipped."
    assert detect(text) == "pl"
