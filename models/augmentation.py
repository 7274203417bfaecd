"""Texts as others might have typed them: what fine-tuning sees beside the mails as written."""

import random
import re

from triage.text import without_diacritics


def augmented(text: str, rng: random.Random, share: float) -> str:
    """The text as another person might have typed it; unchanged in ``1 - share`` of the calls."""
    if rng.random() >= share:
        return text
    match rng.randrange(7):
        case 0 | 1:
            return without_diacritics(text)
        case 2:
            return text.lower()
        case 3:
            return text.upper()
        case 4:
            return _without_marks(text)
        case 5:
            return _with_typos(text, rng)
        case _:
            return _without_subject(text)


def _without_marks(text: str) -> str:
    return re.sub(r"[.,;:!?\"„”()-]+", " ", text)


def _without_subject(text: str) -> str:
    head, mark, rest = text.partition(". ")
    return rest if mark and len(rest) > 80 and len(head) < 80 else text


def _with_typos(text: str, rng: random.Random) -> str:
    letters = list(text)
    for _ in range(max(1, len(letters) // 60)):
        at = rng.randrange(max(1, len(letters) - 1))
        if all(letter.isalpha() for letter in letters[at : at + 2]) and len(letters) > at + 1:
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)
