"""Facts about urgency that a text states in so many words, in the five languages of the product.

A classifier overlooks a burnt hand in a sentence about a refund. What is stated plainly is found
here by words (``facts.toml``), whatever case and diacritics. Most facts say that the mail is
critical: (a) people or animals harmed or in danger, (b) an institution with a deadline or already
at work, (c) a statutory time limit that is over or about to end. Two say that its urgency is high:
an expensive thing, an occasion that is near.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.decision import CRITICAL
from triage.entities import amounts
from triage.money import value_of
from triage.text import without_diacritics

# How sure a stated fact makes us that a mail is critical. Of 540 labelled mails that the words were
# not chosen from, 60 stated one and 55 of these were critical.
STATED = 0.85
# How many times likelier a stated fact makes it that the urgency is high; chosen on the validation
# part, where 96 in 100 mails that name such a price are high or critical.
TIMES_LIKELIER = 20.0
HIGH = "high"
# From this price on a thing is expensive: the limits of the taxonomy.
_EXPENSIVE = {"PLN": 1500, "EUR": 350, "GBP": 300, "CZK": 8000, "UAH": 15000, "USD": 375}
# An institution counts with a filing or a deadline so near, a term with the word that it is over.
_NEAR = 180  # characters

_WORDS: Mapping[str, Mapping[str, Sequence[str]]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text("utf-8")
)
_APOSTROPHES = str.maketrans("", "", "'’ʼ")


@dataclass(frozen=True)
class Fact:
    name: str
    excerpt: str  # the words that state it, folded
    urgency: str = CRITICAL  # what it speaks for


def facts_in(text: str) -> tuple[Fact, ...]:
    """Every fact that the text states, each once, in a fixed order."""
    folded = fold(text)
    critical = ((name, find(folded), CRITICAL) for name, find in _FACTS.items())
    high = (("expensive", expensive(text), HIGH), ("occasion", occasion(folded), HIGH))
    return tuple(
        Fact(name, excerpt, urgency)
        for name, excerpt, urgency in (*critical, *high)
        if excerpt is not None
    )


def lift(urgencies: Mapping[str, float], facts: Sequence[Fact]) -> dict[str, float]:
    """Probabilities of the urgencies once the facts are known; they still sum to 1.

    Each fact that speaks for high makes it TIMES_LIKELIER than what is below it; critical keeps
    what it had. With one that speaks for critical, critical gets at least STATED and the others
    share the rest in the proportions they had.
    Without such an urgency nothing changes.
    """
    lifted = dict(urgencies)
    speak_for_high = sum(fact.urgency == HIGH for fact in facts)
    if speak_for_high and HIGH in lifted:
        lifted[HIGH] *= TIMES_LIKELIER**speak_for_high
        below = 1 - lifted.get(CRITICAL, 0.0)
        total = sum(p for code, p in lifted.items() if code != CRITICAL)
        lifted = {
            code: probability if code == CRITICAL else probability * below / total
            for code, probability in lifted.items()
        }
    known = lifted.get(CRITICAL, 1.0)
    if known >= STATED or all(fact.urgency != CRITICAL for fact in facts):
        return lifted
    rest = (1 - STATED) / (1 - known)
    return {
        code: STATED if code == CRITICAL else probability * rest
        for code, probability in lifted.items()
    }


def fold(text: str) -> str:
    """Lower case, without diacritics and apostrophes."""
    return without_diacritics(text).translate(_APOSTROPHES)


def injury(folded: str) -> str | None:
    return _first("injury", folded)


def allergy(folded: str) -> str | None:
    return _first("allergy", folded)


def fire(folded: str) -> str | None:
    return _first("fire", folded)


def electric_shock(folded: str) -> str | None:
    return _first("electric_shock", folded)


def gas(folded: str) -> str | None:
    return _first("gas", folded)


def choking(folded: str) -> str | None:
    return _first("choking", folded)


def institution(folded: str) -> str | None:
    """Court, office, police or chargeback, with a deadline or a filing near."""
    return _near("institution", "filed", folded) or _near("institution", "deadline", folded)


def statutory_term(folded: str) -> str | None:
    """The law's 14 days (30 in Czechia), said to be over or to end within days."""
    return _near("statutory_term", "over", folded)


def occasion(folded: str) -> str | None:
    """A wedding, a birthday, a journey, with a day that is near."""
    return _near("occasion", "soon", folded)


def expensive(text: str) -> str | None:
    """A sum from which on the taxonomy calls a thing expensive; taken from the text as written."""
    for amount in amounts(text):
        value = value_of(amount)
        if value is not None and value[0] >= _EXPENSIVE[value[1]]:
            return amount
    return None


def _compiled(fact: str, key: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(_WORDS[fact][key])})")


_FACTS: Mapping[str, Callable[[str], str | None]] = {
    find.__name__: find
    for find in (
        injury,
        allergy,
        fire,
        electric_shock,
        gas,
        choking,
        institution,
        statutory_term,
    )
}
_PATTERNS = {(fact, key): _compiled(fact, key) for fact, words in _WORDS.items() for key in words}


def _first(fact: str, folded: str) -> str | None:
    match = _PATTERNS[fact, "patterns"].search(folded)
    return None if match is None else match.group()


def _near(fact: str, key: str, folded: str) -> str | None:
    for match in _PATTERNS[fact, "patterns"].finditer(folded):
        around = folded[max(0, match.start() - _NEAR) : match.end() + _NEAR]
        company = _PATTERNS[fact, key].search(around)
        if company is not None:
            return f"{match.group()} … {company.group()}"
    return None
