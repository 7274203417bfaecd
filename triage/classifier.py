"""The classifier: from embeddings to calibrated probabilities of causes and urgencies.

On disk it is two files without code in them: ``head.safetensors`` (arrays) and ``head.json``
(labels, temperatures, thresholds, and the hash of the encoder that it belongs to). Numpy only.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from config.errors import PermanentError

ARRAYS = "head.safetensors"
DESCRIPTION = "head.json"
_SCHEMA = 1


class DamagedClassifierError(PermanentError):
    """The folder holds no classifier that can be used; the message says why."""


@dataclass(frozen=True)
class Head:
    """A multinomial logistic regression over embeddings of d dimensions."""

    labels: tuple[str, ...]  # k codes
    weight: NDArray[np.float32]  # (k, d)
    bias: NDArray[np.float32]  # (k,)
    # Temperature scaling: Guo et al. 2017, "On Calibration of Modern Neural Networks", 4.2.
    temperature: float = 1.0

    def logits(self, centred: NDArray[np.float32]) -> NDArray[np.float32]:
        """centred: shape (n, d), embeddings less the training mean. Returns shape (n, k)."""
        result: NDArray[np.float32] = centred @ self.weight.T + self.bias
        return result

    def probabilities(self, centred: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated; shape (n, k), a row sums to 1, columns in the order of ``labels``."""
        return softmax(self.logits(centred) / self.temperature)


@dataclass(frozen=True)
class Classifier:
    """Two heads on one encoder, and how sure they must be for how much trust."""

    version: str
    encoder_hash: str
    mean: NDArray[np.float32]  # (d,), of the training embeddings: e5's all point one way
    cause: Head
    urgency: Head
    thresholds: Mapping[str, float]  # by cause: from this confidence on nobody is asked
    # By cause: from this confidence on it is chosen for the person who looks, who only confirms.
    preselect: Mapping[str, float]
    # An urgency is critical from this probability on, likeliest or not.
    critical_from: float = 1.0

    def predict(
        self, embeddings: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities of causes and of urgencies, shapes (n, causes) and (n, urgencies)."""
        centred = embeddings - self.mean
        return self.cause.probabilities(centred), self.urgency.probabilities(centred)

    def save(self, folder: Path) -> None:
        """Write the two files; the same classifier gives the same bytes."""
        arrays = {
            "mean": self.mean,
            "cause.weight": self.cause.weight,
            "cause.bias": self.cause.bias,
            "urgency.weight": self.urgency.weight,
            "urgency.bias": self.urgency.bias,
        }
        description = {
            "schema": _SCHEMA,
            "version": self.version,
            "encoder_hash": self.encoder_hash,
            "causes": self.cause.labels,
            "urgencies": self.urgency.labels,
            "cause_temperature": self.cause.temperature,
            "urgency_temperature": self.urgency.temperature,
            "thresholds": dict(self.thresholds),
            "preselect": dict(self.preselect),
            "critical_from": self.critical_from,
        }
        content = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
        (folder / ARRAYS).write_bytes(save(content))
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the two files.

        Raises DamagedClassifierError when one is missing or unreadable, or when shapes, labels or
        numbers cannot belong to a classifier.
        """
        arrays = _read_arrays(folder / ARRAYS)
        try:
            content: dict[str, Any] = json.loads((folder / DESCRIPTION).read_bytes())
            if content["schema"] != _SCHEMA:
                raise DamagedClassifierError(
                    f"{folder / DESCRIPTION} has schema {content['schema']}, expected {_SCHEMA}"
                )
            classifier = cls(
                version=str(content["version"]),
                encoder_hash=str(content["encoder_hash"]),
                mean=arrays["mean"],
                cause=_head(content, arrays, "cause", "causes"),
                urgency=_head(content, arrays, "urgency", "urgencies"),
                thresholds={str(k): float(v) for k, v in content["thresholds"].items()},
                # A version of an earlier odzew chose the likeliest cause whatever its confidence.
                preselect={
                    str(k): float(v)
                    for k, v in content.get(
                        "preselect", dict.fromkeys(content["causes"], 0)
                    ).items()
                },
                critical_from=float(content.get("critical_from", 1)),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedClassifierError(
                f"{folder / DESCRIPTION} does not describe a classifier: {error!r}"
            ) from error
        classifier._check(folder)
        return classifier

    def _check(self, folder: Path) -> None:
        dimensions = self.mean.shape
        if not 0 <= self.critical_from <= 1:
            raise DamagedClassifierError(f"{folder / DESCRIPTION}: critical_from is not 0 to 1")
        for head in (self.cause, self.urgency):
            count = len(head.labels)
            fits = head.weight.shape == (count, *dimensions) and head.bias.shape == (count,)
            if len(dimensions) != 1 or count < 2 or len(set(head.labels)) != count or not fits:
                raise DamagedClassifierError(f"{folder / ARRAYS} does not fit {DESCRIPTION}")
            if not head.temperature > 0 or not np.isfinite(head.temperature):
                raise DamagedClassifierError(
                    f"{folder / DESCRIPTION}: a temperature is not above 0"
                )
        for name, limits in (("thresholds", self.thresholds), ("preselect", self.preselect)):
            if limits.keys() != set(self.cause.labels) or any(
                not 0 <= value <= 1 for value in limits.values()
            ):
                raise DamagedClassifierError(
                    f"{folder / DESCRIPTION}: {name} must give 0 to 1 for each cause"
                )


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shape (n, k); rows sum to 1."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    result: NDArray[np.float32] = shifted / shifted.sum(1, keepdims=True)
    return result


def _head(
    content: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]], name: str, labels: str
) -> Head:
    return Head(
        labels=tuple(str(label) for label in content[labels]),
        weight=arrays[f"{name}.weight"],
        bias=arrays[f"{name}.bias"],
        temperature=float(content[f"{name}_temperature"]),
    )


def _read_arrays(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        arrays: dict[str, NDArray[np.float32]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DamagedClassifierError(f"{path} cannot be read: {error}") from error
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise DamagedClassifierError(f"{path}: {name} is not an array of finite 32-bit floats")
    return arrays
