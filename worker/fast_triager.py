"""The extra ``fast`` in the worker: whether the active classifier runs on it.

Without its packages, or where its answers differ from torch's, nothing changes but the log.
"""

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from config.errors import OdzewError
from models.corpus import corpus
from triage.encoder import Encoder
from triage.fast import FastEncoder, FastEncoderUnavailable, FastPrecision, agrees
from triage.triager import Triager

log = logging.getLogger(__name__)

CHECKED = 150  # mails
_PRECISIONS: tuple[FastPrecision, ...] = ("int8", "bf16")  # the fastest first


def with_fast_encoder(triager: Triager, cache: Path) -> Triager:
    """The same classifier on a fast encoder where one is to be had; else the triager as it is.

    cache: a folder for the converted models. Making one takes about a minute, the check a few
    seconds at each call: another processor or version of OpenVINO may round in another way.
    """
    version = triager.classifier.version
    try:
        fast = _proven(triager, cache)
    except OdzewError as error:
        log.info("fast encoder not used", extra={"classifier": version, "problem": str(error)})
        return triager
    log.info("fast encoder used", extra={"classifier": version, "state": fast.precision})
    # Triager asks its encoder for nothing but ``encode``.
    return Triager(cast(Encoder, fast), triager.classifier)


def calibration_and_check() -> tuple[list[str], list[str]]:
    """Texts to calibrate on, and others to compare on: of the shipped corpus, validation part.

    Neither the encoder nor the heads have learnt from them, so they are no easier than real mail.
    """
    texts = [example.text for example in corpus("validation")]
    others = [text for index, text in enumerate(texts) if index % 4]
    return texts[::4], others[:: max(1, len(others) // CHECKED)][:CHECKED]


def _proven(triager: Triager, cache: Path) -> FastEncoder:
    """The fastest encoder that leads to the same decisions; raises FastEncoderUnavailable."""
    if triager.encoder.model.device.type != "cpu":
        raise FastEncoderUnavailable("torch has a graphics card here")
    if find_spec("openvino") is None:
        raise FastEncoderUnavailable("openvino is not installed")
    calibration, check = calibration_and_check()
    problems = []
    for precision in _PRECISIONS:
        try:
            fast = FastEncoder.build(triager.encoder, cache, calibration, precision)
            if agrees(fast, triager.encoder, triager.classifier, check):
                return fast
            problems.append(f"{precision} decides otherwise than torch")
        except FastEncoderUnavailable as error:
            problems.append(f"{precision}: {error}")
    raise FastEncoderUnavailable("; ".join(problems))
