"""Labelled mails as a data set: reading them, checking them, and parts that do not leak.

Labels come from files of the repository (``models/data/train/*.jsonl``) or, as plain rows, from
wherever else there are labelled texts.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.errors import PermanentError
from config.taxonomy import Taxonomy
from triage.text import prepare

# The shipped taxonomy's codes, in the order of the heads of a classifier.
_TAXONOMY = Taxonomy.load()
CAUSES = tuple(cause.code for cause in _TAXONOMY.causes)
URGENCIES = tuple(urgency.code for urgency in _TAXONOMY.urgencies)


class BadExampleError(PermanentError):
    """A labelled mail cannot be used; the message says which one and why."""


@dataclass(frozen=True)
class Example:
    """One labelled mail."""

    id: str
    text: str  # from triage.text.prepare
    cause: str
    urgency: str
    language: str | None = None
    secondary: tuple[str, ...] = ()
    group: str = ""  # examples of one group (a requester) are never in two parts; "": on its own
    at: datetime | None = None  # when the mail was received

    @property
    def text_hash(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_examples(
    paths: Iterable[Path],
    *,
    causes: Sequence[str] = CAUSES,
    urgencies: Sequence[str] = URGENCIES,
) -> tuple[Example, ...]:
    """The examples of JSON Lines files, in the order of the files.

    Raises BadExampleError, naming file and line, for what is no labelled mail.
    """
    examples: list[Example] = []
    for path in paths:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if line.strip():
                where = f"{path.name} line {number}"
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise BadExampleError(f"{where}: not JSON: {error}") from error
                examples.append(_example(row, causes, urgencies, where=where))
    return unique(examples)


def examples_from_rows(
    rows: Iterable[Mapping[str, object]],
    *,
    causes: Sequence[str] = CAUSES,
    urgencies: Sequence[str] = URGENCIES,
) -> tuple[Example, ...]:
    """Examples from rows with the keys id, subject, body, cause, urgency.

    Optional keys: language, secondary and group, the ticket that keeps related rows together.
    """
    return unique(
        _example(row, causes, urgencies, where=f"row {number}")
        for number, row in enumerate(rows, start=1)
    )


def unique(examples: Iterable[Example]) -> tuple[Example, ...]:
    """Each text once; where it comes again, the last label counts."""
    return tuple({example.text: example for example in examples}.values())


def dataset_hash(examples: Iterable[Example]) -> str:
    """SHA-256 over texts and labels, whatever their order, in hexadecimal."""
    lines = sorted(f"{e.text_hash} {e.cause} {e.urgency}\n" for e in examples)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def folds(examples: Sequence[Example], *, count: int = 5, seed: int = 0) -> NDArray[np.int64]:
    """A fold, 0 to count - 1, for each example; shape (n,).

    Examples of a group share a fold. Each cause is spread evenly; the same seed gives the same.
    """
    groups: dict[str, list[int]] = {}
    for index, example in enumerate(examples):
        groups.setdefault(example.group or f"text {example.text_hash}", []).append(index)

    def shuffled(group: str) -> tuple[str, str]:
        # Sorted by cause and then by a hash: dealing them out in turn spreads each cause.
        first = examples[groups[group][0]]
        return first.cause, hashlib.sha256(f"{seed} {group}".encode()).hexdigest()

    result = np.empty(len(examples), np.int64)
    for turn, group in enumerate(sorted(groups, key=shuffled)):
        result[groups[group]] = turn % count
    return result


def _example(
    row: object, causes: Sequence[str], urgencies: Sequence[str], *, where: str
) -> Example:
    if not isinstance(row, Mapping):
        raise BadExampleError(f"{where}: expected an object, found {type(row).__name__}")
    subject, body = row.get("subject") or "", row.get("body") or ""
    if not isinstance(subject, str) or not isinstance(body, str):
        raise BadExampleError(f"{where}: subject and body must be texts")
    text = prepare(subject, body)
    if not text:
        raise BadExampleError(f"{where}: subject and body are empty")
    for key, allowed in (("cause", causes), ("urgency", urgencies)):
        if row.get(key) not in allowed:
            raise BadExampleError(
                f"{where}: {key} is {row.get(key)!r}, allowed: {', '.join(allowed)}"
            )
    secondary = row.get("secondary") or ()
    language = row.get("language")
    return Example(
        id=str(row.get("id", "")),
        text=text,
        cause=str(row["cause"]),
        urgency=str(row["urgency"]),
        language=None if language is None else str(language),
        secondary=tuple(map(str, secondary)) if isinstance(secondary, list | tuple) else (),
        group=str(row.get("group") or ""),
    )
