"""The words that mail programs write around a mail, read from ``mail_words.toml``.

Words only: ``triage.header_block``, ``triage.quotation`` and the modules of ``worker`` that judge
mails interpret them. A language is added in the data file.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from triage.text import without_diacritics

_FILE = Path(__file__).with_suffix(".toml")
_WORDS: Mapping[str, Mapping[str, Sequence[str]]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
_HISTORY = _WORDS["history"]
_SUBJECT = _WORDS["subject"]
_FOOTER = _WORDS["footer"]
_BOUNCE = _WORDS["bounce"]
_AUTO_REPLY = _WORDS["auto_reply"]
_FORM = _WORDS["form"]
_RELAY = _WORDS["relay"]
THANKS = _WORDS["thanks"]
AUTHORITIES = tuple(_WORDS["authority"]["domains"])
AUTHORITY_LOCAL = re.compile(rf"(?:{'|'.join(_WORDS['authority']['local_parts'])})@", re.IGNORECASE)


def any_of(words: Iterable[str]) -> str:
    """A pattern that matches each of the words as it is written, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _any_pattern(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


# What "…" stands for: some of a sentence. A dot inside a word or before a number does not end it.
_SOME = r"(?:[^.!\n]|\.(?=\w| \d)){0,60}"


def _any_lower(patterns: Iterable[str]) -> re.Pattern[str]:
    """As ``_any_pattern``, for text in lower case."""
    return re.compile("|".join(patterns))


def _any_plain(patterns: Iterable[str]) -> re.Pattern[str]:
    """As ``_any_pattern``, for text in plain lower-case letters."""
    joined = "|".join(patterns).replace("…", _SOME)
    return re.compile("".join(c if c.isascii() else without_diacritics(c) for c in joined))


# Label of a header line inside a mail, to the field it means.
FIELD_LABELS = {word: field for field, words in _WORDS["labels"].items() for word in words}

FORWARD_TITLES = frozenset(_HISTORY["forward_titles"])
ORIGINAL_TITLES = frozenset(_HISTORY["original_titles"])
PREVIOUS_TITLES = frozenset(_HISTORY["previous_titles"])
TITLE_GOES_ON = frozenset(_HISTORY["title_goes_on"])
ATTRIBUTION_STARTS = tuple(_HISTORY["attribution_starts"])
WROTE = re.compile(rf"(?<!\w)(?:{any_of(_HISTORY['wrote'])})(?!\w)", re.IGNORECASE)
REPLY_ABOVE = tuple(_HISTORY["reply_above"])
REPLY_VERBS = tuple(_HISTORY["reply_verbs"])
ABOVE = tuple(_HISTORY["above"])
THIS_LINE = tuple(_HISTORY["this_line"])
NO_DISPLAY_NAMES = frozenset(_HISTORY["no_display_names"])
# "odpowiedzi są poniżej", "see below in red": two such words with at most four others between them,
# none of which is a mail ("no answers to my message below").
_BETWEEN = rf"\W{{1,3}}(?:(?!{any_of(_HISTORY['mail_nouns'])})[\w-]+\W{{1,3}}){{0,4}}?"
ANSWER_PLACES = (
    *_HISTORY["answer_below"],
    *_HISTORY["answer_inside"],
    *_HISTORY["answer_colours"],
)
_ANSWERS = any_of(_HISTORY["answers"])
_COLOURS = any_of(_HISTORY["answer_colours"])
_BELOW = any_of((*_HISTORY["answer_below"], *_HISTORY["answer_colours"]))
ANSWERS_BELOW = re.compile(
    rf"(?<!\bw )\b(?:{_ANSWERS}){_BETWEEN}(?:{any_of(ANSWER_PLACES)})\b"
    rf"|\b(?:{_BELOW}){_BETWEEN}(?:{_ANSWERS})\b"
    rf"|\b(?:{any_of(_HISTORY['answer_pointers'])}){_BETWEEN}(?:{_COLOURS})\b",
    re.IGNORECASE,
)
# "patrz poniżej", unless it is a mail that stands there.
POINTS_BELOW = re.compile(
    rf"^(?!.*(?:{any_of(_HISTORY['mail_nouns'])})).*\b(?:{any_of(_HISTORY['answer_below'])})\b",
    re.IGNORECASE | re.DOTALL,
)

FORWARD_PREFIXES = frozenset(_SUBJECT["forward_prefixes"])
REPLY_PREFIXES = frozenset(_SUBJECT["reply_prefixes"])

DEVICE_LINE_STARTS = tuple(_FOOTER["device_line_starts"])
DEVICE_NAMES = tuple(_FOOTER["device_names"])
CONJUNCTIONS = frozenset(_FOOTER["conjunctions"])
DEVICE_OWNERS = frozenset(_FOOTER["device_owners"])
DISCLAIMER_STARTS = tuple(_FOOTER["disclaimer_starts"])
BANNER_WORDS = frozenset(_FOOTER["banner_words"])
DISCLAIMER_WORDS = re.compile(
    rf"\b(?:{any_of((*_FOOTER['disclaimer_words'], *BANNER_WORDS))})", re.IGNORECASE
)
ASKS = _any_pattern(_FOOTER["asks"])
DEMANDS = _any_pattern(_FOOTER["demands"])

# For text in lower case: several times as fast as to compare without regard to case.
MAILER_NAME = _any_lower(_BOUNCE["mailer_names"])
BOUNCE_SUBJECT = _any_lower(_BOUNCE["subjects"])
NOT_FAILED_SUBJECT = _any_lower(_BOUNCE["subjects_not_failed"])
DELAYED_SUBJECT = _any_lower(_BOUNCE["subjects_delayed"])
BOUNCE_TEXT = _any_lower(_BOUNCE["texts"])
DELAYED_TEXT = _any_lower(_BOUNCE["texts_delayed"])
REFUSED_BY_LIST = _any_lower(_BOUNCE["texts_refused_by_list"])

OUTLOOK_AUTO_PREFIX = re.compile(rf"\s*(?:{'|'.join(_AUTO_REPLY['outlook_prefixes'])})\s?[:：]")
AUTO_SUBJECT = re.compile(rf"\s*(?:{'|'.join(_AUTO_REPLY['subjects'])})")
AUTO_MAILER = _any_lower(_AUTO_REPLY["mailers"])
# These are for text in which ``triage.text.without_diacritics`` has left plain letters only.
ABSENCE = _any_plain(_AUTO_REPLY["absences"])
ELSEWHERE = _any_plain(_AUTO_REPLY["elsewhere"])
NOT_TO_BE_ANSWERED = _any_lower(_AUTO_REPLY["not_to_be_answered"])
SAYS_AUTOMATIC = _any_plain(_AUTO_REPLY["says_so"])
TELLS_OF = _any_plain(_AUTO_REPLY["tells_of"])
RECEIPT = _any_plain(_AUTO_REPLY["receipts"])
ADDRESS_GONE = _any_plain(_AUTO_REPLY["addresses_gone"])
WANTS = _any_plain(_AUTO_REPLY["wants"])
OUR_MATTER = _any_plain(_AUTO_REPLY["our_matter"])
_MONTH = any_of(map(without_diacritics, _AUTO_REPLY["months"]))
# A day that an absence ends or begins on: "15.03", "3 sierpnia", "August 3", "2026-07-20".
DAY = re.compile(
    rf"\b\d{{1,2}}[./-] ?\d{{1,2}}\b|\b\d{{4}}-\d\d-\d\d\b"
    rf"|\b\d{{1,2}}(?:\.|th|st|nd|rd|-?go)? ?(?:of )?(?:{_MONTH})"
    rf"|\b(?:{any_of(_AUTO_REPLY['months_before_day'])}) \d{{1,2}}\b"
)

# Label of a field of a contact form, to what it means.
FORM_LABELS = {
    word: field
    for field, words in _WORDS["form_labels"].items()
    if field != "owners"
    for word in words
}
FORM_LABEL_OWNERS = tuple(_WORDS["form_labels"]["owners"])
FORM_INTRODUCTIONS = tuple(_FORM["introductions"])
FORM_FOOTERS = tuple(_FORM["footers"])
FORM_CONSENTS = tuple(_FORM["consents"])
FORM_MAKERS = tuple(_FORM["makers"])

RELAY_BEGINS = tuple(_RELAY["begins"])
RELAY_ENDS = tuple(_RELAY["ends"])
RELAY_FOOTERS = tuple(_RELAY["footers"])
VIA = re.compile(rf"\s(?:{any_of(_RELAY['via'])})\s", re.IGNORECASE)

STUB = re.compile(rf"(?<!\w)(?:{'|'.join(_WORDS['alternative']['stubs'])})", re.IGNORECASE)
