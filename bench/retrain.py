"""``python -m bench.retrain``: how fast odzew learns a shop whose mail is not like the corpus.

The shop sells kitchens to measure, has fitters of its own and an own cause, ``assembly``; its mails
(``bench/shop/``) were written for this by five authors, four to learn from and one to test on. The
labels come in the order of the mails, as people would give them: after 0, 50, 200 and 1,000 the
heads are trained anew, and the same test mails are classified. Before the first label no
classifier can know the own cause, so the table has the accuracy on the shipped causes beside it.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from models.building import LEAST_EXAMPLES, Material, train
from models.corpus import corpus, material
from models.dataset import CAUSES, Example, read_examples
from models.evaluation import evaluate, predict
from triage.classifier import Classifier
from triage.encoder import Encoder

DEFAULT = Path("models/default")
SHOP = Path(__file__).parent / "shop"
OWN = "assembly"
COUNTS = (0, 50, 200, 1000)
TEST = "shop5"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.retrain", description=__doc__)
    parser.add_argument("--weight", type=float, help="of a label of the shop; else the product's")
    parser.add_argument("--cache", type=Path, default=Path("var/bench"))
    options = parser.parse_args()
    encoder = Encoder.load(DEFAULT, precision="fp32")
    active = Classifier.load(DEFAULT)
    labels = (*CAUSES, OWN)
    learn = _interleaved(
        [read_examples([path], causes=labels) for path in _files() if path.stem != TEST]
    )
    test = read_examples([SHOP / f"{TEST}.jsonl"], causes=labels)
    embedded = {
        name: material(rows, encoder, shipped=DEFAULT, cache=options.cache)
        for name, rows in (
            ("train", corpus("train")),
            ("validation", corpus("validation")),
            ("frozen", corpus("test")),
            ("learn", learn),
            ("test", test),
        )
    }
    table = Table(title=f"A shop with the own cause {OWN}; {len(test)} test mails")
    for column in (
        "labels",
        "seconds",
        "cause accuracy",
        "95 %",
        "shipped causes",
        f"recall {OWN}",
        "critical recall",
        "decided",
        "right of these",
        "frozen part",
    ):
        table.add_column(column, justify="right")
    known = np.array([example.cause in CAUSES for example in test])
    for count in COUNTS:
        start = time.perf_counter()
        classifier = active if not count else learnt(embedded, learn[:count], encoder.hash, options)
        seconds = time.perf_counter() - start
        mine = predict(classifier, embedded["test"].embeddings, test)
        report = evaluate(mine)
        frozen = evaluate(
            predict(classifier, embedded["frozen"].embeddings, embedded["frozen"].examples)
        )
        recall = report.causes[OWN].recall if OWN in report.causes else 0.0
        low, high = report.intervals["cause_accuracy"]
        table.add_row(
            str(min(count, len(learn))),
            f"{seconds:.1f}" if count else "",
            f"{report.cause_accuracy:.3f}",
            f"{low:.2f}-{high:.2f}",
            f"{mine.right[known].mean():.3f}",
            f"{recall:.2f}",
            f"{report.critical_recall:.2f}",
            f"{report.decided:.2f}",
            f"{report.decided_accuracy:.3f}",
            f"{frozen.cause_accuracy:.3f}",
        )
    Console().print(table)


def learnt(
    embedded: dict[str, Material], rows: list[Example], hash: str, options: argparse.Namespace
) -> Classifier:
    """As models.retraining does it, without a database."""
    own = embedded["learn"].chosen(np.arange(len(embedded["learn"].examples)) < len(rows))
    enough = sum(example.cause == OWN for example in rows) >= LEAST_EXAMPLES
    causes = (*CAUSES, OWN) if enough else CAUSES
    own = own.chosen(np.array([example.cause in causes for example in rows]))
    return train(
        embedded["train"],
        embedded["validation"],
        own,
        version=f"shop-{len(rows)}",
        encoder_hash=hash,
        causes=causes,
        own_weight=options.weight,
    )


def _files() -> list[Path]:
    return sorted(SHOP.glob("*.jsonl"))


def _interleaved(passes: list[tuple[Example, ...]]) -> list[Example]:
    """A mail of each author in turn: a day's mail is by many people."""
    longest = max(len(rows) for rows in passes)
    return [rows[index] for index in range(longest) for rows in passes if index < len(rows)]


if __name__ == "__main__":
    main()
