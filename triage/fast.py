"""The extra ``fast``: the encoder by OpenVINO, in 8 or 16 bits, on processors.

The torch model is converted once, quantised with the statistics of some mails (nncf), and kept in a
cache folder; ``agrees`` says whether the result may take torch's place. ``openvino`` and ``nncf``
are imported where they are used: they may be absent, and are slow.
"""

import contextlib
import copy
import hashlib
import io
import json
import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from config.errors import OdzewError
from triage.classifier import Classifier
from triage.decision import CRITICAL, choose_urgency
from triage.encoder import Encoder, Progress, batches

if TYPE_CHECKING:
    import torch

# Without bf16 in the processor OpenVINO takes 32 bits for the second.
FastPrecision = Literal["int8", "bf16"]
AGREEMENT = 0.98  # the least share of mails for which both encoders lead to the same cause
_MODEL, _WEIGHTS, _SUMS = "model.xml", "model.bin", "sums.json"
_LAYOUT = 1  # of the converted model: a cache of another one is not used
_BATCH_TOKENS = 1024  # not counting the padding
_STEP = 16  # lengths are rounded up to it: fewer shapes to prepare for
_MASKED = -1e4  # added to what must not be attended to; finite in 16 bits


class FastEncoderUnavailable(OdzewError):
    """There is no fast encoder here; the message says why, and torch goes on."""


class Encodes(Protocol):
    """What turns texts into embeddings."""

    def encode(
        self, texts: Sequence[str], *, on_progress: Progress | None = None
    ) -> NDArray[np.float32]: ...


