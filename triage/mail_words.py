"""The words that mail programs write around a mail, read from ``mail_words.toml``.

Words only: ``triage.header_block``, ``triage.quotation`` and the modules of ``worker`` that judge
mails interpret them. A language is added in the data file.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_FILE = Path(__file__).with_suffix(".toml")
_WORDS: Mapping[str, Mapping[str, Sequence[str]]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
_HISTORY = _WORDS["history"]
_SUBJECT = _WORDS["subject"]
_FOOTER = _WORDS["footer"]
_BOUNCE = _WORDS["bounce"]
_AUTO_REPLY = _WORDS["auto_reply"]
THANKS = _WORDS["thanks"]
AUTHORITIES = tuple(_WORDS["authority"]["domains"])
AUTHORITY_LOCAL = re.compile(rf"(?:{'|'.join(_WORDS['authority']['local_parts'])})@", re.IGNORECASE)


def any_of(words: Iterable[str]) -> str:
    """A pattern that matches each of the words as it is written, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _any_pattern(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


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
_ANSWERS = any_of(_HISTORY["answers"])
_COLOURS = any_of(_HISTORY["answer_colours"])
_BELOW = any_of(_HISTORY["answer_below"])
_INSIDE = any_of(_HISTORY["answer_inside"])
ANSWERS_BELOW = re.compile(
    rf"(?<!\bw )\b(?:{_ANSWERS}){_BETWEEN}(?:{_BELOW}|{_INSIDE}|{_COLOURS})\b"
    rf"|\b(?:{_BELOW}|{_COLOURS}){_BETWEEN}(?:{_ANSWERS})\b"
    rf"|\b(?:{any_of(_HISTORY['answer_pointers'])}){_BETWEEN}(?:{_COLOURS})\b",
    re.IGNORECASE,
)

FORWARD_PREFIXES = frozenset(_SUBJECT["forward_prefixes"])
REPLY_PREFIXES = frozenset(_SUBJECT["reply_prefixes"])

DEVICE_LINE_STARTS = tuple(_FOOTER["device_line_starts"])
DEVICE_NAMES = tuple(_FOOTER["device_names"])
DISCLAIMER_STARTS = tuple(_FOOTER["disclaimer_starts"])

MAILER_NAME = _any_pattern(_BOUNCE["mailer_names"])
BOUNCE_SUBJECT = _any_pattern(_BOUNCE["subjects"])
NOT_FAILED_SUBJECT = _any_pattern(_BOUNCE["subjects_not_failed"])
BOUNCE_TEXT = _any_pattern(_BOUNCE["texts"])
DELAYED_TEXT = _any_pattern(_BOUNCE["texts_delayed"])

OUTLOOK_AUTO_PREFIX = re.compile(
    rf"\s*(?:{'|'.join(_AUTO_REPLY['outlook_prefixes'])})\s?[:：]", re.IGNORECASE
)
AUTO_SUBJECT = re.compile(rf"\s*(?:{'|'.join(_AUTO_REPLY['subjects'])})", re.IGNORECASE)
AUTO_TEXT = _any_pattern(_AUTO_REPLY["texts"])
