import pytest

from triage.tracking import (
    dhl_express_valid,
    dpd_valid,
    fedex_valid,
    gs1_valid,
    has_form,
    s10_valid,
    tracking_numbers,
    ups_valid,
)


@pytest.mark.parametrize(
    ("valid", "number"),
    [
        (s10_valid, "RR473124829GB"),
        (s10_valid, "RB123456785GB"),
        (gs1_valid, "00590077320344609287"),
        (gs1_valid, "041441760228964"),
        (ups_valid, "1Z5R89390357567127"),
        (ups_valid, "1Z879E930346834440"),
        (fedex_valid, "986578788855"),
        (fedex_valid, "477179081230"),
        (dhl_express_valid, "3318810025"),
        (dpd_valid, "008182709980000020033350276C"),
    ],
)
def test_a_published_number_checks_and_a_mistyped_one_does_not(valid, number):
    place = 8 if number[8].isdigit() else 7
    mistyped = f"{number[:place]}{(int(number[place]) + 1) % 10}{number[place + 1 :]}"
    assert valid(number)
    assert not valid(mistyped)


@pytest.mark.parametrize(
    "number",
    [
        "620999123450011234567890",
        "6806 5467 9554 6669 5909 9710",
        "(00) 590077320344609287",
        "0059 0077 3203 4460 9287",
        "00340434161094027318",
        "JJD0002255071990044",
        "1Z 5R8 939 03 5756 712 7",
        "Z 482 1190 337",
        "1000626473912K",
        "RR 473 124 829 GB",
        "2045 1796 628 923",
    ],
)
def test_a_form_of_its_own_needs_no_word(number):
    assert has_form(number)
    assert tracking_numbers(f"Dzień dobry, {number}.") == (number,)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Przesyłka 520113490087654 nie dotarła", "520113490087654"),
        ("przesyłka GLS 75834258479, proszę odkryć", "75834258479"),
        ("Paczka nr 6210 4478 0031 9.", "6210 4478 0031 9"),
        ("list przewozowy 13159400771203", "13159400771203"),
        ("numer DHL Express 6043909502, w systemie", "6043909502"),
        ("Parcel H02 4471 9936 arrived", "H02 4471 9936"),
        ("Das Paket (09445561230087) enthielt", "09445561230087"),
        ("podle PPL balík 40390127766 převzal", "40390127766"),
        ("ТТН 59001120045877", "59001120045877"),
        ("zam. 30077, GLS 65951990103", "65951990103"),
        ("Kurier FedEx milczy. Nr 417609692913", "417609692913"),
    ],
)
def test_what_could_be_something_else_needs_a_word_for_a_parcel(text, number):
    assert tracking_numbers(text) == (number,)


@pytest.mark.parametrize(
    "text",
    [
        "zadzwoń: 500000001",
        "kurier 601 234 567 nie odbiera",
        "kurier, tel. +48 601 234 567",
        "paczka, kontakt 48 601 234 567",
        "numer 75834258479",
        "paczki nie ma, zamówienie 13159400771",
        "paczka wróciła, konto PL61109010140000071219812874",
        "paczka wróciła, konto 61 1090 1014 0000 0712 1981 2874",
        "paczka dla firmy, NIP 5252341234",
        "paczka z 12-03-2025",
        "wysłane 2025-03-12, paczka za 1 299 zł",
        "RR473124828GB",
    ],
)
def test_telephones_accounts_and_orders_are_no_parcels(text):
    assert tracking_numbers(text) == ()


def test_each_number_once_in_the_order_of_the_text():
    text = "Paczka Z2380235245 i paczka Z0596416591, powtarzam Z2380235245"
    assert tracking_numbers(text) == ("Z2380235245", "Z0596416591")


def test_a_count_behind_the_number_is_no_part_of_it():
    assert tracking_numbers("list 13159400771203 2 kartony") == ("13159400771203",)
