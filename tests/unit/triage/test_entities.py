import json
import re
import time
import tomllib
from pathlib import Path

import pytest

from triage import entities
from triage.entities import amounts, dates, extract, order_numbers, products, remedy


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("nr zamówienia WT/8831/25.", "WT/8831/25"),
        ("(zam. 20418)", "20418"),
        ("zamówienie nr 5520/2025", "5520/2025"),
        ("zamówienie KR 1190", "KR 1190"),
        ("Zam. 7 700 431", "7 700 431"),
        ("Zamówienie 88-1207 złożone przed chwilą", "88-1207"),
        ("zamowienie z dnia 2.11.2025 nr 112/11/25, odebrane", "112/11/25"),
        ("Nr zamówienia: DK/12.", "DK/12"),
        ("Order SG-20881.", "SG-20881"),
        ("order no. 33-18820", "33-18820"),
        ("Bestellnummer DE-44871-B", "DE-44871-B"),
        ("Auftrag B 7718. Ute", "B 7718"),
        ("obj. č. 250118", "250118"),
        ("Замовлення № 118-44092", "118-44092"),
        ("замовлення №70418", "70418"),
    ],
)
def test_an_order_number_stands_behind_its_word(text, number):
    assert order_numbers(text) == (number,)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Prosze o wymiane, nr 61100924, lakiery", "61100924"),
        ("Plecak (ZK-1190/25) pękł", "ZK-1190/25"),
        ("Kiedy wymiana?\nGIP/1188 Jurand", "GIP/1188"),
    ],
)
def test_without_such_a_word_a_number_or_a_code_alone_will_do(text, number):
    assert order_numbers(text) == (number,)
    assert order_numbers(f"{text}\nzam. 20418") == ("20418",)


@pytest.mark.parametrize(
    "text",
    [
        "Zamówienie z 4 lipca",
        "zamówienie 12.03.2025",
        "zamówienie 299 zł",
        "zamówienie 1 299 zł",
        "telefon 500 000 001",
        "zamówienie na dwie lampy",
        "faktura nr FV/889/02/2026",
        "reklamacja nr RK-0550",
        "Szkoła Podstawowa nr 1123",
        "zamówienie JJD433816628188528659",
        "paczka nr 6210 4478 0031 9",
        "nr telefonu 500000001",
        "mieszkam: Kamień 36-05",
    ],
)
def test_dates_sums_phones_parcels_and_cases_are_no_order_numbers(text):
    assert order_numbers(text) == ()


def test_amounts_are_given_as_written():
    text = "349 zl, 2 399,00 zł, €1,640, EUR 24.90, 1 200 Kč, 450 грн, 164 зл i 12 sztuk"
    assert amounts(text) == (
        "349 zl",
        "2 399,00 zł",
        "€1,640",
        "EUR 24.90",
        "1 200 Kč",
        "450 грн",
        "164 зл",
    )


@pytest.mark.parametrize(
    "day",
    [
        "12.03.2025",
        "2025-03-12",
        "3/11/2025",
        "4 lipca",
        "4 lipca 2025",
        "2 pazdziernika",
        "March 3rd, 2025",
        "3 June",
        "14. März",
        "14. března",
        "14 березня",
    ],
)
def test_a_date_is_given_as_written(day):
    assert dates(f"Odebrane {day}, działa") == (day,)
    assert dates(f"{day}. I znowu {day}.") == (day,)


@pytest.mark.parametrize(
    "text", ["wersja 12.03", "nr 112/11/25/4", "o 12:30", "15.99 zł", "we wtorek", "35.13.2025"]
)
def test_numbers_times_and_weekdays_are_no_dates(text):
    assert dates(text) == ()


def test_a_day_and_a_month_in_figures_need_a_preposition():
    assert dates("kupione w dniu 12.03, zwrot") == ("12.03",)


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("\nZamówiłam u was czajnik elektryczny Zelmer w maju", "czajnik elektryczny Zelmer"),
        ("Problem\nkupilem wczoraj dwa fotele", "fotele"),
        ("plecak\nW plecaku puściło szycie", "plecak"),
        ("Problem\nI bought the glass kettle from you", "glass kettle"),
        ("Wasserkocher\nDer Wasserkocher ist defekt", "Wasserkocher"),
        ("Problém\nObjednala jsem lněné utěrky v barvě režná", "lněné utěrky"),
        ("Проблема\nКупила у вас електром'ясорубку на початку осені", "електром'ясорубку"),
        ("Problem\nW środku był laptop za 4 199 zł", "laptop"),
    ],
)
def test_a_product_is_what_was_bought_complained_of_or_priced(text, product):
    assert products(text) == (product,)


