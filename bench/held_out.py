"""``python -m bench.held_out``: the classifier trained on some passes, tested on others.

Cross-validation mixes mails of one author and cast into both parts; here the test passes are by
others. The shipped classifier is trained on all of them.
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console

from models.building import train
from models.dataset import CAUSES, URGENCIES, Example, read_examples
from models.evaluation import evaluate
from models.training import embed
from triage.encoder import Encoder
from triage.facts import facts_in, lift

ROOT = Path(__file__).resolve().parent.parent / "models"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.held_out", description=__doc__)
    parser.add_argument("--train", default="abc", help="letters of passes (default: %(default)s)")
    parser.add_argument("--test", default="def", help="letters of passes (default: %(default)s)")
    parser.add_argument("--cache", type=Path, help="folder that keeps embeddings between runs")
    options = parser.parse_args()
    encoder = Encoder.load(ROOT / "default", precision="fp32")
    learnt, unseen = _passes(options.train), _passes(options.test)
    embeddings = embed([e.text for e in (*learnt, *unseen)], encoder, cache=options.cache)
    classifier, _ = train(
        learnt, embeddings[: len(learnt)], version="held-out", encoder_hash=encoder.hash
    )
    causes, urgencies = classifier.predict(embeddings[len(learnt) :])
    limits = np.array([classifier.thresholds[code] for code in CAUSES])
    lifted = [
        lift(dict(zip(URGENCIES, map(float, row), strict=True)), facts_in(example.text))
        for row, example in zip(urgencies, unseen, strict=True)
    ]
    report = evaluate(
        causes,
        np.array([CAUSES.index(e.cause) for e in unseen]),
        np.array([[row[code] for code in URGENCIES] for row in lifted], np.float32),
        np.array([URGENCIES.index(e.urgency) for e in unseen]),
        cause_labels=CAUSES,
        urgency_labels=URGENCIES,
        decided=causes.max(1) >= limits[causes.argmax(1)],
        urgency_scores_alone=urgencies,
    )
    Console().print(report.table(), highlight=False)


def _passes(letters: str) -> tuple[Example, ...]:
    return read_examples(ROOT / "data" / "train" / f"pass-{letter}.jsonl" for letter in letters)


if __name__ == "__main__":
    main()
