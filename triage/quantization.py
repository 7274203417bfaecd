"""Packed weights: how a float array is kept small in a safetensors file, and read back.

Two packings, and plain floats beside them:

- *blocks*, 4 bits: 32 neighbours in a row share a 16-bit float scale ("q4_0" of llama.cpp). In a
  block, byte j holds weight j in its low and weight j + 16 in its high half, 8 meaning zero.
- *rows*, 8 bits: a row of a matrix shares a 32-bit float scale; weights are -127 to 127.

In the file an array ``name`` is ``name`` itself, or ``name.q4`` with ``name.q4_scale``, or
``name.q8`` with ``name.q8_scale``. 16-bit floats are used for what they can hold exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from config.errors import PermanentError

BLOCK = 32


class DamagedWeightsError(PermanentError):
    """A file of weights cannot be used; the message says why."""


@dataclass(frozen=True)
class Blocks:
    """A matrix of shape (rows, columns) in 4 bits; columns is a multiple of 32."""

    nibbles: NDArray[np.uint8]  # (rows, columns / 2)
    scales: NDArray[np.float16]  # (rows, columns / 32)


@dataclass(frozen=True)
class Rows:
    """A matrix of shape (rows, columns) in 8 bits."""

    values: NDArray[np.int8]  # (rows, columns)
    scales: NDArray[np.float32]  # (rows,)


Packed = NDArray[np.float32] | Blocks | Rows


def pack_blocks(matrix: NDArray[np.float32]) -> Blocks:
    """Round to 4 bits.

    matrix: shape (rows, columns), columns a multiple of 32. The scale is that of q4_0: the
    largest weight by magnitude, sign included, becomes -8, so the error is at most one scale.
    """
    rows, columns = matrix.shape
    blocks = matrix.reshape(rows, columns // BLOCK, BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]
    scales = (largest / -8).astype(np.float16)
    divisor = np.where(scales == 0, 1, scales).astype(np.float32)
    quanta = np.clip(np.rint(blocks / divisor[..., None]) + 8, 0, 15).astype(np.uint8)
    half = BLOCK // 2
    nibbles = quanta[..., :half] | (quanta[..., half:] << 4)
    return Blocks(nibbles.reshape(rows, columns // 2), scales)


def pack_rows(matrix: NDArray[np.float32]) -> Rows:
    """Round to 8 bits; the error of a weight is at most half its row's scale."""
    scales = (np.abs(matrix).max(1) / 127).astype(np.float32)
    divisor = np.where(scales == 0, 1, scales)
    return Rows(np.rint(matrix / divisor[:, None]).astype(np.int8), scales)


def unpack(packed: Packed) -> NDArray[np.float32]:
    """The floats that a packed array stands for."""
    match packed:
        case Blocks(nibbles, scales):
            return _unpack_blocks(nibbles, scales)
        case Rows(values, scales):
            return values.astype(np.float32) * scales[:, None]
        case _:
            return packed.astype(np.float32, copy=False)


def _unpack_blocks(nibbles: NDArray[np.uint8], scales: NDArray[np.float16]) -> NDArray[np.float32]:
    rows, blocks = scales.shape
    halves = nibbles.reshape(rows, blocks, BLOCK // 2)
    weights = np.empty((rows, blocks, BLOCK), np.float32)
    weights[..., : BLOCK // 2] = halves & 15
    weights[..., BLOCK // 2 :] = halves >> 4
    weights -= 8
    weights *= scales.astype(np.float32)[..., None]
    return weights.reshape(rows, blocks * BLOCK)


def to_bytes(tensors: Mapping[str, Packed]) -> bytes:
    """The content of a safetensors file; the same arrays give the same bytes."""
    stored: dict[str, NDArray[np.generic]] = {}
    for name, packed in sorted(tensors.items()):
        match packed:
            case Blocks(nibbles, scales):
                stored[f"{name}.q4"], stored[f"{name}.q4_scale"] = nibbles, scales
            case Rows(values, scales):
                stored[f"{name}.q8"], stored[f"{name}.q8_scale"] = values, scales
            case _:
                stored[name] = _smallest_exact(packed)
    return save({name: np.ascontiguousarray(array) for name, array in stored.items()})


def _smallest_exact(array: NDArray[np.float32]) -> NDArray[np.generic]:
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), array) else array


def read_packed(path: Path) -> dict[str, Packed]:
    """The arrays of a file that ``to_bytes`` made, still packed.

    Raises DamagedWeightsError when the file is missing, no safetensors file or inconsistent.
    """
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DamagedWeightsError(
            f"{path} cannot be read as a safetensors file: {error}"
        ) from error
    tensors: dict[str, Packed] = {}
    for name, array in stored.items():
        base, _, kind = name.rpartition(".")
        match kind:
            case "q4":
                tensors[base] = _checked_blocks(path, base, array, stored.get(f"{name}_scale"))
            case "q8":
                tensors[base] = _checked_rows(path, base, array, stored.get(f"{name}_scale"))
            case "q4_scale" | "q8_scale":
                pass  # read together with its values
            case _:
                tensors[name] = array.astype(np.float32, copy=False)
    return tensors


def _checked_blocks(
    path: Path, name: str, nibbles: NDArray[np.generic], scales: NDArray[np.generic] | None
) -> Blocks:
    if (
        scales is None
        or nibbles.dtype != np.uint8
        or scales.dtype != np.float16
        or nibbles.ndim != 2
        or scales.shape != (nibbles.shape[0], nibbles.shape[1] * 2 // BLOCK)
    ):
        raise DamagedWeightsError(f"{path}: {name} is not a matrix in blocks of 4 bits")
    return Blocks(nibbles.view(np.uint8), scales.view(np.float16))


def _checked_rows(
    path: Path, name: str, values: NDArray[np.generic], scales: NDArray[np.generic] | None
) -> Rows:
    if (
        scales is None
        or values.dtype != np.int8
        or scales.dtype != np.float32
        or values.ndim != 2
        or scales.shape != (values.shape[0],)
    ):
        raise DamagedWeightsError(f"{path}: {name} is not a matrix in rows of 8 bits")
    return Rows(values.view(np.int8), scales.view(np.float32))
