"""Order and tracking numbers, amounts and the wished remedy in a text; precision before recall.

A number is taken only with the word that says what it is (``entities.toml``) or in a form that
nothing else has. Strings are as written. Products need more than patterns and are left to people.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_WORDS: Mapping[str, Mapping[str, list[str]]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text("utf-8")
)

# Letters, digits, dashes and slashes, with three digits at least ...
_CODE = r"(?=[\w/-]*\d[\w/-]*\d[\w/-]*\d)([A-Za-z0-9][\w/-]{2,29}(?<![/-]))"
# ... that are not the beginning of a date or a sum.
_WHOLE = r"(?![.,]?\d|\s\d{3}\b|\s?(?:zł|zl|PLN|EUR|€|Kč|грн))"
_ORDER = re.compile(
    rf"\b(?:{'|'.join(_WORDS['order']['words'])})"
    rf"(?:[\s:(]{{0,3}}(?:{'|'.join(_WORDS['order']['between'])}))*[\s:(#]{{0,3}}{_CODE}{_WHOLE}",
    re.IGNORECASE,
)
_TRACKING = re.compile(
    rf"\b(?:{'|'.join(_WORDS['tracking']['words'])})\b"
    r"[^\d\n.!?]{0,30}?\b([A-Z]{0,4}\d[\dA-Z]{8,27})\b",
    re.IGNORECASE,
)
# S10 of the Universal Postal Union, UPS, and InPost's 24 digits.
_TRACKING_FORM = re.compile(r"\b(?:[A-Z]{2}\d{9}[A-Z]{2}|1Z[0-9A-Z]{16}|(?<!PL)\d{24})\b")
_NUMBER = r"(?:\d{1,3}(?:[ \u00a0.,]\d{3}(?!\d))+|\d+)(?:[.,]\d{1,2}(?!\d))?"
_CURRENCY = r"(?:zł(?:otych)?|zl|pln|eur(?:o)?|€|kč|czk|грн|злотих|uah|₴|gbp|£|usd|\$)"
_AMOUNT = re.compile(
    rf"(?<![\w.,/-]){_NUMBER}(?:,-)?[ \u00a0]?{_CURRENCY}(?!\w)"
    rf"|(?<!\w)(?:eur|pln|gbp|usd|czk|uah|€|£|\$)[ \u00a0]?{_NUMBER}(?![\w/-])",
    re.IGNORECASE,
)
_REMEDIES = {
    code: re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})", re.IGNORECASE)
    for code, patterns in _WORDS["remedy"].items()
}


@dataclass(frozen=True)
class Entities:
    order_numbers: tuple[str, ...]
    tracking_numbers: tuple[str, ...]
    amounts: tuple[str, ...]  # with the currency
    products: tuple[str, ...]
    remedy: str  # refund, replacement, repair, price_reduction, information or none

    def as_json(self) -> dict[str, Any]:
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }


def extract(text: str) -> Entities:
    return Entities(
        order_numbers=order_numbers(text),
        tracking_numbers=tracking_numbers(text),
        amounts=amounts(text),
        products=(),
        remedy=remedy(text),
    )


def order_numbers(text: str) -> tuple[str, ...]:
    """Order numbers in the order of the text, each once."""
    return _unique(match.group(1) for match in _ORDER.finditer(text))


def tracking_numbers(text: str) -> tuple[str, ...]:
    """Numbers of parcels, each once; those with a word before them first."""
    named = (match.group(1) for match in _TRACKING.finditer(text))
    formed = (match.group() for match in _TRACKING_FORM.finditer(text))
    return _unique([*named, *formed])


def amounts(text: str) -> tuple[str, ...]:
    """Sums of money with their currency, each once."""
    return _unique(match.group() for match in _AMOUNT.finditer(text))


def remedy(text: str) -> str:
    """What the customer asks for: the remedy that is named first; information only if no other."""
    found = {code: match.start() for code, p in _REMEDIES.items() if (match := p.search(text))}
    wished = {code: start for code, start in found.items() if code != "information"} or found
    return min(wished, key=wished.__getitem__, default="none")


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
