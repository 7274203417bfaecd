"""Order numbers, amounts, products, dates and the wished remedy in a text; precision before recall.

A number is taken only with the word that says what it is (``entities.toml``) or in a form that
nothing else has; numbers of parcels are in ``triage.tracking``. Strings are as written.
"""

import itertools
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from triage.tracking import has_form, tracking_numbers

_WORDS: Mapping[str, Mapping[str, list[str]]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text("utf-8")
)

_LETTER = r"[^\W\d_a-zà-öø-ÿąćęłńóśźżěščřžůťďňа-яїієґ]"  # a capital one
_CAPITAL = r"[^\W_a-zà-öø-ÿąćęłńóśźżěščřžůťďňа-яїієґ]"  # or a digit
_UNIT = (
    r" ?(?:(?:zł(?:ot\w+)?|zl|PLN|EUR|Kč|грн)\b|[€£%])"
    r"| (?:(?:szt\w*|dni|dny|tage|days|pcs|stück|ks|шт|pary?|godz\w*|lat|osób|kg|cm|mm|ml|l)\b"
    r"|(?:tyg|stycz|lut|mar[cz]|kwie|maj|czerw|lip|sierp|wrze|pa[źz]dz|listop|grud)\w)"
)
# Codes of an order: ``20418``, ``WT/8831/25``, ``#A1B-5530``, ``KR 1190``, ``7 700 431``. A space
# stands only behind capitals or between groups of digits. Taken whole or not at all (``(?>``).
_CODE = (
    rf"(?P<code>(?>#?(?:(?-i:(?!NR|NO){_LETTER}{{1,5}}) (?=\d))?"
    rf"(?:\d{{1,4}}(?: \d{{2,4}}(?!\w|[.-]\d|{_UNIT})){{1,4}}(?![/.-]\w)"
    rf"|(?=[\w/.#-]{{0,30}}\d)\w{{1,30}}(?:[/.#-]\w{{1,30}}){{0,6}}"
    rf"(?: (?:\d{{1,4}}(?:-\d+)?(?!\w|[,/.-]\d|{_UNIT})|(?-i:[A-Z])(?=[\W]{{2}}|\n)))?)))"
)
_WHOLE = rf"(?![,:]\d|{_UNIT})"
_ORDER = re.compile(
    rf"(?<![\w-])(?:{'|'.join(_WORDS['order']['words'])})(?!\w|-\w)"
    rf"(?:[\s:(,]{{0,3}}(?:{'|'.join(_WORDS['order']['between'])})(?!\w))*"
    rf"[\s:(№–,-]{{0,3}}(?=\S{{0,30}}\d|\S{{1,30}} \d){_CODE}{_WHOLE}",
    re.IGNORECASE,
)
_WEAK_ORDER = re.compile(
    rf"(?:(?<![\w-])(?:{'|'.join(_WORDS['order']['weak'])})(?!\w)|№)[\s:(]{{0,3}}{_CODE}{_WHOLE}",
    re.IGNORECASE,
)
_OTHER = re.compile(rf"(?<!\w)(?:{'|'.join(_WORDS['order']['others'])})(?!\w)", re.IGNORECASE)
# Codes without a word: in brackets, at an end of a line, a sentence of their own; or of a form that
# no article has: capitals with four digits, or two signs between.
_SIGNED = rf"#?{_CAPITAL}{{1,20}}(?:[-/]{_CAPITAL}{{1,20}}){{1,5}}"
_SPACED = rf"(?:{_LETTER}{{2,3}} )?{_SIGNED}|{_LETTER}{{2,3}} \d{{4,5}}"
_BARE_ORDER = re.compile(
    rf"\((?P<bracket>{_SPACED})[),]|^(?P<line>{_SPACED}|#?\d{{5,8}})(?=[.!?]?$|[\s,:])"
    rf"|[.!?,)] (?P<last>{_SPACED}|\d{{5,8}})(?=[.]?\s*$|[.,] |\s+[^\W\d_]+\s*$)"
    rf"|(?<![\w/-])(?P<form>{_LETTER}{{2,4}}[-/]\d{{4,6}}|#\d{{5}}|{_CAPITAL}{{1,20}}[-/]{_CAPITAL}{{1,20}}[-/]{_CAPITAL}{{1,20}})(?![\w/-])",
    re.MULTILINE,
)
# Complaints, invoices, courts, norms, tax numbers.
_CASE = re.compile(r"(?:RK|RMA|R|RE|REK|FV|FA|SRV|C|CR|N|RSD|EN|ISO|DIN|NIP)[-/ ]|\d{10}")
_DATE_LIKE = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])[./-](?:0?\d|1[0-2])(?:[./-](?:20\d\d|\d\d))?(?:r\.?)?"
    r"|(?:19|20)\d\d(?:-\d\d-\d\d)?|\d{1,2}[.:]\d{2}"
)
_NUMBER = r"(?:\d{1,3}(?:[ \u00a0.,]\d{3}(?!\d)){1,4}|\d{1,12})(?:[.,]\d{1,2}(?!\d))?"
_CURRENCY = r"(?:zł(?:otych)?|zl|pln|eur(?:o)?|€|kč|czk|грн|зл|злотих|uah|₴|gbp|£|usd|\$)"
_AMOUNT = re.compile(
    rf"(?<![\w.,/-]){_NUMBER}(?:,-)?[ \u00a0]?{_CURRENCY}(?!\w)"
    rf"|(?<!\w)(?:eur|pln|gbp|usd|czk|uah|€|£|\$)[ \u00a0]?{_NUMBER}(?![\w/-])",
    re.IGNORECASE,
)
# ``{ask}`` at the head of a phrase. Up to 45 characters of the sentence between the asking and what
# is asked for, without a negation; the empty group marks where the latter begins.
_ASK = (
    rf"(?:{'|'.join(_WORDS['remedy']['ask'])})\b"
    r"(?:(?!\b(?:nie|ani|niż|bez|zamiast|not|than|kein\w*|nicht|statt|ne|не|без|etykiet\w*)\b)(?:[^.!?;\n]|(?<=\d)\.(?=\d))){0,45}?"
    r"(?<!\w)(?=\w)()"
)
_WISHES = ("price_reduction", "refund", "replacement", "repair")  # the first wins a tie


