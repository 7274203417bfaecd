"""The encoder by ONNX Runtime, to compare with; the product does without it.

It needs ``onnx`` and ``onnxruntime``. The graph, its batches and its padding are those of the extra
``fast``; the 8 bits are made by onnxruntime's own quantisation.
"""

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from triage.encoder import Encoder
from triage.fast import FastEncoder, FastPrecision, padded, plain_model

INPUTS = ["ids", "mask"]


class Session:
    """A model of onnxruntime where FastEncoder expects one of OpenVINO."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        # By default it takes all optimisations of the graph and all cores.
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def create_infer_request(self) -> "Session":
        return self

    def infer(self, inputs: Sequence[NDArray[np.int64]]) -> Any:
        return self._session.run(None, dict(zip(INPUTS, inputs, strict=True)))


def onnx_encoders(
    encoder: Encoder, calibration: Sequence[str]
) -> Iterator[tuple[str, FastEncoder]]:
    """Name and encoder: in 32 bits, in 8 with scales found on the way, in 8 with calibrated ones.

    Raises ImportError where a package is absent.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            rows = encoder.tokens(calibration)
            inputs = (padded([row], longest=len(row)) for row in rows)
            self._left = (dict(zip(INPUTS, arrays, strict=True)) for arrays in inputs)

        def get_next(self) -> dict[str, NDArray[np.int64]] | None:
            return next(self._left, None)

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        whole, prepared = folder / "whole.onnx", folder / "prepared.onnx"
        dynamic, static = folder / "dynamic.onnx", folder / "static.onnx"
        _export(encoder, whole)
        quant_pre_process(whole, prepared)
        quantization.quantize_dynamic(prepared, dynamic, per_channel=True)
        quantization.quantize_static(
            prepared,
            static,
            Calibration(),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            # The products with weights; with everything else in 8 bits it was no faster and worse.
            op_types_to_quantize=["MatMul"],
            extra_options={"MatMulConstBOnly": True},
        )
        for name, path in {"fp32": whole, "int8, dynamic": dynamic, "int8, static": static}.items():
            # FastEncoder does nothing with its precision.
            yield name, FastEncoder(Session(path), encoder, cast(FastPrecision, name))


def _export(encoder: Encoder, path: Path) -> None:
    import torch

    example = tuple(map(torch.from_numpy, padded([[0] * 20, [0] * 9], longest=32)))
    axes = {0: "n", 1: "length"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            plain_model(encoder),
            example,
            path,
            input_names=INPUTS,
            dynamic_axes=dict.fromkeys(INPUTS, axes),
            # The older exporter: onnxruntime fuses more of its graph, which is a tenth faster.
            dynamo=False,
            opset_version=17,  # with newer ones onnxruntime fails to infer the shapes
        )