class FastEncoder:
    """Stands for the Encoder that it was made of; ``encode`` is for one thread at a time."""

    def __init__(self, compiled: Any, encoder: Encoder, precision: FastPrecision) -> None:
        self.description = encoder.description
        self.hash = encoder.hash
        self.precision = precision
        self.dimensions = encoder.dimensions
        self._request = compiled.create_infer_request()
        # The tokenizer alone: the weights of torch need not stay in memory.
        self._tokenizer = encoder.tokenizer

    @classmethod
    def build(
        cls, encoder: Encoder, cache: Path, calibration: Sequence[str], precision: FastPrecision
    ) -> Self:
        """From the cache, or made anew: that takes about a minute.

        calibration: about 120 typical mails, whose activations set the scales of the 8 bits.

        Raises FastEncoderUnavailable when a package is absent or anything goes wrong.
        """
        try:
            core = _openvino().Core()
            folder = cache / cache_key(encoder.hash, precision)
            if not _is_whole(folder):
                model = _converted(encoder)
                if precision == "int8":
                    model = _quantised(model, encoder.tokens(calibration))
                _store(model, folder)
            hints = {"PERFORMANCE_HINT": "LATENCY"}  # one batch after the other, on all cores
            compiled = core.compile_model(str(folder / _MODEL), "CPU", hints)
            return cls(compiled, encoder, precision)
        # The libraries raise RuntimeError and plain Exception, and fail in many ways on processors
        # and versions that nobody has tried; none of them may cost a shop its classifier.
        except Exception as error:
            raise FastEncoderUnavailable(f"{type(error).__name__}: {error}") from error

    def encode(
        self, texts: Sequence[str], *, on_progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """Embeddings of n texts, shape (n, dimensions): mean over tokens, length 1 (L2).

        Raises FastEncoderUnavailable when the processor or the library fails at it.
        """
        found = self._tokenizer.encode_batch_fast([self.description.prefix + t for t in texts])
        rows = [encoding.ids for encoding in found]
        embeddings = np.empty((len(texts), self.dimensions), np.float32)
        done = 0
        for batch in batches([len(row) for row in rows], limit=_BATCH_TOKENS):
            inputs = padded([rows[i] for i in batch], longest=self.description.positions)
            try:
                embeddings[batch] = self._request.infer(inputs)[0]
            except RuntimeError as error:
                raise FastEncoderUnavailable(f"OpenVINO fails: {error}") from error
            done += len(batch)
            if on_progress is not None:
                on_progress(done, len(texts))
        return embeddings


def agrees(fast: Encodes, encoder: Encodes, classifier: Classifier, texts: Sequence[str]) -> bool:
    """Whether the fast encoder may take the place of the other, judged by what is decided.

    texts: from ``triage.text.prepare``, none of which the calibration has used. The same causes for
    at least AGREEMENT of them, and the same texts critical, without exception.
    """
    if not texts:
        return False
    found = fast.encode(texts)
    causes, urgencies = classifier.predict(found)
    expected_causes, expected_urgencies = classifier.predict(encoder.encode(texts))
    same = np.mean(causes.argmax(1) == expected_causes.argmax(1))
    critical = _critical(urgencies, classifier) == _critical(expected_urgencies, classifier)
    return bool(np.isfinite(found).all() and same >= AGREEMENT and critical)


def cache_key(encoder_hash: str, precision: FastPrecision) -> str:
    """Names a converted model: another encoder, precision, OpenVINO or odzew is another model."""
    return f"{encoder_hash[:16]}-{precision}-{version('openvino')}-{_LAYOUT}"


def padded(rows: Sequence[Sequence[int]], *, longest: int) -> list[NDArray[np.int64]]:
    """Token ids and mask (1: a token, 0: padding), both of shape (n, length).

    length: of the longest row, rounded up to a multiple of 16, but at most ``longest``.
    """
    length = min(-(-max(map(len, rows)) // _STEP) * _STEP, longest)
    ids, mask = np.ones((len(rows), length), np.int64), np.zeros((len(rows), length), np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)], mask[index, : len(row)] = row, 1
    return [ids, mask]


def _critical(urgencies: NDArray[np.float32], classifier: Classifier) -> list[bool]:
    labels, least = classifier.urgency.labels, classifier.critical_from
    scores = [dict(zip(labels, map(float, row), strict=True)) for row in urgencies]
    return [choose_urgency(row, least) == CRITICAL for row in scores]


def _openvino() -> Any:
    # Both packages report their use to their maker unless told otherwise. A desk for complaints
    # reports to nobody: where this module cannot be imported, they do without.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    return openvino


def _converted(encoder: Encoder) -> Any:
    """The encoder as an OpenVINO model: (ids, mask) to embeddings, for any number and length."""
    import torch

    openvino = _openvino()
    example = tuple(map(torch.from_numpy, padded([[0] * 20, [0] * 9], longest=32)))
    shapes = [openvino.PartialShape([-1, -1])] * 2
    with _silence(), torch.no_grad():
        return openvino.convert_model(plain_model(encoder), example_input=example, input=shapes)


def plain_model(encoder: Encoder) -> "torch.nn.Module":
    """The encoder's weights in the standard BertModel, in 32 bits, with mask and mean inside."""
    import torch
    from transformers import BertModel

    config = copy.deepcopy(encoder.model.config)
    config._attn_implementation = "sdpa"
    bert = BertModel(config, add_pooling_layer=False)
    bert.load_state_dict({name: w.float() for name, w in encoder.model.state_dict().items()})

    class Embeddings(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = bert

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            kept = mask.float()
            # Four dimensions: transformers takes such a mask as it is.
            bias = ((1 - kept) * _MASKED)[:, None, None, :]
            positions = torch.cumsum(torch.ones_like(ids), 1) - 1
            output = self.bert(input_ids=ids, attention_mask=bias, position_ids=positions)
            states = output.last_hidden_state
            means = (states * kept[:, :, None]).sum(1) / kept.sum(1, keepdim=True)
            return torch.nn.functional.normalize(means, dim=1)

    return Embeddings().eval()


def _quantised(model: Any, rows: Sequence[Sequence[int]]) -> Any:
    """The model with products in 8 bits: nncf's post-training quantisation for transformers."""
    import nncf

    inputs = [tuple(padded([row], longest=len(row))) for row in rows]
    with _silence():
        return nncf.quantize(
            model,
            nncf.Dataset(inputs),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,  # activations about their own mean
            subset_size=len(inputs),
        )


def _store(model: Any, folder: Path) -> None:
    """Write a model, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        _openvino().save_model(model, str(scratch / _MODEL))
        (scratch / _SUMS).write_text(json.dumps(_sums(scratch)), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _is_whole(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / _SUMS).read_bytes()) == _sums(folder))
    except (OSError, ValueError):
        return False


def _sums(folder: Path) -> dict[str, str]:
    names = (_MODEL, _WEIGHTS)
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No progress bars and no advice to developers in the output of a service."""
    logging.getLogger("nncf").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
