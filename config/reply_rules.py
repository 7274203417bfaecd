"""What an automatic reply must and must not say, checked on every text before it is used.

The word lists are data: ``replies/rules.toml``. They hold for all languages at once, so that a
reply in two languages is checked in both.
"""

import re
import tomllib
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_RULES = Path(__file__).with_name("replies") / "rules.toml"
# A reference, or its place in a template.
_REFERENCE = re.compile(r"[A-Z]{2,8}-\d{4}-\d{4,}|\$reference\b|\$\{reference\}")
_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"']+", re.IGNORECASE)
_SAME_LETTER = str.maketrans({"ł": "l", "’": "'", "ʼ": "'", "\N{NON-BREAKING HYPHEN}": "-"})


@dataclass(frozen=True)
class _Phrase:
    text: str  # as it stands in the file, for the sentence
    core: str  # its longest piece without a star, folded
    pattern: re.Pattern[str]  # over folded text

    def is_in(self, folded: str) -> bool:
        # Most phrases are in no text at all, and a plain search says so 20 times faster.
        return self.core in folded and self.pattern.search(folded) is not None


@dataclass(frozen=True)
class _Rules:
    required: dict[str, dict[str, tuple[_Phrase, ...]]]  # by language, then by what it says
    explanations: dict[str, str]
    forbidden: tuple[tuple[str, tuple[_Phrase, ...]], ...]  # why, and the phrases
    terms: tuple[str, ...]  # the allowed sentences with a number of days, folded


def lint(
    text: str,
    language: str,
    *,
    ours: Sequence[str] = (),
    links: Collection[str] | None = None,
) -> list[str]:
    """Each rule that the text breaks, as the end of a sentence that begins "the reply"; [] if none.

    text: subject, blank line, body, of a template or of a finished reply.
    ours: values put into the text (the shop's name and address), whose words are no statements.
    links: the only links the text may hold; None: not checked.
    """
    rules = _rules()
    folded = _fold(text)
    subject, _, body = text.partition("\n")
    problems = [
        f"does not say the reference in the {part}"
        for part, content in (("subject", subject), ("body", body))
        if not _REFERENCE.search(content)
    ]
    for key, phrases in rules.required[language].items():
        if not any(phrase.is_in(folded) for phrase in phrases):
            problems.append(
                f"does not say {rules.explanations[key]}: {_choice(phrases)} in {language!r}"
            )
    words = _statements(text, rules.terms, ours)
    for why, phrases in rules.forbidden:
        problems += [
            f'says "{phrase.text}", which {why}'
            for phrase in phrases
            if phrase.is_in(folded if "/" in phrase.text else words)
        ]
    if links is not None:
        problems += [
            f'links to "{link}"; only the privacy notice and the shop\'s own address may be linked'
            for link in _links(text)
            if link not in {known for allowed in links for known in (allowed, *_links(allowed))}
        ]
    return problems


def _links(text: str) -> list[str]:
    return [link.rstrip(".,;:)") for link in _LINK.findall(text)]


def _choice(phrases: Sequence[_Phrase]) -> str:
    return " or ".join(f'"{phrase.text}"' for phrase in phrases)


def _statements(text: str, terms: Sequence[str], ours: Sequence[str]) -> str:
    """The folded text without links and addresses, allowed terms, and the shop's own words.

    The terms go first: an order number "14" among ``ours`` must not cut one in two.
    """
    is_link = re.compile(r"@|://|www\.", re.IGNORECASE).search
    words = _fold(" ".join(word for word in text.split() if not is_link(word)))
    for term in terms:
        words = words.replace(term, " ")
    for own in sorted(map(_fold, ours), key=len, reverse=True):
        words = re.sub(rf"(?<!\w){re.escape(own)}(?!\w)", " ", words) if own else words
    return words


def _fold(text: str) -> str:
    """Lower case, no accents, no invisible characters, single spaces."""
    letters = unicodedata.normalize("NFKD", text.casefold().translate(_SAME_LETTER))
    kept = (c for c in letters if unicodedata.category(c) not in ("Mn", "Cf"))
    return " ".join("".join(kept).split())


def _phrase(text: str) -> _Phrase:
    folded = _fold(text)
    pieces = folded.split("*")
    body = r"\w*".join(map(re.escape, pieces))
    # A phrase matches whole words; an edge that is no letter ("<a") has nothing to be whole.
    start = r"(?<!\w)" if folded[0].isalnum() else ""
    end = r"(?!\w)" if folded[-1].isalnum() else ""
    core = max(pieces, key=len)
    return _Phrase(text=text, core=core, pattern=re.compile(start + body + end))


@lru_cache
def _rules() -> _Rules:
    document = tomllib.loads(_RULES.read_text(encoding="utf-8"))
    explanations = {k: v for k, v in document["required"].items() if isinstance(v, str)}
    required = {
        language: {key: tuple(map(_phrase, table[key])) for key in explanations}
        for language, table in document["required"].items()
        if isinstance(table, dict)
    }
    forbidden = tuple(
        (
            rule["because"],
            tuple(
                _phrase(text) for key, texts in rule.items() if key != "because" for text in texts
            ),
        )
        for rule in document["forbidden"]
    )
    terms = [phrase.text for by_key in required.values() for phrase in by_key["term"]]
    return _Rules(
        required=required,
        explanations=explanations,
        forbidden=forbidden,
        terms=tuple(map(_fold, terms)),
    )