def _wish(code: str) -> re.Pattern[str]:
    phrases = _WORDS["remedy"][code]
    asked = "|".join(p.removeprefix("{ask}") for p in phrases if p.startswith("{ask}"))
    others = [p for p in phrases if not p.startswith("{ask}")]
    # What may be asked for stands behind one word of asking, not each behind its own: in a text
    # that asks and asks, the sentence behind each word is looked through once.
    either = [f"{_ASK}(?:{asked})", *others] if asked else others
    return re.compile(rf"(?<!\w)(?:{'|'.join(either)})", re.MULTILINE)


_REMEDIES = {
    code: _wish(code) for code in (*_WISHES, "implied_refund", "information", "question", "silence")
}
_NOT_WISHED = re.compile(rf"(?<!\w)(?:{'|'.join(_WORDS['remedy']['not_wished'])})\s$")
_CHANGE, _UNCLEAR, _FOREIGN = (
    re.compile(rf"(?<!\w)(?:{'|'.join(_WORDS['remedy'][key])})(?!\w)")
    for key in ("change", "unclear", "foreign")
)
_MONTH = rf"(?:{'|'.join(_WORDS['dates']['months'])})"
_YEAR = r"(?:19|20)\d\d"
_DAY, _MONTH_NUMBER = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
_DATE = re.compile(
    rf"(?<![\w.,/-])(?:{_YEAR}-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])"
    rf"|{_DAY}(?P<sign>[./-]) ?{_MONTH_NUMBER}(?P=sign) ?(?:{_YEAR}|\d\d)"
    rf"|{_DAY}(?:\.|st|nd|rd|th)?(?: of)? {_MONTH}\b(?: {_YEAR})?"
    rf"|{_MONTH} {_DAY}(?:st|nd|rd|th)?\b(?:,? {_YEAR})?(?! {_MONTH})"
    r"|(?:(?<=\b(?:z|w|з) )|(?<=\b(?:od|do|po|on|am|by|до) )|(?<=\b(?:dne|vom|bis|від) )"
    r"|(?<=\b(?:dnia|dniu|seit|from) ))"
    rf"{_DAY}\.(?:0[1-9]|1[0-2]|[1-9]\.)\.?)(?![\w/-]|[.,:]\d| ?(?:zł|zl|€|Kč|грн|%))",
    re.IGNORECASE,
)
_READ = 20_000  # characters of a text; a hostile one costs no more than these
_END = re.compile(rf"(?:{'|'.join(_WORDS['product']['ends'])}|{_MONTH})", re.IGNORECASE)
_NO_PRODUCT = re.compile(rf"(?:{'|'.join(_WORDS['product']['none'])})", re.IGNORECASE)
_ANCHOR = re.compile(
    rf"(?<!\w)(?:{'|'.join(_WORDS['product']['anchors'])})(?!\w)[: ]{{1,2}}"
    rf"(?:(?:{'|'.join(_WORDS['product']['fillers'])})(?!\w) )*",
    re.IGNORECASE,
)
_NAME_WORD = re.compile(r"[ ]?[„”\"]?([^\W\d_][\w'’-]*)")
_NAME_WORDS = 4  # at most
_STEM = 5  # letters of a word that stay when it is inflected
# One or two words before a price.
_PRICED = re.compile(
    r"(?<!\w)(?P<name>[^\W\d_]{3,}(?: [^\W\d_]{3,})?)"
    rf" (?:za|for|für|w cenie) {_NUMBER} ?{_CURRENCY}",
    re.IGNORECASE,
)
_QUOTED_LINE = re.compile(r"^>.*$", re.MULTILINE)


