"""``python -m bench.evaluate``: the shipped classifier on a part of the corpus, and its pictures.

The frozen test part is for this alone: nothing is trained, tuned or calibrated on it. Prints the
report, slices by language and length, the thresholds with what they decide, and the errors by pair;
``--pictures`` writes the reliability and coverage plots of docs/classifier.md.
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
from rich.console import Console
from rich.table import Table

from models.corpus import Part, corpus, material
from models.evaluation import Predictions, evaluate, predict
from models.report import coverage_svg, reliability_svg, threshold_rows
from triage.classifier import Classifier
from triage.encoder import Encoder

DEFAULT = Path("models/default")
PICTURES = Path("docs/pictures")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.evaluate", description=__doc__)
    parser.add_argument("--part", choices=get_args(Part), default="test")
    parser.add_argument("--classifier", type=Path, default=DEFAULT)
    parser.add_argument("--pictures", action="store_true", help=f"write plots to {PICTURES}")
    parser.add_argument("--errors", action="store_true", help="print each wrong cause")
    options = parser.parse_args()
    console = Console()
    classifier = Classifier.load(options.classifier)
    encoder = Encoder.load(options.classifier, precision="fp32")
    # Computed anew, not taken from the shipped embeddings: what is measured is what runs.
    seen = material(corpus(options.part), encoder)
    predictions = predict(classifier, seen.embeddings, seen.examples)
    console.print(evaluate(predictions).table(), highlight=False)
    console.print(slices(predictions, [e.language or "" for e in seen.examples], "language"))
    polish = ["pl" if e.language == "pl" else "all others" for e in seen.examples]
    console.print(slices(predictions, polish, "language"))
    console.print(slices(predictions, [_length(e.text) for e in seen.examples], "words"))
    console.print(thresholds(classifier, predictions))
    wrong = Counter(
        (predictions.cause_labels[label], predictions.cause_labels[found])
        for label, found in zip(predictions.causes, predictions.predicted_causes, strict=True)
        if label != found
    )
    for (label, found), count in wrong.most_common(12):
        console.print(f"  {label} taken for {found}: {count}", highlight=False)
    if options.errors:
        for example, right, found in zip(
            seen.examples, predictions.right, predictions.predicted_causes, strict=True
        ):
            if not right:
                label = predictions.cause_labels[found]
                console.print(f"{example.id} {example.cause} -> {label}: {example.text}\n")
    if options.pictures:
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / "reliability.svg").write_text(reliability_svg(predictions), "utf-8")
        (PICTURES / "coverage.svg").write_text(coverage_svg(predictions), "utf-8")


def slices(p: Predictions, values: list[str], title: str) -> Table:
    table = Table(title=f"By {title}", title_justify="left")
    for column in (title, "mails", "cause accuracy", "urgency accuracy"):
        table.add_column(column, justify="right")
    names = np.array(values)
    for name in sorted(set(values)):
        mine = names == name
        table.add_row(
            name,
            str(int(mine.sum())),
            f"{p.right[mine].mean():.3f}",
            f"{(p.predicted_urgencies == p.urgencies)[mine].mean():.3f}",
        )
    return table


def thresholds(classifier: Classifier, p: Predictions) -> Table:
    table = Table(title="Levels by predicted cause", title_justify="left")
    for column in ("cause", "preselect from", "automatic from", "decided", "right of these"):
        table.add_column(column, justify="right")
    for row in threshold_rows(classifier, p):
        precision = "" if row["precision"] is None else f"{row['precision']:.3f}"
        table.add_row(
            row["cause"],
            f"{row['preselect']:.2f}",
            f"{row['automatic']:.2f}",
            f"{row['decided']:.2f}",
            precision,
        )
    return table


def _length(text: str) -> str:
    words = len(text.split())
    return (
        "1-15" if words <= 15 else "16-60" if words <= 60 else "61-120" if words <= 120 else "121-"
    )


if __name__ == "__main__":
    main()