@pytest.mark.parametrize(
    "text",
    [
        "Gdzie moja paczka?\nPaczka nie dotarła",
        "Zwrot pieniędzy\nProszę o zwrot pieniędzy",
        "Zamówienie 20418\nKiedy wyślecie zamówienie?",
        "Faktura\nProszę o fakturę",
        "\nhalo jest tam kto?",
        "Kupione\nKupiłam w marcu",
    ],
)
def test_parcels_money_and_months_are_no_products(text):
    assert products(text) == ()


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("Proszę o zwrot pieniędzy", "refund"),
        ("Proszę o wymianę albo zwrot pieniędzy", "replacement"),
        ("Wolałabym zwrot pieniędzy niż drugą sztukę.", "refund"),
        ("Nie chcę wymiany, oddajcie 349 zł", "refund"),
        ("odstępuję od umowy", "refund"),
        ("I want my money back", "refund"),
        ("I'd like my £87.95 back", "refund"),
        ("Bitte erstatten Sie mir die 149,90 EUR", "refund"),
        ("Žádám zpět peníze", "refund"),
        ("прошу повернути кошти", "refund"),
        ("Doślijcie proszę brakującą nogę", "replacement"),
        ("Could you please send a new one?", "replacement"),
        ("Ich bitte um Ersatz", "replacement"),
        ("prosím o výměnu", "replacement"),
        ("Надішліть, будь ласка, ще одне відро", "replacement"),
        ("Proszę o naprawę", "repair"),
        ("Bitte reparieren Sie das Gerät", "repair"),
        ("Поремонтуйте, будь ласка", "repair"),
        ("Oddajcie połowę ceny", "price_reduction"),
        ("Proszę o obniżenie ceny", "price_reduction"),
        ("if you knock half off the price", "price_reduction"),
        ("Gdzie jest moja paczka?", "information"),
        ("Nikt mi nie odpisuje od tygodnia", "information"),
        ("Wann kommt mein Paket?", "information"),
        ("Підкажіть, коли буде?", "information"),
        ("Kupiłam u was wazon.", "none"),
        ("Przesyłam CV, proszę o kontakt.", "none"),
        ("Czy możecie zmienić adres dostawy?", "none"),
        ("Prosimy o wypełnienie ankiety, jak ocenia Pan sklep?", "none"),
        ("Chciałam tylko powiedzieć, że nowe doszły.", "none"),
    ],
)
def test_the_first_named_wish_counts(text, wish):
    assert remedy(text) == wish


def test_no_pattern_of_a_wish_has_a_capital():
    """They look at a text in lower case."""
    with (Path(entities.__file__).parent / "entities.toml").open("rb") as file:
        words = json.dumps(tomllib.load(file)["remedy"], ensure_ascii=False)
    plain = re.sub(r"\\\\.", "", words)  # without \S and its like
    assert plain == plain.lower()


def test_quoted_lines_are_not_the_customers():
    found = extract("Re: lampa\nDziękuję.\n> Zamówienie 20418, 349 zł, zwrot pieniędzy 4 lipca")
    assert (found.order_numbers, found.amounts, found.dates, found.remedy) == ((), (), (), "none")


def test_json_has_the_keys_of_the_contract_in_their_order():
    found = extract("Lampa\nLampa (zam. 20418) z 4 lipca, 349 zł, proszę o zwrot").as_json()
    assert list(found.items()) == [
        ("order_numbers", ["20418"]),
        ("tracking_numbers", []),
        ("amounts", ["349 zł"]),
        ("products", ["Lampa"]),
        ("dates", ["4 lipca"]),
        ("remedy", "refund"),
    ]


@pytest.mark.parametrize("part", ["1 ", "A-", "0", "\n", "(", "proszę o ", "zam. nr ", "z 1."])
def test_a_hostile_text_costs_little(part):
    started = time.process_time()
    extract(part * 100_000)
    assert time.process_time() - started < 5
