"""Personal data out of a text that is kept for training: what names, reaches or pays a person.

A classifier needs none of it to tell a broken kettle from a late one (GDPR art. 5 (1) (c),
data minimisation). Order numbers stay: alone they name nobody outside the shop.
"""

import re
from collections.abc import Iterable

# Lengths are bounded, so that a hostile text costs no more than its length.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_URL = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
# IBAN (ISO 13616) and the Polish form of 26 digits without the country.
_ACCOUNT = re.compile(
    r"\b(?:[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){3,7}(?:[ ]?[A-Z0-9]{1,4})?"
    r"|\d{2}(?:[ ]\d{4}){6}|\d{26})\b"
)
_CARD = re.compile(r"\b\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4}\b")
_PESEL = re.compile(r"\b\d{11}\b")
_PHONE = re.compile(
    r"(?<![\w/-])(?:(?:\+|00)\d{2,3}[ -]?)?(?:\(\d{1,4}\)[ -]?)?"
    r"\d{2,3}(?:[ -]\d{2,3}){2,3}(?![\w/-])"
    r"|(?<![\w/-])\+\d{9,13}(?!\w)"
)
_NAMED_PHONE = re.compile(
    r"(?<!\w)((?:tel|kontakt|m[oó]j numer|telefon\w*|kom|mob|phone|mobile|nr tel|zadzwoni\w*"
    r"|dzwoni\w*|call me)"
    r"[.:]{0,3}\s{0,3}(?:nr\.?|to|na|pod|on|:)?\s{0,3})"
    r"\+?[\d() -]{7,16}\d",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"\b(?:(?:ul|al|os|pl)\.|[Uu]lic[ayęą]|[Aa]lej[ai])\s?"
    r"[A-ZĄĆĘŁŃÓŚŹŻ][\w.ąćęłńóśźż -]{1,40}?\s\d+\w?(?:\s?[/m]\.?\s?\d+)?"
)
_FOREIGN_STREET = re.compile(
    r"\b\d{1,4}[a-c]? (?:[A-Z][\w'’-]+ ){1,3}(?:Street|St|Road|Rd|Lane|Avenue|Ave|Drive|Close)\b"
    r"|\b[A-ZÄÖÜ][\wäöüß-]*(?:straße|strasse|str\.|weg|allee|platz|gasse) ?\d+\s?[a-z]?\b"
)
_POSTAL_CODE = re.compile(r"\b\d{2}-\d{3}\b(?:\s[A-ZĄĆĘŁŃÓŚŹŻ][\wąćęłńóśźż]+)?")
_SIGNED = re.compile(
    r"((?i:pozdrawia\w*|pozdrowieni\w*|z poważaniem|z wyrazami szacunku|regards|sincerely"
    r"|grüßen|grüße|pozdravem|з повагою)[ ,.!\n-]*)"
    r"((?:[A-ZĄĆĘŁŃÓŚŹŻÄÖÜČŘŠŽІЇЄА-Я][\w'’.-]*[ ]?){1,3})"
)


def redacted(text: str, names: Iterable[str] = ()) -> str:
    """The text with a word in brackets for each address, number and name of a person.

    text: folded (triage.text.folded), since a hard space would hide a number.
    names: of the people who are known to have part in it; parts of three letters or more count. A
    name that nobody told us, in the middle of a sentence, stays: only a person would see it.
    """
    for pattern, word in (
        (_EMAIL, "[e-mail]"),
        (_URL, "[link]"),
        (_ACCOUNT, "[konto]"),
        (_CARD, "[konto]"),
        (_STREET, "[adres]"),
        (_FOREIGN_STREET, "[adres]"),
        (_POSTAL_CODE, "[adres]"),
    ):
        text = pattern.sub(word, text)
    text = _NAMED_PHONE.sub(r"\1[telefon]", text)
    text = _PHONE.sub("[telefon]", text)
    text = _PESEL.sub(lambda match: "[PESEL]" if _is_pesel(match.group()) else match.group(), text)
    text = _SIGNED.sub(r"\1[podpis]", text)
    for part in sorted({part for name in names for part in name.split()}, key=len, reverse=True):
        if len(part) >= 3:
            text = re.sub(rf"\b{re.escape(part)}\w{{0,3}}\b", "[osoba]", text, flags=re.IGNORECASE)
    return text


def _is_pesel(digits: str) -> bool:
    """The checksum of the Polish personal number: weights 1 3 7 9, modulo 10."""
    weighted = sum(int(d) * w for d, w in zip(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=False))
    return (10 - weighted % 10) % 10 == int(digits[10])
