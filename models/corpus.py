"""The shipped corpus: labelled mails in three parts, and their embeddings as shipped.

``train`` is what the encoder and the heads learn from; ``validation`` is for choosing and for
calibration; ``test`` is for measuring only. No mail, story or author is in two parts.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from models.artifact import EMBEDDINGS
from models.building import Material
from models.dataset import Example, read_examples
from models.training import embed, read_embeddings
from triage.encoder import Encoder, Progress
from triage.quantization import pack_rows

Part = Literal["train", "validation", "test"]
DATA = Path(__file__).parent / "data"


def corpus(part: Part, data: Path = DATA) -> tuple[Example, ...]:
    """The mails of a part, in the order of the passes."""
    return read_examples(sorted((data / part).glob("*.jsonl")))


def material(
    examples: Sequence[Example],
    encoder: Encoder,
    *,
    shipped: Path | None = None,
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> Material:
    """The examples with their embeddings; only what is not shipped and not cached is computed.

    shipped: the folder of the encoder, with its EMBEDDINGS; cache: see models.training.embed.
    """
    known = {} if shipped is None else read_embeddings(shipped / EMBEDDINGS, encoder)
    embeddings = embed(
        [example.text for example in examples],
        encoder,
        known=known,
        cache=cache,
        on_progress=on_progress,
    )
    return Material(examples, embeddings)


def write_embeddings(material: Material, encoder_hash: str, path: Path) -> None:
    """The embeddings of the corpus in 8 bits, so that a shop's first training takes seconds."""
    keys = [hashlib.sha256(example.text.encode()).digest() for example in material.examples]
    rows = pack_rows(material.embeddings)
    arrays: dict[str, NDArray[Any]] = {
        "keys": np.array([list(key) for key in keys], np.uint8),
        "values": rows.values,
        "scales": rows.scales,
        "encoder": np.frombuffer(bytes.fromhex(encoder_hash), np.uint8),
    }
    path.write_bytes(save(arrays))
