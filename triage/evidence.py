"""Why: the parts of a mail that decided its cause and its urgency.

Each part is left out in turn and the rest is classified again (occlusion: Zeiler and Fergus
2014; for texts: Li et al. 2016, "Understanding Neural Networks through Representation Erasure").
What the encoder does not see has no weight, and no word is blamed that did not change the outcome.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triage.decision import choose_urgency
from triage.facts import facts_in, lift
from triage.text import MAX_CHARACTERS, prepare
from triage.triager import Triager

# So many classifications at most are spent on one mail: less than a second on two cores.
MOST_PARTS = 16
# A text of few words is looked at word by word, a longer one by sentences.
_FEW_WORDS = 14
# A weight below this is noise.
_LEAST = 0.02

_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")
_CLAUSE = re.compile(r"(?<=[,;:–])\s+")
_LONG_SENTENCE = 30  # words


@dataclass(frozen=True)
class Evidence:
    """A part of the mail and what it did for the prediction."""

    of: str  # cause or urgency
    text: str  # as written, in one line
    weight: float  # -1 to 1: its share of all influence; below 0 it spoke for something else


def explain(triager: Triager, subject: str, text: str) -> tuple[Evidence, ...]:
    """The parts that decided, strongest first; () for a mail that cannot be taken apart.

    The weights of one prediction, signs put aside, sum to at most 1. They say what moved the
    heads; a fact that lifted the urgency beyond them (triage.facts) stands in ``Triage.facts``.
    """
    parts = parts_of(subject, text)
    if len(parts) < 2:
        return ()
    without = [_joined(parts, leave_out=index) for index in range(len(parts))]
    prepared = [prepare(title, body) for title, body in (_joined(parts), *without)]
    causes, urgencies = triager.classifier.predict(triager.encoder.encode(prepared))
    texts = [part for _, part in parts]
    lifted = lift(
        dict(zip(triager.classifier.urgency.labels, map(float, urgencies[0]), strict=True)),
        facts_in(prepared[0]),
    )
    urgency = choose_urgency(lifted, triager.classifier.critical_from)
    return (
        *_weighed("cause", causes, int(causes[0].argmax()), texts),
        *_weighed("urgency", urgencies, triager.classifier.urgency.labels.index(urgency), texts),
    )


def parts_of(subject: str, text: str) -> list[tuple[bool, str]]:
    """(is the subject, words): sentences, or words where there are few; at most MOST_PARTS."""
    title, text = " ".join(subject[:MAX_CHARACTERS].split()), text[: 2 * MAX_CHARACTERS]
    if len(f"{title} {text}".split()) <= _FEW_WORDS:
        words = [(True, word) for word in title.split()] + [(False, w) for w in text.split()]
        return words
    sentences = [part for part in map(str.strip, _SENTENCE.split(text)) if part]
    pieces = [piece for sentence in sentences for piece in _pieces(sentence)]
    room = MOST_PARTS - (1 if title else 0)
    # The last place takes what is left: the encoder sees little of so long a mail.
    if len(pieces) > room:
        pieces = [*pieces[: room - 1], " ".join(pieces[room - 1 :])]
    return [*([(True, title)] if title else []), *((False, piece) for piece in pieces)]


def _pieces(sentence: str) -> list[str]:
    return _CLAUSE.split(sentence) if len(sentence.split()) > _LONG_SENTENCE else [sentence]


def _joined(parts: Sequence[tuple[bool, str]], leave_out: int = -1) -> tuple[str, str]:
    kept = [part for index, part in enumerate(parts) if index != leave_out]
    return (
        " ".join(words for is_subject, words in kept if is_subject),
        " ".join(words for is_subject, words in kept if not is_subject),
    )


def _weighed(
    of: str, probabilities: NDArray[np.float32], chosen: int, texts: Sequence[str]
) -> tuple[Evidence, ...]:
    """probabilities: shape (1 + parts, k); the first row is the whole mail's. chosen: a column."""
    # Log odds, since a probability near 1 hardly moves however much speaks for it.
    mine = probabilities[:, chosen].astype(np.float64).clip(1e-6, 1 - 1e-6)
    odds = np.log(mine / (1 - mine))
    influence = odds[0] - odds[1:]
    total = float(np.abs(influence).sum())
    if total == 0:
        return ()
    shares = influence / total
    order = np.argsort(-np.abs(shares), kind="stable")
    return tuple(
        Evidence(of, " ".join(texts[i].split()), round(float(shares[i]), 3))
        for i in order
        if abs(shares[i]) >= _LEAST
    )
