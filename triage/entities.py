"""Order numbers, tracking numbers, amounts and the wish in a message. Precision before recall.

A number is taken only where a word beside it says what it is, or where its form or check digit
does; a bare number stays a number. Values are given as they are written.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from triage.text import without_diacritics

Remedy = Literal["refund", "replacement", "repair", "price_reduction", "information", "none"]

MAX_FOUND = 50  # of each kind; more is a flood, not a message (E-49)
MAX_CHARACTERS = 100_000

_ORDER_WORD = (
    r"(?:zam[oó]wieni\w*|zam[oó]w\.|zam\.|order|orders|bestellung|bestellnummer|auftrag|auftragsnummer"
    r"|objedn[aá]vk\w*|замовленн\w*|заказ\w*|nr\s+zam\w*\.?)"
)
_ORDER = re.compile(
    _ORDER_WORD + r"\s*(?:o\s+)?(?:numer\w*|number|nummer|no|nr|num|n°|č|číslo|č\.|номер\w*|№)?"
    r"\s*[.:]?\s*[#№(\[\"„]?\s*((?=[^\s]*\d)[A-Z0-9][A-Z0-9/_-]{2,30}[A-Z0-9])",
    re.IGNORECASE,
)
_ORDER_FORM = re.compile(r"(?<![\w-])(?!ODZ-)([A-Z]{2,5}[-/]\d{4,10})(?![\w-])")
_OUR_REFERENCE = re.compile(r"ODZ-\d{4}-\d{4,12}", re.IGNORECASE)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}$")

_TRACKING_WORD = (
    r"(?:przesy[lł]k\w*|paczk\w*|list\w*\s+przewozow\w*|tracking\w*|śledzeni\w*|sledzeni\w*|inpost\w*"
    r"|paczkomat\w*|dpd|dhl|gls|ups|fedex|poczt\w*|orlen\w*|sendung\w*|sendungsnummer|parcel|shipment"
    r"|zásilk\w*|zasilk\w*|посилк\w*|ттн)"
)
_TRACKING = re.compile(
    _TRACKING_WORD + r"[^\n.;!?]{0,40}?(?<![\w+])([0-9]{10,24}|[0-9]{13}[A-Z])(?![\w])",
    re.IGNORECASE,
)
_INPOST = re.compile(r"(?<!\d)(\d{24})(?!\d)")
_S10 = re.compile(r"\b([A-Z]{2})(\d{8})(\d)([A-Z]{2})\b")
_UPS = re.compile(r"\b1Z[0-9A-Z]{16}\b")

_AMOUNT = re.compile(
    r"(?<![\w.,-])((?:[€£$]\s?)?\d{1,3}(?:[ \u00a0.]?\d{3})*(?:[.,]\d{1,2})?(?:,-)?\s?"
    r"(?:zł\w*|zl\w{0,4}|pln|eur\w{0,2}|euro|€|kč|kc|czk|грн|uah|gbp|£|usd|\$)(?!\w)"
    r"|[€£$]\s?\d+(?:[.,]\d{1,2})?)",
    re.IGNORECASE,
)

# In the order in which they are looked for; where a text names several, the first named counts.
_WISHES: tuple[tuple[Remedy, re.Pattern[str]], ...] = (
    (
        "price_reduction",
        re.compile(
            r"obniz\w+\s(?:\w+\s)?cen|upust\w*|rabat\w*\sza|czesciow\w+\szwrot|price\sreduction"
            r"|partial\srefund|preisminderung|preisnachlass|slev\w+\sz\sceny|знижк\w+\sза"
        ),
    ),
    (
        "repair",
        re.compile(
            r"\bnapraw(?!d)\w*|\brepair\w*|\breparatur\w*|\breparier\w*|\boprav(?:u|it|te|y)\b"
            r"|\bремонт\w*|полагод\w*"
        ),
    ),
    (
        "refund",
        re.compile(
            r"zwrot\w*\s(?:\w+\s){0,2}(?:pieniedz|kwot|srodk|kosztow|naleznosci|wplat|pien)\w*"
            r"|(?:odda|zwroc|przela)\w*\s(?:\w+\s){0,3}(?:pieniadz|kas[eay]|kwot|srodk|pien)\w*"
            r"|pieniadze\sz\spowrotem|\brefund\w*|money\sback|geld\szuruck|ruckerstatt\w*|erstatt\w*"
            r"|vrac\w+\s(?:penez|penize)|vratit\s(?:\w+\s){0,2}peniz\w*"
            r"|повер\w+\s(?:\w+\s){0,2}(?:грош|кошт)\w*"
        ),
    ),
    (
        "replacement",
        re.compile(
            r"\bwymian\w*|\bwymien\w*|(?:przysl|wysl|dosl|dosyl)\w+\s(?:\w+\s){0,3}"
            r"(?:now|brakujac|wlasciw|prawidlow|ponowni|jeszcze\sraz)\w*|\breplace\w*|\bexchange\w*"
            r"|send\s(?:me\s|us\s)?(?:a\snew|the\s(?:right|correct|missing))|ersatz\w*|umtausch\w*"
            r"|austausch\w*|vymen\w*|заміни\w*|обмін\w*"
        ),
    ),
    (
        "information",
        re.compile(
            r"prosz[ea]\so\s(?:informacj|odpowiedz|wyjasnien|kontakt|faktur|status)\w*|\bgdzie\s(?:jest|moja)"
            r"|\bkiedy\b|please\s(?:let\sme\sknow|tell|advise)|where\sis|wann\s|wo\s(?:ist|bleibt)"
            r"|bitte\sum\s(?:auskunft|antwort|info)\w*|kdy\s|kde\sje|коли\s|де\sмо"
        ),
    ),
)


@dataclass(frozen=True)
class Entities:
    """What a message names; tuples in the order of the text, each value once."""

    order_numbers: tuple[str, ...]
    tracking_numbers: tuple[str, ...]
    amounts: tuple[str, ...]
    remedy: Remedy

    def as_json(self) -> dict[str, Any]:
        return {
            "order_numbers": list(self.order_numbers),
            "tracking_numbers": list(self.tracking_numbers),
            "amounts": list(self.amounts),
            "products": [],
            "remedy": self.remedy,
        }


def extract(text: str) -> Entities:
    """Everything at once."""
    tracking = tracking_numbers(text)
    orders = tuple(number for number in order_numbers(text) if number not in tracking)
    return Entities(orders, tracking, amounts(text), remedy(text))


def order_numbers(text: str) -> tuple[str, ...]:
    """Numbers beside a word for an order, or of the form ``ZP-118204``; never our reference."""
    text = text[:MAX_CHARACTERS]
    found = [(m.start(1), m.group(1)) for m in _ORDER.finditer(text)]
    found += [(m.start(1), m.group(1)) for m in _ORDER_FORM.finditer(text)]
    return _unique(
        value
        for _, value in sorted(found)
        if not _OUR_REFERENCE.fullmatch(value) and not _DATE.search(value)
    )


def tracking_numbers(text: str) -> tuple[str, ...]:
    """Numbers of parcels: by the word beside them, by InPost's 24 digits, by a check digit.

    Check digits: UPU S10 (international post) and UPS; see the UPU standard S10 and UPS's tracking
    number format.
    """
    text = text[:MAX_CHARACTERS]
    found = [(m.start(1), m.group(1)) for m in _TRACKING.finditer(text)]
    found += [(m.start(1), m.group(1)) for m in _INPOST.finditer(text)]
    found += [(m.start(), m.group()) for m in _S10.finditer(text) if _s10_is_valid(m)]
    found += [(m.start(), m.group()) for m in _UPS.finditer(text) if _ups_is_valid(m.group())]
    return _unique(value for _, value in sorted(found))


def amounts(text: str) -> tuple[str, ...]:
    """Sums with a currency, as written."""
    return _unique(" ".join(m.group(1).split()) for m in _AMOUNT.finditer(text[:MAX_CHARACTERS]))


def remedy(text: str) -> Remedy:
    """What the customer asks for; the first named where there are several."""
    plain = without_diacritics(text[:MAX_CHARACTERS])
    first: tuple[int, Remedy] | None = None
    for wish, pattern in _WISHES:
        match = pattern.search(plain)
        # A question or a request for an answer counts only where nothing else is asked for.
        if match and (first is None or (match.start() < first[0] and wish != "information")):
            first = (match.start(), wish)
    return "none" if first is None else first[1]


def _s10_is_valid(match: re.Match[str]) -> bool:
    weights = (8, 6, 4, 2, 3, 5, 9, 7)
    total = sum(int(digit) * weight for digit, weight in zip(match.group(2), weights, strict=True))
    check = 11 - total % 11
    return int(match.group(3)) == {10: 0, 11: 5}.get(check, check)


def _ups_is_valid(number: str) -> bool:
    digits = [int(c) if c.isdigit() else (ord(c) - 63) % 10 for c in number[2:]]
    total = sum(digits[0:15:2]) + 2 * sum(digits[1:15:2])
    return digits[15] == -total % 10


def _unique(values) -> tuple[str, ...]:  # type: ignore[no-untyped-def]
    return tuple(dict.fromkeys(values))[:MAX_FOUND]
