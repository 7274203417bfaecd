"""Training the heads: embeddings, computed once and kept, and logistic regressions on them."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from triage.classifier import Head
from triage.encoder import Encoder, Progress
from triage.quantization import Rows, unpack

# Strength of the L2 penalty, in units of mean loss per example on scaled embeddings; chosen by
# cross-validation on the shipped corpus.
L2 = 0.001
# Half way between weighing every example and every label alike: labels that are seldom count more.
BALANCE = 0.5
_ITERATIONS = 200
_PORTION = 512  # texts


def embed(
    texts: Sequence[str],
    encoder: Encoder,
    *,
    known: Mapping[str, NDArray[np.float32]] | None = None,
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Embeddings of n texts, shape (n, d); what an earlier call computed is taken from the cache.

    known: embeddings by the SHA-256 of their text, in hexadecimal. cache: a folder with one file
    for each encoder and precision, or None to keep nothing; a damaged file is computed anew.
    """
    keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    path = None if cache is None else cache / f"{encoder.hash[:16]}-{encoder.precision}.safetensors"
    kept = {} if path is None else _read_cache(path, encoder.dimensions)
    known = {**kept, **(known or {})}
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    left = list(missing.items())
    # Written in portions, so that a training that was stopped goes on where it was.
    for start in range(0, len(left), _PORTION):
        portion = left[start : start + _PORTION]
        computed = encoder.encode([text for _, text in portion])
        fresh = dict(zip((key for key, _ in portion), computed, strict=True))
        known |= fresh
        kept |= fresh
        if path is not None:
            _write_cache(path, kept)
        if on_progress is not None:
            on_progress(start + len(portion), len(left))
    if not keys:
        return np.empty((0, encoder.dimensions), np.float32)
    return np.stack([known[key] for key in keys])


def read_embeddings(path: Path, encoder: Encoder) -> dict[str, NDArray[np.float32]]:
    """Shipped embeddings by the SHA-256 of their text; {} where there are none of this encoder."""
    with suppress(OSError, SafetensorError, KeyError, ValueError):
        arrays = load_file(path)
        if bytes(arrays["encoder"]).hex() == encoder.hash:
            values = unpack(Rows(arrays["values"], arrays["scales"]))
            names = (bytes(key).hex() for key in arrays["keys"])
            return dict(zip(names, values, strict=True))
    return {}


def train_head(
    embeddings: NDArray[np.float32],
    targets: NDArray[np.int64],
    labels: tuple[str, ...],
    *,
    mean: NDArray[np.float32],
    weights: NDArray[np.float64] | None = None,
    start: Head | None = None,
    l2: float = L2,
    balance: float = BALANCE,
) -> Head:
    """A multinomial logistic regression; deterministic, since the problem has one optimum.

    embeddings: shape (n, d); targets: shape (n,), indices into ``labels``; mean: shape (d,).
    weights: shape (n,), how much each example counts; None: all alike. start: where to begin; a
    head that is nearly right makes it quicker, not different.
    balance: 0 weighs every example alike, 1 every label alike.
    """
    import torch

    centred = (embeddings - mean).astype(np.float64)
    # Scaled to unit length on average, so that the penalty means the same for every encoder.
    scale = float(np.sqrt((centred**2).sum(1).mean())) or 1.0
    inputs = torch.from_numpy(centred / scale)
    expected = torch.from_numpy(targets)
    own = np.ones(len(targets)) if weights is None else weights / weights.mean()
    counts = np.bincount(targets, weights=own, minlength=len(labels)).clip(1)
    label_weights = (len(targets) / (len(labels) * counts)) ** balance
    example_weights = torch.from_numpy(label_weights[targets] * own)
    weight = torch.zeros((len(labels), centred.shape[1]), dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(labels), dtype=torch.float64, requires_grad=True)
    if start is not None:
        weight.data += torch.from_numpy(start.weight.astype(np.float64) * scale)
        bias.data += torch.from_numpy(start.bias.astype(np.float64))
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
    centred: NDArray[np.float32],
    folds: NDArray[np.int64],
    train: Callable[[NDArray[np.bool_]], Head],
    *,
    labels: int,
) -> NDArray[np.float32]:
    """For each example the logits of a head that was trained without its fold; shape (n, labels).

    centred: shape (n, d), less the training mean. folds: shape (n,); the examples of fold -1 are
    always trained on and get zeros. train: from a mask of the training examples to a head.
    """
    logits = np.zeros((len(folds), labels), np.float32)
    for fold in np.unique(folds[folds >= 0]):
        inside = folds == fold
        logits[inside] = train(~inside).logits(centred[inside])
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
    fresh = path.with_suffix(f".{os.getpid()}.new")
    fresh.write_bytes(content)
    fresh.replace(path)
