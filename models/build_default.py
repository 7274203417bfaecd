"""``python -m models.build_default``: the shipped classifier from its corpus and base encoder.

Fine-tunes the encoder on the training part (half an hour to hours on a processor; a run that was
stopped goes on at the last epoch), calibrates on the validation part, and only then measures, on
the test part: those figures go with the version, and every later candidate is held against them.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from safetensors import safe_open
from safetensors.numpy import save_file

from models.artifact import EMBEDDINGS, write
from models.building import calibrate
from models.corpus import DATA, corpus, material, write_embeddings
from models.dataset import CAUSES, URGENCIES, Example, dataset_hash
from models.encoder_files import write_fine_tuned
from models.evaluation import evaluate, predict
from models.finetuning import Recipe, fine_tune, run_key
from triage.classifier import Classifier, Head
from triage.encoder import Encoder

HERE = Path(__file__).parent
# To be raised whenever another classifier is shipped: installations replace an older one by it.
VERSION = "default-2"


def main() -> None:
    options = _arguments()
    console = Console(stderr=True)
    examples, unseen = corpus("train", options.data), corpus("validation", options.data)
    work: Path = options.work
    with Progress(console=console) as progress:
        task = progress.add_task("fine-tuning", total=None)
        cause, urgency = _tuned(
            options.base,
            examples,
            replace(Recipe(), epochs=options.epochs),
            work,
            on_progress=lambda done, total, loss: progress.update(
                task, completed=done, total=total, description=f"fine-tuning, loss {loss:.3f}"
            ),
        )
        # What is shipped is measured: the weights as they are after packing, always in 32 bits.
        encoder = Encoder.load(work, precision="fp32")
        task = progress.add_task("reading the mails", total=None)
        everything = material(
            [*examples, *unseen, *corpus("test", options.data)],
            encoder,
            cache=work / "cache",
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    write_embeddings(everything, encoder.hash, work / EMBEDDINGS)
    n, m = len(examples), len(unseen)
    parts = np.repeat((0, 1, 2), (n, m, len(everything.examples) - n - m))
    validation, test = everything.chosen(parts == 1), everything.chosen(parts == 2)
    bare = Classifier(
        version=options.version,
        encoder_hash=encoder.hash,
        mean=np.zeros(encoder.dimensions, np.float32),
        cause=cause,
        urgency=urgency,
        thresholds=dict.fromkeys(CAUSES, 1.0),
        preselect=dict.fromkeys(CAUSES, 1.0),
    )
    classifier = calibrate(bare, validation)
    report = evaluate(predict(classifier, test.embeddings, test.examples))
    manifest = write(
        options.output,
        classifier,
        training_hash=dataset_hash(examples),
        metrics=report.as_json() | {"test_hash": dataset_hash(test.examples)},
        parent=None,
        created_at=datetime.now(UTC),
        encoder_folder=work,
    )
    Console().print(report.table(), highlight=False)
    size = sum(entry.size for entry in manifest.files.values())
    console.print(f"{options.output}: {manifest.version}, {size / 1e6:.1f} MB")


def _tuned(
    base: Path,
    examples: Sequence[Example],
    recipe: Recipe,
    work: Path,
    *,
    on_progress: Callable[[int, int, float], None],
) -> tuple[Head, Head]:
    """Fine-tune into the folder ``work``, unless this very run is there already; the two heads."""
    work.mkdir(parents=True, exist_ok=True)
    encoder = Encoder.load(base, precision="fp32")
    key, done = run_key(encoder, examples, recipe), work / "heads.safetensors"
    if done.exists():
        with safe_open(done, "np") as file:
            if (file.metadata() or {}).get("key") == key:
                cause, urgency = (
                    Head(labels, file.get_tensor(f"{name}.weight"), file.get_tensor(f"{name}.bias"))
                    for name, labels in (("cause", CAUSES), ("urgency", URGENCIES))
                )
                return cause, urgency
    cause, urgency = fine_tune(
        encoder,
        examples,
        causes=CAUSES,
        urgencies=URGENCIES,
        recipe=recipe,
        checkpoint=work / "checkpoint.safetensors",
        on_progress=on_progress,
    )
    write_fine_tuned(encoder, base, work)
    arrays = {
        f"{name}.{part}": getattr(head, part)
        for name, head in (("cause", cause), ("urgency", urgency))
        for part in ("weight", "bias")
    }
    save_file(arrays, done, metadata={"key": key})
    return cause, urgency


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models.build_default", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the corpus")
    parser.add_argument(
        "--base",
        type=Path,
        default=Path("var/base-encoder"),
        help="base encoder, made by `python -m bench.base_encoder` (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, default=HERE / "default")
    parser.add_argument("--version", default=VERSION, help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=Recipe().epochs)
    parser.add_argument(
        "--work", type=Path, default=Path("var/training"), help="where a stopped run goes on"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
