import pytest

from triage.entities import amounts, extract, order_numbers, remedy, tracking_numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("nr zamówienia WT/8831/25.", "WT/8831/25"),
        ("(zam. 20418)", "20418"),
        ("zamówienie nr 5520/2025", "5520/2025"),
        ("Order SG-20881.", "SG-20881"),
        ("order no. 33-18820", "33-18820"),
        ("Bestellnummer DE-44871-B", "DE-44871-B"),
        ("obj. č. 250118", "250118"),
        ("Замовлення № 118-44092", "118-44092"),
    ],
)
def test_an_order_number_stands_behind_its_word(text, number):
    assert order_numbers(text) == (number,)


@pytest.mark.parametrize(
    "text",
    [
        "Zamówienie z 4 lipca",
        "zamówienie 12.03.2025",
        "zamówienie 299 zł",
        "telefon 500 000 001",
        "zamówienie na dwie lampy",
    ],
)
def test_dates_sums_and_phones_are_no_order_numbers(text):
    assert order_numbers(text) == ()


def test_a_tracking_number_has_a_word_or_a_form_of_its_own():
    assert tracking_numbers("Przesyłka 520113490087654 nie dotarła") == ("520113490087654",)
    assert tracking_numbers("numer RR123456785PL") == ("RR123456785PL",)
    assert tracking_numbers("zadzwoń: 500000001") == ()


def test_amounts_are_given_as_written():
    text = "349 zl, 2 399,00 zł, €1,640, EUR 24.90, 1 200 Kč, 450 грн i 12 sztuk"
    assert amounts(text) == ("349 zl", "2 399,00 zł", "€1,640", "EUR 24.90", "1 200 Kč", "450 грн")


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("Proszę o zwrot pieniędzy", "refund"),
        ("Proszę o wymianę albo zwrot pieniędzy", "replacement"),
        ("I want my money back", "refund"),
        ("Proszę o naprawę", "repair"),
        ("Ich bitte um Ersatz", "replacement"),
        ("Gdzie jest moja paczka?", "information"),
        ("Kupiłam u was wazon.", "none"),
    ],
)
def test_the_first_named_wish_counts(text, wish):
    assert remedy(text) == wish


def test_json_has_the_keys_of_the_contract():
    found = extract("zam. 20418, 349 zł, proszę o zwrot pieniędzy").as_json()
    assert found == {
        "order_numbers": ["20418"],
        "tracking_numbers": [],
        "amounts": ["349 zł"],
        "products": [],
        "remedy": "refund",
    }
