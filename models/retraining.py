"""A shop's own candidate: the shipped corpus and what its people said of its tickets.

Heads are trained on embeddings of the shipped encoder, most of which come with odzew: seconds, not
hours. ``deep`` fine-tunes the encoder too. The candidate is registered with its figures beside
those of the active version; promoting it is a person's decision, or the shop's setting.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from config.errors import PermanentError
from models.artifact import sweep, write
from models.building import Material, train
from models.comparison import compare
from models.corpus import corpus, material
from models.dataset import CAUSES, URGENCIES, Example, dataset_hash
from models.encoder_files import write_fine_tuned
from models.finetuning import Recipe, fine_tune
from models.pool import Pool, training_pool
from models.readiness import LEAST_PER_CAUSE, readiness
from models.registry import default_folder, register
from storage.classifiers import active_version
from storage.columns import utc_now
from storage.database import Session
from storage.tables import ClassifierVersion
from triage.encoder import Encoder

# Two passes over everything adapt the encoder to the shop's words; more would forget others'.
DEEP = Recipe(epochs=2, rate=3e-5)

Progress = Callable[[str, int, int], None]  # what is done, done, in all


class NotReady(PermanentError):
    """There is too little to train on; the message says what is missing."""


@dataclass(frozen=True)
class Shipped:
    """The three parts of the shipped corpus; smaller ones in tests."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]


def shipped_parts() -> Shipped:
    return Shipped(corpus("train"), corpus("validation"), corpus("test"))


def retrain(
    session: Session,
    storage: Path,
    *,
    now: datetime,
    known: Collection[str] | None = None,
    deep: bool = False,
    shipped: Shipped | None = None,
    on_progress: Progress = lambda *_: None,
) -> ClassifierVersion:
    """Train, write and register a candidate.

    storage: the folder ``storage.path``; the version is written below ``classifiers/``. known: the
    causes of the shop's taxonomy; labels of others are left out. None: all are taken. deep: the
    encoder is fine-tuned, too: hours. What ``on_progress`` raises cancels the training.

    A training that was stopped, by Ctrl-C or by a kill, changes nothing, and the next one goes on
    where it was: embeddings and whole epochs are kept in ``classifiers/cache``.

    Raises NotReady, also while another training is running. A crash leaves no half version: the
    folder takes its name when it is whole, and the row comes after it (CP-34 to CP-36).
    """
    shipped = shipped or shipped_parts()
    labels_read_at = utc_now()
    pool = training_pool(session)
    state = readiness(session, pool)
    parent = active_version(session)
    session.commit()  # no transaction stays open while the encoder works
    if not state.ready:
        raise NotReady("; ".join(state.problems))
    classifiers = storage / "classifiers"
    cache = classifiers / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    sweep(classifiers)
    causes = learnable(pool, known)
    learn = tuple(example for example in pool.learn if example.cause in causes)
    # A cause that the shop has given up is nobody's fault any more.
    kept = tuple(e for e in pool.held_out if known is None or e.cause in known)

    def step(what: str) -> Callable[[int, int], None]:
        def done(count: int, total: int) -> None:
            on_progress(what, count, total)

        done(0, 1)
        return done

    with (
        _only_one(cache / "training.lock"),
        _encoder_folder(deep, shipped.train, learn, causes, cache, step) as folder,
    ):
        encoder = Encoder.load(folder, precision="fp32")

        def embedded(examples: tuple[Example, ...]) -> Material:
            return material(
                examples, encoder, shipped=folder, cache=cache, on_progress=step("reading")
            )

        own, held_out = embedded(learn), embedded(kept)
        base, validation, test = map(embedded, (shipped.train, shipped.validation, shipped.test))
        step("training")
        name = version_name(now, os.getpid())
        classifier = train(
            base,
            validation,
            own,
            version=name,
            encoder_hash=encoder.hash,
            causes=causes,
            own_is_unseen=not deep,
        )
        step("measuring")
        comparison = compare(session, storage, classifier, test, held_out, now=now)
        write(
            classifiers / name,
            classifier,
            training_hash=dataset_hash([*shipped.train, *learn]),
            metrics=comparison.metrics()
            | {
                "labels_read_at": labels_read_at.isoformat(),
                "learnt": [example.id for example in learn],
            },
            parent=None if parent is None else parent.version,
            created_at=now,
            encoder_folder=folder if deep else None,
        )
    return register(session, classifiers / name)


def version_name(now: datetime, process: int) -> str:
    """The number of the process keeps the names of two trainings in one second apart."""
    return f"{now:%Y%m%d-%H%M%S}-{process}"


def learnable(pool: Pool, known: Collection[str] | None = None) -> tuple[str, ...]:
    """The shipped causes and the shop's own that have enough labels, in a fixed order.

    known: the causes of the shop's taxonomy; None: whatever is in the labels.
    """
    counts = Counter(example.cause for example in pool.learn)
    own = sorted(
        code
        for code, count in counts.items()
        if code not in CAUSES and count >= LEAST_PER_CAUSE and (known is None or code in known)
    )
    return (*CAUSES, *own)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """One training at a time in an installation: two would write the same cache."""
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout:
        raise NotReady("another training is running; try again when it is over") from None


@contextmanager
def _encoder_folder(
    deep: bool,
    shipped: tuple[Example, ...],
    learn: tuple[Example, ...],
    causes: tuple[str, ...],
    cache: Path,
    step: Callable[[str], Callable[[int, int], None]],
) -> Iterator[Path]:
    """The encoder to train heads on: the shipped one, or a copy that was fine-tuned."""
    if not deep:
        yield default_folder()
        return
    done = step("fine-tuning")
    encoder = Encoder.load(default_folder(), precision="fp32")
    fine_tune(
        encoder,
        [*shipped, *learn],
        causes=causes,
        urgencies=URGENCIES,
        recipe=DEEP,
        checkpoint=cache / "fine-tuning.safetensors",
        on_progress=lambda count, total, _: done(count, total),
    )
    folder = Path(tempfile.mkdtemp(prefix="encoder-", dir=cache))
    try:
        write_fine_tuned(encoder, default_folder(), folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
