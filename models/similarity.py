"""Texts that are nearly the same: by the shares of word triples that they have in common."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from triage.text import without_diacritics

# From this share on two texts say the same in the same words.
NEARLY_THE_SAME = 0.6
_WORDS = 3
# A triple of so many texts is a common phrase and brings no two of them together.
_COMMON = 40
_WORD = re.compile(r"[^\W\d_]+")


def near_duplicates(
    texts: Sequence[str], *, least: float = NEARLY_THE_SAME
) -> list[tuple[int, int, float]]:
    """Pairs of indices (smaller first) with their Jaccard similarity, most similar first.

    Numbers, punctuation, case and diacritics do not count: two orders of one text are the same
    text. Broder 1997, "On the resemblance and containment of documents", with words for bytes.
    """
    shingles = [frozenset(_shingles(text)) for text in texts]
    # Equal ones first: of many copies each is held against the last alone.
    last: dict[frozenset[tuple[str, ...]], int] = {}
    pairs = []
    for index, own in enumerate(shingles):
        if own and own in last:
            pairs.append((last[own], index, 1.0))
        last[own] = index
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for own, index in last.items():
        for shingle in own:
            holders[shingle].append(index)
    for own, index in last.items():
        shared: Counter[int] = Counter()
        for shingle in own:
            if len(holders[shingle]) <= _COMMON:
                shared.update(other for other in holders[shingle] if other < index)
        for other in shared:
            both = len(own & shingles[other])
            similarity = both / (len(own) + len(shingles[other]) - both)
            if similarity >= least:
                pairs.append((other, index, similarity))
    return sorted(pairs, key=lambda pair: (-pair[2], pair[:2]))


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(without_diacritics(text))
    if len(words) <= _WORDS:
        return {tuple(words)} if words else set()
    return {tuple(words[i : i + _WORDS]) for i in range(len(words) - _WORDS + 1)}
