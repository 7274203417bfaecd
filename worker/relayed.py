"""The customer's words in a mail that a marketplace relays, apart from the marketplace's own."""

import re
from collections.abc import Sequence

from triage.mail_words import RELAY_BEGINS, RELAY_ENDS, RELAY_FOOTERS
from triage.signature import trimmed
from worker.form_fields import field_of, plain_words

_RULED = re.compile(r"\s*[-=_*~—–]{2,}\s*(?P<title>[^\W_].{0,60}?)\s*[-=_*~—–]{2,}\s*")
_RULE = re.compile(r"\s*[-=_*~—–]{5,}\s*")
_BEGINS = tuple(map(plain_words, RELAY_BEGINS))
_ENDS = tuple(map(plain_words, RELAY_ENDS))
_FOOTERS = tuple(map(plain_words, RELAY_FOOTERS))


def without_marketplace(lines: Sequence[str]) -> list[str]:
    """The lines without the marketplace's footer; lines that name an order stay, at the end.

    The footer is what stands below the line "End message" that answers a line "Begin message", both
    between dashes, or below a rule whose next line begins as such footers do.
    """
    begin = next((i for i, line in enumerate(lines) if _title(line) in _BEGINS), None)
    ends = [i for i, line in enumerate(lines) if _title(line) in _ENDS]
    if begin is not None and ends and ends[-1] > begin:
        message = trimmed(list(lines[begin + 1 : ends[-1]]))
        return _joined([*trimmed(list(lines[:begin])), "", *message], lines[ends[-1] + 1 :])
    for index, line in enumerate(lines):
        following = next((text for text in lines[index + 1 : index + 4] if text.strip()), "")
        if _RULE.fullmatch(line) and plain_words(following[:200]).startswith(_FOOTERS):
            return _joined(lines[:index], lines[index + 1 :])
    return list(lines)


def _title(line: str) -> str:
    ruled = _RULED.fullmatch(line[:200])
    return plain_words(ruled["title"]) if ruled else ""


def _joined(kept: Sequence[str], footer: Sequence[str]) -> list[str]:
    orders = [line for line in footer if field_of(line.partition(":")[0][:80]) == "order"]
    return [*trimmed(list(kept)), *([""] if orders else []), *orders]
