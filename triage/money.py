"""What a written sum of money is worth: its number and its currency."""

import re

# In the order in which they are looked for; all lower case.
_CURRENCIES = (
    ("PLN", ("zł", "zl", "pln", "злот")),
    ("EUR", ("eur", "€")),
    ("GBP", ("gbp", "£")),
    ("CZK", ("kč", "czk")),
    ("UAH", ("грн", "uah", "₴")),
    ("USD", ("usd", "$")),
)
_NUMBER = re.compile(r"\d[\d \u00a0.,]*")
_CENTS = re.compile(r"^(.*)[.,](\d{1,2})$")


def value_of(amount: str) -> tuple[float, str] | None:
    """(value, ISO 4217 code) of an amount as ``triage.entities.amounts`` gives it, or None.

    A point or comma before one or two last digits begins the cents, any other one groups thousands.
    """
    lowered = amount.lower()
    currency = next((code for code, marks in _CURRENCIES if any(m in lowered for m in marks)), None)
    number = _NUMBER.search(amount)
    if currency is None or number is None:
        return None
    digits = re.sub(r"[ \u00a0]", "", number.group()).strip(".,")
    cents = _CENTS.match(digits)
    whole, fraction = (cents.group(1), cents.group(2)) if cents else (digits, "0")
    return float(f"{re.sub('[.,]', '', whole) or 0}.{fraction}"), currency
