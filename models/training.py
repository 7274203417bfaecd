"""Training the heads: embeddings, computed once and kept, and logistic regressions on them."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from triage.classifier import Head
from triage.encoder import Encoder, Progress

# Strength of the L2 penalty, in units of mean loss per example on scaled embeddings; chosen by
# cross-validation on the shipped corpus.
L2 = 0.001
# Half way between weighing every example and every label alike: labels that are seldom count more.
BALANCE = 0.5
_ITERATIONS = 200


def embed(
    texts: Sequence[str],
    encoder: Encoder,
    *,
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Embeddings of n texts, shape (n, d); what an earlier call computed is taken from the cache.

    cache: a folder with one file for each encoder and precision, or None to keep nothing. A file
    that cannot be read is computed anew.
    """
    keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    path = None if cache is None else cache / f"{encoder.hash[:16]}-{encoder.precision}.safetensors"
    known = {} if path is None else _read_cache(path, encoder.dimensions)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        computed = encoder.encode(list(missing.values()), on_progress=on_progress)
        known |= dict(zip(missing, computed, strict=True))
        if path is not None:
            _write_cache(path, known)
    if not keys:
        return np.empty((0, encoder.dimensions), np.float32)
    return np.stack([known[key] for key in keys])


def train_head(
    embeddings: NDArray[np.float32],
    targets: NDArray[np.int64],
    labels: tuple[str, ...],
    *,
    mean: NDArray[np.float32],
    l2: float = L2,
    balance: float = BALANCE,
) -> Head:
    """A multinomial logistic regression; deterministic, since the problem has one optimum.

    embeddings: shape (n, d); targets: shape (n,), indices into ``labels``; mean: shape (d,).
    balance: 0 weighs every example alike, 1 every label alike.
    """
    import torch

    centred = (embeddings - mean).astype(np.float64)
    # Scaled to unit length on average, so that the penalty means the same for every encoder.
    scale = float(np.sqrt((centred**2).sum(1).mean())) or 1.0
    inputs = torch.from_numpy(centred / scale)
    expected = torch.from_numpy(targets)
    counts = np.bincount(targets, minlength=len(labels)).clip(1)
    label_weights = (len(targets) / (len(labels) * counts)) ** balance
    example_weights = torch.from_numpy(label_weights[targets])
    weight = torch.zeros((len(labels), centred.shape[1]), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(labels), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias],
        max_iter=_ITERATIONS,
        tolerance_grad=1e-7,
        tolerance_change=1e-10,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = inputs @ weight.T + bias
        losses = torch.nn.functional.cross_entropy(logits, expected, reduction="none")
        value: torch.Tensor = (losses * example_weights).mean() + l2 * (weight**2).sum() / 2
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return Head(
        labels=labels,
        weight=(weight.detach().numpy() / scale).astype(np.float32),
        bias=bias.detach().numpy().astype(np.float32),
    )


def out_of_fold_logits(
    embeddings: NDArray[np.float32],
    folds: NDArray[np.int64],
    train: Callable[[NDArray[np.bool_]], tuple[Head, NDArray[np.float32]]],
) -> NDArray[np.float32]:
    """For each example the logits of a head that was trained without its fold; shape (n, k).

    train: from a mask of the training examples, shape (n,), to a head and its training mean.
    """
    logits: NDArray[np.float32] | None = None
    for fold in np.unique(folds):
        inside = folds == fold
        head, mean = train(~inside)
        if logits is None:
            logits = np.empty((len(folds), len(head.labels)), np.float32)
        logits[inside] = head.logits(embeddings[inside] - mean)
    if logits is None:
        raise ValueError("there are no examples to train on")
    return logits


def _read_cache(path: Path, dimensions: int) -> dict[str, NDArray[np.float32]]:
    with suppress(OSError, SafetensorError, KeyError):
        arrays = load_file(path)
        keys, embeddings = arrays["keys"], arrays["embeddings"]
        if keys.shape == (len(embeddings), 32) and embeddings.shape[1:] == (dimensions,):
            names = (bytes(key).hex() for key in keys.astype(np.uint8))
            return dict(zip(names, embeddings.astype(np.float32), strict=True))
    return {}


def _write_cache(path: Path, known: dict[str, NDArray[np.float32]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = np.array([list(bytes.fromhex(key)) for key in known], np.uint8)
    content = save({"keys": keys, "embeddings": np.stack(list(known.values()))})
    # Renamed into place: a process that is stopped leaves the earlier cache whole.
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)