@dataclass(frozen=True)
class Entities:
    order_numbers: tuple[str, ...]
    tracking_numbers: tuple[str, ...]
    amounts: tuple[str, ...]  # with the currency
    products: tuple[str, ...]  # as written, not in the base form
    dates: tuple[str, ...]  # days, as written: the year is often left out
    remedy: str  # refund, replacement, repair, price_reduction, information or none

    def as_json(self) -> dict[str, Any]:
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }


def extract(text: str) -> Entities:
    """What the customer's own lines name; lines quoted with ``>`` are not read."""
    own = _QUOTED_LINE.sub("", text[:_READ])
    return Entities(
        order_numbers=order_numbers(own),
        tracking_numbers=tracking_numbers(own),
        amounts=amounts(own),
        products=products(own),
        dates=dates(own),
        remedy=remedy(own),
    )


def order_numbers(text: str) -> tuple[str, ...]:
    """Order numbers in the order of the text, each once.

    Those behind a word for an order; if there are none, behind a bare "number"; if there are none
    either, codes that stand alone.
    """
    text = text[:_READ]
    parcels = set(tracking_numbers(text))
    return (
        _orders(_ORDER.finditer(text), parcels)
        or _orders((m for m in _WEAK_ORDER.finditer(text) if not _is_other(text, m)), parcels)
        or _orders((m for m in _BARE_ORDER.finditer(text) if not _is_other(text, m)), parcels)
    )


def _orders(matches: Iterable[re.Match[str]], parcels: Collection[str]) -> tuple[str, ...]:
    codes = (next(filter(None, match.groups())) for match in matches)
    return _unique(code for code in codes if _could_be_order(code, parcels))


def _could_be_order(code: str, parcels: Iterable[str]) -> bool:
    """Whether a code is no date, no year, not too short and no part of a parcel's number."""
    digits = sum(map(str.isdigit, code))
    signed = re.search(r"[^\W\d]+[ /-]|[/-][^\W\d]+", code)
    return (
        (digits >= 3 or (digits == 2 and signed is not None))
        and not _DATE_LIKE.fullmatch(code)
        and not has_form(code)
        and not any(code in parcel for parcel in parcels)
    )


