"""Whether a mail says thanks and nothing else."""

import re

from triage.mail_words import THANKS, any_of
from triage.text import without_diacritics

MAX_CHARACTERS = 300

_WORD = re.compile(r"[^\W\d_]+")
_THANKS = re.compile(rf"\b(?:{any_of(without_diacritics(word) for word in THANKS['thanks'])})\b")
_POLITE = re.compile(
    rf"\b(?:{any_of(without_diacritics(word) for word in THANKS['with_it'])})\b", re.IGNORECASE
)


def is_mere_thanks(text: str) -> bool:
    """Thanks, greetings, courtesies and at most two words more with a capital: a name.

    Anything that could ask for something is no mere thanks: a digit, a question mark, a word that
    is not in the lists (``triage/mail_words.toml``).
    """
    plain = without_diacritics(text[: MAX_CHARACTERS + 1])
    if not plain.strip() or len(plain) > MAX_CHARACTERS or "?" in plain:
        return False
    if any(char.isdigit() for char in plain) or not _THANKS.search(plain):
        return False
    rest = _WORD.findall(_POLITE.sub(" ", _THANKS.sub(" ", plain)))
    names = {without_diacritics(word) for word in _WORD.findall(text) if word[0].isupper()}
    return len(rest) <= 2 and names.issuperset(rest)
