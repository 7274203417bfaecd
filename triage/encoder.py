"""Texts to embeddings: the encoder's files, and the one place that runs a transformer.

An encoder is a folder with ``encoder.json`` (architecture, prefix, number of tokens),
``encoder.safetensors`` (packed weights, see ``triage.quantization``) and ``tokenizer.json``. Its
hash covers the three, so a classifier can say which encoder it was trained on.

``torch`` and ``transformers`` take seconds to import, so they are imported by ``Encoder.load``.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from config.errors import PermanentError
from triage.quantization import read_packed, unpack

if TYPE_CHECKING:
    import torch
    from transformers import BertModel

FILES = ("encoder.json", "encoder.safetensors", "tokenizer.json")

Precision = Literal["fp32", "bf16"]
Progress = Callable[[int, int], None]  # texts done, texts in all

# A batch has at most so many tokens, padding included: larger ones leave the processor's cache
# and are slower; a graphics card has room for more.
_BATCH_TOKENS = {"cpu": 2048, "cuda": 32768}
_SCHEMA = 1
_ATTENTION = "odzew_within_texts"


class DamagedEncoderError(PermanentError):
    """The folder holds no encoder that can be used; the message says why."""


@dataclass(frozen=True)
class Description:
    """What ``encoder.json`` says."""

    source: str
    prefix: str  # put before every text; e5 was trained with "query: "
    max_tokens: int  # what is beyond is not seen
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    vocabulary_size: int
    positions: int
    layer_norm_eps: float


def encoder_hash(folder: Path) -> str:
    """SHA-256 over the hashes of the encoder's files, in hexadecimal.

    Raises DamagedEncoderError when a file is missing.
    """
    total = hashlib.sha256()
    for name in FILES:
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DamagedEncoderError(f"{folder / name} cannot be read: {error}") from error
        total.update(f"{name} {found}\n".encode())
    return total.hexdigest()


class Encoder:
    """A loaded transformer; ``encode`` is safe to call from one thread at a time."""

    def __init__(
        self,
        model: "BertModel",
        tokenizer: Tokenizer,
        description: Description,
        *,
        hash: str,
        precision: Precision,
    ) -> None:
        self.description = description
        self.hash = hash
        self.precision = precision
        self.dimensions = description.hidden_size
        self.model = model
        self.tokenizer = tokenizer
        self._device: torch.device = model.device

    @classmethod
    def load(cls, folder: Path, *, precision: Precision | None = None) -> Self:
        """Load the encoder of a folder.

        precision: None takes 16-bit weights where the processor multiplies them at full speed
        (AVX512-BF16, AMX, or a graphics card), else 32-bit ones.

        Raises DamagedEncoderError, or its fellow DamagedWeightsError, when a file is missing,
        unreadable, of another shape than described, or has weights that are not finite.
        """
        import torch

        description = _read_description(folder / "encoder.json")
        tokenizer = _read_tokenizer(folder / "tokenizer.json", description)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        precision = precision or best_precision(device)
        model = _build_model(folder / "encoder.safetensors", description, precision)
        torch.nn.Module.to(model, device)
        return cls(
            model,
            tokenizer,
            description,
            hash=encoder_hash(folder),
            precision=precision,
        )

    def encode(
        self, texts: Sequence[str], *, on_progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embeddings of n texts, shape (n, dimensions): mean over tokens, length 1 (L2).

        A text's embedding depends on its batch by less than 1e-3 in every coordinate.
        """
        rows = self.tokens(texts)
        embeddings = np.empty((len(texts), self.dimensions), np.float32)
        done = 0
        limit = _BATCH_TOKENS[self._device.type]
        for batch in batches([len(row) for row in rows], limit=limit):
            embeddings[batch] = self._forward([rows[index] for index in batch])
            done += len(batch)
            if on_progress is not None:
                on_progress(done, len(texts))
        return embeddings

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text with the encoder's prefix, at most ``max_tokens`` each."""
        prefix = self.description.prefix
        encodings = self.tokenizer.encode_batch_fast([prefix + text for text in texts])
        return [encoding.ids for encoding in encodings]

    def embed_tokens(self, rows: Sequence[Sequence[int]]) -> "torch.Tensor":
        """One batch through the transformer, the texts in a row, unpadded; shape (n, dimensions).

        rows: from ``tokens``. Gradients flow where the caller has not switched them off.
        """
        import torch

        lengths = [len(row) for row in rows]
        ids = np.concatenate([np.array(row, np.int64) for row in rows])
        positions = np.concatenate([np.arange(length) for length in lengths])
        output = self.model(
            input_ids=torch.from_numpy(ids)[None].to(self._device),
            position_ids=torch.from_numpy(positions)[None].to(self._device),
            lengths=lengths,
        )
        states = output.last_hidden_state[0].float()
        means = torch.stack([part.mean(0) for part in torch.split(states, lengths)])
        return torch.nn.functional.normalize(means, dim=1)

    def _forward(self, rows: list[list[int]]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            array: NDArray[np.float32] = self.embed_tokens(rows).cpu().numpy()
        return array


def batches(lengths: Sequence[int], *, limit: int) -> list[list[int]]:
    """Indices in batches of similar lengths, shortest first, of at most ``limit`` tokens each."""
    batches: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if lengths[index] > room:
            batches.append([])
            room = limit
        batches[-1].append(index)
        room -= lengths[index]
    return batches


def best_precision(device: "torch.device") -> Precision:
    import torch

    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    able = torch.cpu.get_capabilities()
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "fp32"


def _read_description(path: Path) -> Description:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        if (content.pop("schema"), content.pop("architecture")) != (_SCHEMA, "bert"):
            raise DamagedEncoderError(f"{path} describes an encoder that this version cannot run")
        return Description(**content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedEncoderError(
            f"{path} is not the description of an encoder: {error}"
        ) from error


def _read_tokenizer(path: Path, description: Description) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(path.read_text("utf-8"))
    # The library raises plain Exception for content that it cannot parse.
    except Exception as error:
        raise DamagedEncoderError(f"{path} is not a tokenizer: {error}") from error
    if tokenizer.get_vocab_size() != description.vocabulary_size:
        raise DamagedEncoderError(
            f"{path} has {tokenizer.get_vocab_size()} pieces, "
            f"encoder.json says {description.vocabulary_size}"
        )
    tokenizer.enable_truncation(description.max_tokens)
    tokenizer.no_padding()
    return tokenizer


def _build_model(path: Path, description: Description, precision: Precision) -> "BertModel":
    """The model with its weights; raises DamagedEncoderError when they do not fit it."""
    import torch
    from transformers import AttentionInterface, BertConfig, BertModel

    AttentionInterface.register(_ATTENTION, _attend_within_texts)
    config = BertConfig(
        vocab_size=description.vocabulary_size,
        hidden_size=description.hidden_size,
        num_hidden_layers=description.layers,
        num_attention_heads=description.heads,
        intermediate_size=description.intermediate_size,
        max_position_embeddings=description.positions,
        type_vocab_size=1,
        layer_norm_eps=description.layer_norm_eps,
        pad_token_id=1,
        attn_implementation=_ATTENTION,  # type: ignore[call-arg] # transformers: any configuration
    )
    # No memory is filled at random first: the weights are put in place of empty ones.
    with torch.device("meta"):
        model = BertModel(config, add_pooling_layer=False)
    expected = {name: tuple(value.shape) for name, value in model.named_parameters()}
    packed = read_packed(path)
    if packed.keys() != expected.keys():
        odd = sorted(packed.keys() ^ expected.keys())
        raise DamagedEncoderError(f"{path} has missing or unknown weights, {odd[0]} for one")
    weights = {}
    for name, shape in expected.items():
        array = unpack(packed[name])
        if array.shape != shape:
            raise DamagedEncoderError(f"{path}: {name} has shape {array.shape}, expected {shape}")
        if not np.isfinite(array).all():
            raise DamagedEncoderError(f"{path}: {name} has weights that are not finite")
        # Sums and norms stay in 32 bits: only matrices are worth less precision.
        half = precision == "bf16" and array.ndim == 2
        weights[name] = torch.from_numpy(array).to(torch.bfloat16 if half else torch.float32)
    model.load_state_dict(weights, strict=False, assign=True)
    positions = torch.arange(description.positions).expand((1, -1))
    # Buffers, which are not among the weights, were empty too.
    model.embeddings.position_ids = torch.nn.Buffer(positions, persistent=False)
    model.embeddings.token_type_ids = torch.nn.Buffer(torch.zeros_like(positions), persistent=False)
    if precision == "bf16":
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                module.bias.data = module.bias.data.to(torch.bfloat16)
                module.register_forward_pre_hook(_to_half)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _attend_within_texts(
    _module: "torch.nn.Module",
    query: "torch.Tensor",
    key: "torch.Tensor",
    value: "torch.Tensor",
    _mask: "torch.Tensor | None",
    *,
    scaling: float,
    lengths: list[int],
    **_options: object,
) -> "tuple[torch.Tensor, None]":
    """Attention for texts that follow each other in one row: no token sees another text.

    query, key, value: shape (1, heads, tokens of all texts, width of a head).
    Returns shape (1, tokens, heads, width). Without padding nothing is computed in vain, and a text
    gets the same numbers whatever texts are beside it.
    """
    import torch

    attend = torch.nn.functional.scaled_dot_product_attention
    # Along the tokens; torch's own split has no types.
    parts = zip(*(torch.split(tensor, lengths, 2) for tensor in (query, key, value)), strict=True)
    outputs = [attend(q, k, v, scale=scaling) for q, k, v in parts]
    return torch.cat(outputs, 2).transpose(1, 2), None


def _to_half(_module: "torch.nn.Module", inputs: "tuple[torch.Tensor]") -> "tuple[torch.Tensor]":
    return (inputs[0].bfloat16(),)
