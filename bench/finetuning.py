"""``python -m bench.finetuning VARIANT...``: recipes for the classifier, compared on validation.

Each variant is trained on the training part (or on a share of it: ``--share``) and judged on the
validation part, by the heads as they come, without facts. The test part is not read. Results are
appended to ``var/finetuning.jsonl``; without a variant they are printed as a table. One variant
takes from seconds (TF-IDF) to an hour on two cores.
"""

import argparse
import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from models.corpus import corpus
from models.dataset import CAUSES, URGENCIES, Example
from models.evaluation import label_scores
from models.finetuning import Recipe, fine_tune, run_key
from models.registry import default_folder, load_with_encoder
from models.training import embed, train_head
from triage.classifier import Head, softmax
from triage.encoder import Encoder
from triage.quantization import read_packed, to_bytes

BASE = Path("var/base-encoder")
RESULTS = Path("var/finetuning.jsonl")
_HASHED = 8192

# What differs from the shipped recipe.
RECIPES: dict[str, Recipe] = {
    "shipped": Recipe(),
    "plain": replace(Recipe(), contrastive=0, augmentation=0, layer_decay=1, average=0),
    "no-contrast": replace(Recipe(), contrastive=0),
    "no-augmentation": replace(Recipe(), augmentation=0),
    "one-rate": replace(Recipe(), layer_decay=1),
    "no-averaging": replace(Recipe(), average=0),
    "double-rate": replace(Recipe(), rate=2 * Recipe().rate),
    "subject-segment": Recipe(),
    "self-distilled": Recipe(),
    "six-layers": Recipe(),
    "six-layers-distilled": Recipe(),
}
TEACHERS = Path("var/bench")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.finetuning", description=__doc__)
    parser.add_argument("variants", nargs="*", choices=[[], "tf-idf", "frozen", *RECIPES])
    parser.add_argument(
        "--share", type=float, default=1.0, help="of each pass of the training part"
    )
    parser.add_argument("--epochs", type=int, help="in place of the recipe's")
    options = parser.parse_args()
    examples = [e for e in corpus("train") if _drawn(e.id) < options.share]
    unseen = corpus("validation")
    for name in options.variants:
        start = time.perf_counter()
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task(name, total=None)

            def show(done: int, total: int, loss: float, task: TaskID = task) -> None:
                progress.update(task, completed=done, total=total, description=f"loss {loss:.2f}")

            cause, urgency = judged(name, examples, unseen, options.epochs, show)
        row = {
            "variant": name,
            "examples": len(examples),
            "epochs": options.epochs or RECIPES.get(name, Recipe()).epochs,
            "seconds": round(time.perf_counter() - start),
            **figures(cause, urgency, unseen),
        }
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    if RESULTS.exists():
        Console().print(results())


