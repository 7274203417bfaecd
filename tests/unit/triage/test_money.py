import pytest

from triage.money import value_of


@pytest.mark.parametrize(
    ("written", "value", "currency"),
    [
        ("129,90 zł", 129.9, "PLN"),
        ("1 250 zł", 1250, "PLN"),
        ("2.499,00 PLN", 2499, "PLN"),
        ("£1,150", 1150, "GBP"),
        ("€ 45", 45, "EUR"),
        ("11 990 Kč", 11990, "CZK"),
        ("8 000,- Kč", 8000, "CZK"),
        ("21\u00a0400 грн", 21400, "UAH"),
        ("$9.99", 9.99, "USD"),
    ],
)
def test_a_sum_is_read_as_people_write_it(written, value, currency):
    assert value_of(written) == (value, currency)


@pytest.mark.parametrize("written", ["", "zł", "1250", "12 gwiazdek"])
def test_what_is_no_sum_of_money_has_no_value(written):
    assert value_of(written) is None
