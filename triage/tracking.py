"""Numbers of parcels in a text: by form and check digit, or by a word that stands before them.

A form that nothing else has is enough (24 digits of InPost, JJD..., 1Z... whose check digit is
right). Whatever could be a telephone or an order counts only behind a word of ``entities.toml``.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

_WORDS: Mapping[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("entities.toml").read_text("utf-8")
)["tracking"]

# Bounded, so that a hostile text costs no more than its length.
_GROUP = r"(?=[A-Z0-9]{0,9}\d)[A-Z0-9]{1,30}+"
# Groups of capitals and digits with single spaces or dashes between; never inside of a longer code.
_CANDIDATE = re.compile(
    r"(?<![\w/+.,-])(?!(?:GLS|DPD|DHL|UPS|PPL|TTN|NR|NIP|TEL|EAN|VAT)[ -])"
    rf"(?:\(00\) ?)?(?:[A-Z]{{1,4}}[ -]?)?{_GROUP}(?:[ -]{_GROUP}){{0,9}}"
    r"(?:[ -]?(?:PL|CZ|DE|GB|UA|SK|AT|FR|NL|CN))?(?![\w/]|-\w|[.,]\d)"
)
_WORD = re.compile(rf"(?<!\w)(?:{'|'.join(_WORDS['words'])})(?!\w)", re.IGNORECASE)
_CARRIER = re.compile(rf"(?<!\w)(?:{'|'.join(_WORDS['carriers'])})(?!\w)", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?<!\w)(?:nr|numer\w*|number|nummer|č\.|číslem|номер\w*|№)\W*$", re.IGNORECASE
)
# A number behind one of these is a telephone, an account, an order: nobody's parcel.
_OTHER = re.compile(
    rf"(?<!\w)(?:{'|'.join(_WORDS['others'])})|\d[\d-]{{3}}|[!?;\n]|[.]\s+(?=[^\W\d_]{{3}})",
    re.IGNORECASE,
)
_REACH = 45  # characters between the word and the number


def tracking_numbers(text: str) -> tuple[str, ...]:
    """Numbers of parcels as written, in the order of the text, each once."""
    return tuple(dict.fromkeys(number for _, number in _found(text)))


def has_form(code: str) -> bool:
    """Whether the form alone, check digit included, says that this is the number of a parcel."""
    compact = re.sub(r"[\s-]", "", code).removeprefix("(00)")
    if "(00)" in code:
        return len(compact) == 18 and gs1_valid(compact)
    return any(form.fullmatch(compact) and valid(compact) for form, valid in _FORMS)


def s10_valid(code: str) -> bool:
    """Whether the ninth digit checks, e.g. of ``RR473124829GB``.

    Universal Postal Union, standard S10: weights 8 6 4 2 3 5 9 7, modulo 11.
    """
    digits = [int(digit) for digit in code[2:11]]
    weighted = sum(a * b for a, b in zip(digits, (8, 6, 4, 2, 3, 5, 9, 7), strict=False))
    return {10: 0, 11: 5}.get(11 - weighted % 11, 11 - weighted % 11) == digits[8]


def gs1_valid(digits: str) -> bool:
    """Whether the last digit checks; an SSCC of 18 digits, with or without its ``00``.

    GS1 General Specifications, 7.9.1: weights 3 and 1 from the right, modulo 10. Poczta Polska,
    Deutsche Post and DHL (00340434...) number parcels so; FedEx Ground checks 15 digits so.
    """
    return sum(int(d) * (1, 3)[i % 2] for i, d in enumerate(reversed(digits))) % 10 == 0


def ups_valid(code: str) -> bool:
    """Whether the last digit of a ``1Z`` number checks, e.g. of ``1Z5R89390357567127``.

    UPS: A is 2, B is 3 and so on, every second value counts twice, modulo 10. Described in
    github.com/jkeen/tracking_number_data, couriers/ups.json.
    """
    values = [int(c) if c.isdigit() else (ord(c) - 63) % 10 for c in code[2:]]
    total = sum(value * (1, 2)[i % 2] for i, value in enumerate(values[:-1]))
    return -total % 10 == values[-1]


def fedex_valid(digits: str) -> bool:
    """Whether the last of FedEx Express' 12 digits checks, e.g. of ``986578788855``.

    Weights 3 1 7 repeated, modulo 11, then 10. Described in github.com/jkeen/tracking_number_data,
    couriers/fedex.json.
    """
    total = sum(int(d) * (3, 1, 7)[i % 3] for i, d in enumerate(digits[:11]))
    return total % 11 % 10 == int(digits[11])


def dhl_express_valid(digits: str) -> bool:
    """Whether the last of DHL Express' 10 digits checks, e.g. of ``3318810025``.

    The first nine modulo 7, as in air waybills: IATA Resolution 600a.
    """
    return int(digits[:9]) % 7 == int(digits[9])


def dpd_valid(code: str) -> bool:
    """Whether the last character of a DPD parcel label checks (14 characters and one).

    ISO/IEC 7064, MOD 37,36, as in the DPD Parcel Label Specification.
    """
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    check = 36
    for character in code[:-1]:
        check = (check + letters.index(character)) % 36 or 36
        check = check * 2 % 37
    return (check + letters.index(code[-1])) % 36 == 1


def _always(_code: str) -> bool:
    """For forms without a published check digit."""
    return True


_FORMS: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = (
    (re.compile(r"[A-Z]{2}\d{9}[A-Z]{2}"), s10_valid),  # post of all countries
    (re.compile(r"00\d{18}"), gs1_valid),  # SSCC of any carrier
    # The prefixes of Poczta Polska, Deutsche Post and DHL say enough, also of a mistyped number.
    (re.compile(r"00(?:\d5900773\d{10}|340434\d{12})"), _always),
    (re.compile(r"1Z[A-Z0-9]{15}\d"), ups_valid),
    (re.compile(r"\d{24}"), _always),  # InPost
    (re.compile(r"JJ?D\d{13,18}"), _always),  # DHL
    (re.compile(r"Z\d{10}"), _always),  # Zásilkovna
    (re.compile(r"\d{13}[A-Z]"), _always),  # DPD Polska
    (re.compile(r"\d{14}[A-Z]"), dpd_valid),  # DPD with its check character
    (re.compile(r"H00\d{13}"), _always),  # Evri
    (re.compile(r"(?:204|205|590)\d{11}"), _always),  # Nova Poshta
)
# Forms that could be something else: the mail must name a carrier or a parcel somewhere.
_WEAK_FORMS: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = (
    (re.compile(r"\d{10}"), dhl_express_valid),
    (re.compile(r"\d{12}"), fedex_valid),
    (re.compile(r"\d{15}"), gs1_valid),  # FedEx Ground
    (re.compile(r"\d{11}"), _always),  # GLS, DHL Parcel, Orlen Paczka
    (re.compile(r"\d{13}"), _always),  # Orlen Paczka, DPD
    (re.compile(r"\d{14}"), _always),  # DPD
)


def _found(text: str) -> Iterator[tuple[int, str]]:
    is_about_parcels = _CARRIER.search(text) is not None or _WORD.search(text) is not None
    for match in _CANDIDATE.finditer(text):
        code = _trimmed(match.group())
        if has_form(code) or (
            is_about_parcels and _could_be(code) and _is_named(text, match.start(), code)
        ):
            yield match.start(), code


def _trimmed(run: str) -> str:
    """The groups that are the number; ``13159400771203 2`` ends before its ``2``."""
    groups = re.split(r"(?<=[A-Z0-9])(?=[ -])", run)
    for count in range(len(groups), 0, -1):
        if has_form("".join(groups[:count])):
            return "".join(groups[:count])
    long = [i for i, group in enumerate(groups) if len(group) > 10]
    return "".join(groups[: long[0] + 1]) if long else run


def _could_be(code: str) -> bool:
    """Whether the length allows it: a telephone has 9 digits, or up to 12 with its country."""
    compact = re.sub(r"[\s-]", "", code)
    digits = sum(map(str.isdigit, compact))
    if re.fullmatch(r"(?:00)?(?:48|49|420|380)[ -]\d{2,3}[ -].*", code) or digits > 24:
        return False
    if re.fullmatch(r"(?:19|20)\d\d[ -]\d\d[ -]\d\d", code):  # a date
        return False
    return digits >= (10 if compact.isdigit() else 7) or bool(
        re.fullmatch(r"\d{4}-\d{4}-\d{2,}|[A-Z0-9]{4}-[A-Z]{2}-\d{3,}|1Z[ A-Z0-9]{6,}", code)
    )


def _is_named(text: str, start: int, code: str) -> bool:
    before = text[max(0, start - _REACH) : start]
    words = (*_WORD.finditer(before), *_CARRIER.finditer(before))
    if any(not _OTHER.search(before[word.end() :]) for word in words):
        return True
    compact = re.sub(r"[\s-]", "", code)
    if not any(form.fullmatch(compact) and valid(compact) for form, valid in _WEAK_FORMS):
        return False
    alone = _NUMBER.search(before) or re.search(r"(?:^|[\n(,])\s*$", before)
    return bool(alone and not _OTHER.search(before[-12:].replace("\n", " ")))