def _is_other(text: str, match: re.Match[str]) -> bool:
    """Whether the code of a complaint or an invoice, or the word before it, says something else."""
    before = re.split(r"[.!?\n]\s", text[max(0, match.start() - 25) : match.start()])[-1]
    code = next(filter(None, match.groups()))
    return bool(_CASE.match(code) or _OTHER.search(before))


def amounts(text: str) -> tuple[str, ...]:
    """Sums of money with their currency, each once."""
    return _unique(match.group() for match in _AMOUNT.finditer(text))


def dates(text: str) -> tuple[str, ...]:
    """Days as written, each once.

    They are not turned into ISO 8601: most mails leave the year out, and the moment when a mail
    came is not known here. A weekday or "yesterday" is no date.
    """
    return _unique(match.group().rstrip() for match in _DATE.finditer(text))


def products(text: str) -> tuple[str, ...]:
    """The product that the mail is about, at most one, up to four words as written.

    text: the first line is the subject. What stands behind a word of buying, else the first word
    of the subject if it comes again in the body, else what stands before a price. Precision before
    recall: rather none than a parcel or a complaint.
    """
    subject, _, body = text.partition("\n")
    named = itertools.chain(
        (_name(text, match.end()) for match in _ANCHOR.finditer(text)),
        _subject_name(subject, body),
        (_last_words(match["name"]) for match in _PRICED.finditer(text)),
    )
    return tuple(itertools.islice(filter(None, named), 1))


def _subject_name(subject: str, body: str) -> Iterator[str]:
    """The words with which a subject begins, if the body has the first one, inflected or not."""
    stems = {match.group(1)[:_STEM].casefold() for match in _NAME_WORD.finditer(body)}
    first = _NAME_WORD.match(subject)
    if first and len(first.group(1)) > 3 and first.group(1)[:_STEM].casefold() in stems:
        yield "" if re.search("[!?]", subject) else _name(subject, 0)


def _last_words(name: str) -> str:
    """The words behind the last one that is part of no name."""
    words = list(itertools.takewhile(lambda word: not _is_no_name(word), reversed(name.split())))
    return " ".join(reversed(words))


def _is_no_name(word: str) -> bool:
    return bool(_END.fullmatch(word) or _NO_PRODUCT.fullmatch(word))


def _name(text: str, start: int) -> str:
    """The words from ``start`` that can be the name of a product; empty if they cannot."""
    words: list[str] = []
    while len(words) < _NAME_WORDS and (match := _NAME_WORD.match(text, start)):
        word = match.group(1)
        if _is_no_name(word):
            break
        words.append(word)
        start = match.end()
    return " ".join(words) if any(len(word) > 3 for word in words) else ""


def remedy(text: str) -> str:
    """What the customer asks for: the remedy that is named first; information only if no other.

    A withdrawal that asks for nothing asks for the money.
    """
    text = text[:_READ].lower()  # patterns that regard no case take three times as long
    if _FOREIGN.search(text):
        return "none"
    changes = _CHANGE.search(text) is not None
    found = [
        (start, i) for i, code in enumerate(_WISHES) if (start := _first(code, text)) is not None
    ]
    if found:
        wish = _WISHES[min(found)[1]]
        return "none" if changes and wish == "replacement" else wish
    if _first("implied_refund", text) is not None:
        return "refund"
    asked = ["information", "silence"]
    if not changes and not _UNCLEAR.search(text):
        asked.append("question")
    return "none" if all(_first(code, text) is None for code in asked) else "information"


def _first(code: str, text: str) -> int | None:
    """Where the remedy is asked for first, leaving out where it is refused."""
    for match in _REMEDIES[code].finditer(text):
        if not _NOT_WISHED.search(text[max(0, match.start() - 30) : match.start()]):
            return match.start(match.lastindex or 0)
    return None


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
