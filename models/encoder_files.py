"""Writing a fine-tuned encoder: 8 bits a weight where it learned, the base's own bits where not."""

import json
import shutil
from pathlib import Path

import numpy as np

from models.artifact import NOTICE
from triage.encoder import Encoder
from triage.quantization import Packed, pack_rows, read_packed, to_bytes, unpack


def write_fine_tuned(encoder: Encoder, base: Path, folder: Path) -> None:
    """Write the encoder's files into ``folder``, which exists.

    base: the folder that the encoder was loaded from. What training did not change keeps its
    packing, bit for bit; a matrix that it changed is packed in rows of 8 bits.
    """
    packed: dict[str, Packed] = {}
    before = read_packed(base / "encoder.safetensors")
    for name, parameter in encoder.model.named_parameters():
        array = parameter.detach().float().cpu().numpy()
        if np.array_equal(unpack(before[name]), array):
            packed[name] = before[name]
        else:
            packed[name] = pack_rows(array) if array.ndim == 2 else array
    (folder / "encoder.safetensors").write_bytes(to_bytes(packed))
    description = json.loads((base / "encoder.json").read_bytes())
    fine = ", fine-tuned for odzew"
    description["source"] = description["source"].removesuffix(fine) + fine
    (folder / "encoder.json").write_text(json.dumps(description, indent=2) + "\n", "utf-8")
    for name in ("tokenizer.json", NOTICE):
        shutil.copyfile(base / name, folder / name)
