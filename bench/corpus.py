"""``python -m bench.corpus``: what the corpus holds, how alike its mails are, how sure its labels.

Counts by part; pairs of mails that share too many word triples, within and across the parts; with
``--meaning``, the pairs across the parts that the base encoder (``var/base-encoder``, which has
seen no label) finds most alike, to read and judge whether they tell the same story; and the
agreement of a second labelling that was made without seeing the first
(``models/data/second-labels.jsonl`` has both as they were), as share and as Cohen's kappa (1960).
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from models.corpus import DATA, Part, corpus
from models.dataset import CAUSES, URGENCIES, Example
from models.similarity import near_duplicates
from models.training import embed
from triage.encoder import Encoder

PARTS: tuple[Part, ...] = ("train", "validation", "test")
SECOND = DATA / "second-labels.jsonl"
LEAST_SHOWN = 0.25


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.corpus", description=__doc__)
    arguments.add_argument("--meaning", action="store_true", help="minutes, the first time")
    options = arguments.parse_args()
    console = Console()
    parts = {part: corpus(part) for part in PARTS}
    console.print(counts(parts))
    everything = [(part, example) for part, examples in parts.items() for example in examples]
    pairs = near_duplicates([example.text for _, example in everything], least=LEAST_SHOWN)
    console.print(
        f"{len(everything)} mails; pairs that share at least a quarter of their word triples: "
        f"{len(pairs)}"
    )
    for one, two, similarity in pairs[:20]:
        (first_part, first), (second_part, second) = everything[one], everything[two]
        across = "" if first_part == second_part else f"  ACROSS {first_part} and {second_part}"
        console.print(
            f"  {similarity:.2f}  {first.id} {second.id}{across}", markup=False, highlight=False
        )
    if options.meaning:
        for line in nearest_stories(parts):
            console.print(line, markup=False, highlight=False)
    if SECOND.exists():
        console.print(agreement(SECOND))


def nearest_stories(parts: dict[Part, tuple[Example, ...]]) -> Iterator[str]:
    """How near the mails of a part come to those of another, and the nearest pairs."""
    encoder = Encoder.load(Path("var/base-encoder"), precision="fp32")
    seen = {
        part: embed([e.text for e in examples], encoder, cache=Path("var/bench"))
        for part, examples in parts.items()
    }
    mean = seen["train"].mean(0)
    for part, rows in seen.items():
        seen[part] = (rows - mean) / np.linalg.norm(rows - mean, axis=1, keepdims=True)
    across: tuple[tuple[Part, Part], ...] = (
        ("test", "train"),
        ("validation", "train"),
        ("test", "validation"),
    )
    for one, other in across:
        cosines = seen[one] @ seen[other].T
        nearest, best = cosines.argmax(1), cosines.max(1)
        middle, high, top = np.quantile(best, (0.5, 0.99, 1.0))
        yield (
            f"nearest in {other} to a mail of {one}: cosine {middle:.2f} in the middle, "
            f"{high:.2f} for one in a hundred, {top:.2f} at most"
        )
        for index in best.argsort()[::-1][:12]:
            mine, theirs = parts[one][index], parts[other][nearest[index]]
            yield f"  {best[index]:.2f}  {mine.id} {mine.text[:150]!r}"
            yield f"        {theirs.id} {theirs.text[:150]!r}"


def counts(parts: dict[Part, tuple[Example, ...]]) -> Table:
    table = Table(title="Mails by part", title_justify="left")
    table.add_column("")
    for part in parts:
        table.add_column(part, justify="right")
    table.add_column("all", justify="right")
    rows: list[tuple[str, list[int]]] = [("mails", [len(rows) for rows in parts.values()])]
    for label, values in (
        ("cause", CAUSES),
        ("urgency", URGENCIES),
        ("language", ("pl", "en", "de", "cs", "uk")),
    ):
        for value in values:
            rows.append(
                (
                    f"{label} {value}",
                    [sum(getattr(e, label) == value for e in rows) for rows in parts.values()],
                )
            )
    for name, numbers in rows:
        table.add_row(name, *map(str, numbers), str(sum(numbers)))
    return table


def agreement(path: Path) -> Table:
    """How often two labellers said the same, before anybody compared them."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    table = Table(title=f"Second labelling of {len(rows)} mails", title_justify="left")
    for column in ("label", "same", "kappa", "differences (first / second)"):
        table.add_column(column)
    for label in ("cause", "urgency"):
        pairs = [(row[f"first_{label}"], row[label]) for row in rows]
        same = sum(one == two for one, two in pairs) / len(pairs)
        ones, twos = (Counter(values) for values in zip(*pairs, strict=True))
        chance = sum(ones[value] * twos[value] for value in ones) / len(pairs) ** 2
        differences = Counter(pair for pair in pairs if pair[0] != pair[1]).most_common(6)
        table.add_row(
            label,
            f"{same:.3f}",
            f"{(same - chance) / (1 - chance):.3f}",
            ", ".join(f"{one} / {two} {count}" for (one, two), count in differences),
        )
    return table


if __name__ == "__main__":
    main()