def judged(
    name: str,
    examples: Sequence[Example],
    unseen: Sequence[Example],
    epochs: int | None,
    show: Callable[[int, int, float], None],
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of cause and urgency for the unseen examples, shapes (n, k)."""
    if name == "tf-idf":
        learnt, seen = tf_idf([e.text for e in examples], [e.text for e in unseen])
        return _heads(learnt, seen, examples)
    base = every_second_layer(BASE, Path("var/base-six")) if name.startswith("six") else BASE
    encoder = Encoder.load(base, precision="fp32")
    if name == "frozen":
        cache = Path("var/bench")
        learnt = embed([e.text for e in examples], encoder, cache=cache)
        return _heads(learnt, embed([e.text for e in unseen], encoder, cache=cache), examples)
    recipe = RECIPES[name]
    if epochs:
        recipe = replace(recipe, epochs=epochs)
    if name == "subject-segment":
        examples, unseen = (
            [replace(e, text=_segmented(e.text)) for e in s] for s in (examples, unseen)
        )
    kept = _teacher_file(encoder, examples, recipe)
    heads = fine_tune(
        encoder,
        examples,
        causes=CAUSES,
        urgencies=URGENCIES,
        recipe=recipe,
        teacher=taught(examples, recipe, show) if name.endswith("distilled") else None,
        on_progress=show,
    )
    if name == "shipped":
        _keep_teacher(kept, heads, encoder, examples)
    seen = encoder.encode([e.text for e in unseen])
    cause, urgency = heads
    return cause.logits(seen), urgency.logits(seen)


def taught(
    examples: Sequence[Example], recipe: Recipe, show: Callable[[int, int, float], None]
) -> tuple[np.ndarray, np.ndarray]:
    """What a classifier of twelve layers, trained with the recipe, says of its own examples.

    For the whole training part that is the shipped one; for a share, one is trained and its word
    kept in ``var/bench``.
    """
    texts = [e.text for e in examples]
    if len(examples) == len(corpus("train")):
        classifier, encoder, _ = load_with_encoder(default_folder())
        return classifier.predict(encoder.encode(texts))
    encoder = Encoder.load(BASE, precision="fp32")
    kept = _teacher_file(encoder, examples, recipe)
    if not kept.exists():
        heads = fine_tune(
            encoder, examples, causes=CAUSES, urgencies=URGENCIES, recipe=recipe, on_progress=show
        )
        _keep_teacher(kept, heads, encoder, examples)
    with np.load(kept) as arrays:
        return arrays["arr_0"], arrays["arr_1"]


def _teacher_file(untrained: Encoder, examples: Sequence[Example], recipe: Recipe) -> Path:
    return TEACHERS / f"teacher-{run_key(untrained, examples, recipe)[:16]}.npz"


def _keep_teacher(
    file: Path, heads: tuple[Head, Head], trained: Encoder, examples: Sequence[Example]
) -> None:
    embedded = trained.encode([e.text for e in examples])
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, *(softmax(head.logits(embedded)) for head in heads))


def every_second_layer(base: Path, folder: Path) -> Path:
    """A thinner encoder to start from: layers 1, 3, 5, ... of the base, which keep their order.

    Sanh et al. 2019 (DistilBERT), section 3, begin so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    description = json.loads((base / "encoder.json").read_bytes())
    kept = list(range(1, description["layers"], 2))
    (folder / "encoder.json").write_text(json.dumps(description | {"layers": len(kept)}), "utf-8")
    for name in ("tokenizer.json", "NOTICE"):
        shutil.copyfile(base / name, folder / name)
    tensors = {}
    for name, packed in read_packed(base / "encoder.safetensors").items():
        found = re.match(r"(encoder\.layer\.)(\d+)(\..*)", name)
        if found is None:
            tensors[name] = packed
        elif int(found[2]) in kept:
            tensors[f"{found[1]}{kept.index(int(found[2]))}{found[3]}"] = packed
    (folder / "encoder.safetensors").write_bytes(to_bytes(tensors))
    return folder


def tf_idf(learnt: Sequence[str], seen: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Words and character 4-grams, hashed; rows of length 1."""

    def counts(texts: Sequence[str]) -> np.ndarray:
        rows = np.zeros((len(texts), _HASHED), np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = re.findall(r"\w+", text.lower())
            grams = [g for w in words for g in _grams(f" {w} ")]
            for part in [*words, *grams]:
                row[int.from_bytes(hashlib.md5(part.encode()).digest()[:4], "big") % _HASHED] += 1
        return np.log1p(rows)

    first, second = counts(learnt), counts(seen)
    idf = np.log((1 + len(first)) / (1 + (first > 0).sum(0))) + 1
    return tuple(  # type: ignore[return-value]
        rows * idf / np.maximum(np.linalg.norm(rows * idf, axis=1, keepdims=True), 1e-9)
        for rows in (first, second)
    )


def figures(cause: np.ndarray, urgency: np.ndarray, unseen: Sequence[Example]) -> dict[str, float]:
    causes = np.array([CAUSES.index(e.cause) for e in unseen])
    urgencies = np.array([URGENCIES.index(e.urgency) for e in unseen])
    by_cause = label_scores(cause.argmax(1), causes, CAUSES)
    critical = label_scores(urgency.argmax(1), urgencies, URGENCIES)["critical"]
    return {
        "cause_accuracy": round(float((cause.argmax(1) == causes).mean()), 4),
        "cause_macro_f1": round(float(np.mean([s.f1 for s in by_cause.values()])), 4),
        "urgency_accuracy": round(float((urgency.argmax(1) == urgencies).mean()), 4),
        "critical_recall": round(critical.recall, 4),
        "critical_precision": round(critical.precision, 4),
    }


def results() -> Table:
    table = Table(title="On the validation part", title_justify="left")
    rows = [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines()]
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(str(row.get(name, "")) for name in names))
    return table


def _heads(
    learnt: np.ndarray, seen: np.ndarray, examples: Sequence[Example]
) -> tuple[np.ndarray, np.ndarray]:
    mean = learnt.mean(0)

    def head(labels: tuple[str, ...], values: list[str]) -> Head:
        return train_head(learnt, np.array([labels.index(v) for v in values]), labels, mean=mean)

    cause = head(CAUSES, [e.cause for e in examples])
    urgency = head(URGENCIES, [e.urgency for e in examples])
    return cause.logits(seen - mean), urgency.logits(seen - mean)


def _grams(word: str) -> list[str]:
    return [word[i : i + 4] for i in range(max(1, len(word) - 3))]


def _segmented(text: str) -> str:
    """The subject, where there is one, ends with the encoder's own separator."""
    return text.replace(". ", " </s></s> ", 1)


def _drawn(name: str) -> float:
    """A number from 0 to 1 that is the example's own: a larger share holds the smaller one."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32


if __name__ == "__main__":
    main()
