import logging
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from odzew.setup import FAST
from triage.classifier import Classifier
from triage.fast import FastEncoder, FastEncoderUnavailable, agrees, padded
from triage.triager import Triager
from worker.fast_triager import CHECKED, calibration_and_check, with_fast_encoder

DEFAULT = Path("models/default")
TEXTS = [
    "Stłuczony wazon\nWazon przyszedł w kawałkach, karton był zgnieciony. Proszę o nowy.",
    "Pytanie\nCzy macie ten kubek w kolorze zielonym?",
    "Zwrot\nChcę zwrócić buty, nie pasują. Jak to zrobić?",
    "",
]


class Fixed:
    """An encoder with the given answer."""

    def __init__(self, embeddings):
        self.embeddings = embeddings

    def encode(self, texts, *, on_progress=None):
        return self.embeddings[: len(texts)]


@pytest.fixture(scope="module")
def classifier():
    """Two causes and two urgencies that an embedding of two numbers names by its signs."""
    real = Classifier.load(DEFAULT)
    sign = np.array([[1, 0], [-1, 0]], np.float32)
    nothing = np.zeros(2, np.float32)
    return replace(
        real,
        mean=nothing,
        cause=replace(real.cause, labels=("a", "b"), weight=sign, bias=nothing, temperature=1.0),
        urgency=replace(
            real.urgency,
            labels=("critical", "normal"),
            weight=sign[:, ::-1],
            bias=nothing,
            temperature=1.0,
        ),
        thresholds={"a": 1.0, "b": 1.0},
        preselect={"a": 1.0, "b": 1.0},
        critical_from=0.9,
    )


def points(*, other_causes=0, critical=0):
    result = np.tile(np.array([1, -3], np.float32), (100, 1))
    result[:other_causes, 0] = -1
    result[99 - critical : 99, 1] = 3
    return result


def compare(classifier, *, found, expected):
    return agrees(Fixed(found), Fixed(expected), classifier, ["text"] * 100)


def test_two_causes_of_a_hundred_may_differ(classifier):
    assert compare(classifier, found=points(other_causes=2), expected=points())


def test_three_causes_of_a_hundred_are_too_many(classifier):
    assert not compare(classifier, found=points(other_causes=3), expected=points())


@pytest.mark.parametrize(("found", "expected"), [(0, 1), (1, 0)])
def test_a_single_other_critical_decision_is_too_many(classifier, found, expected):
    assert not compare(classifier, found=points(critical=found), expected=points(critical=expected))


def test_numbers_that_are_not_finite_do_not_agree(classifier):
    found = points()
    found[0] = np.nan
    assert not compare(classifier, found=found, expected=points())


def test_nothing_is_proven_by_no_texts(classifier):
    assert not agrees(Fixed(points()), Fixed(points()), classifier, [])


def test_batches_are_padded_to_a_multiple_of_sixteen():
    ids, mask = padded([[5, 6, 7], [8]], longest=512)
    assert ids.shape == mask.shape == (2, 16)
    assert (ids[0, :4].tolist(), mask.sum(1).tolist()) == ([5, 6, 7, 1], [3, 1])


def test_padding_stays_within_the_positions_of_the_encoder():
    assert padded([[5] * 17], longest=20)[0].shape == (1, 20)


def test_the_check_uses_no_text_of_the_calibration():
    calibration, check = calibration_and_check()
    assert 100 <= len(calibration) <= 140
    assert len(check) == CHECKED
    assert not set(calibration) & set(check)


def test_without_the_packages_torch_goes_on(encoder, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(sys.modules, "openvino_telemetry", None)
    triager = Triager(encoder, Classifier.load(DEFAULT))
    with caplog.at_level(logging.INFO, "worker.fast_triager"):
        assert with_fast_encoder(triager, tmp_path / "fast") is triager
    [record] = caplog.records
    assert record.getMessage() == "fast encoder not used"
    assert "openvino" in record.problem
    assert not (tmp_path / "fast").exists()


def test_an_encoder_on_a_graphics_card_stays_there(tmp_path, caplog):
    class OnCard:
        class model:  # noqa: N801 - an attribute
            class device:  # noqa: N801
                type = "cuda"

    triager = Triager(OnCard, Classifier.load(DEFAULT))
    with caplog.at_level(logging.INFO, "worker.fast_triager"):
        assert with_fast_encoder(triager, tmp_path) is triager
    assert "graphics card" in caplog.records[0].problem


def test_a_failing_library_is_said_to_be_unavailable(encoder, tmp_path):
    (tmp_path / "file").write_text("where a folder is wanted")
    with pytest.raises(FastEncoderUnavailable):
        FastEncoder.build(encoder, tmp_path / "file", [], "bf16")


@pytest.fixture(scope="module")
def extra():
    """The extra `fast`, which the set-up keeps apart from all other packages for these tests."""
    assert FAST.is_dir(), f"{FAST} is missing: run python3 -m odzew.setup --test"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FAST)
        yield
    # A worker in a later test of this process shall find no openvino, as without this one.
    sys.modules.update(openvino=None, nncf=None)


@pytest.mark.usefixtures("extra")
@pytest.mark.timeout(300)  # the conversion takes some ten seconds, more on a busy machine
@pytest.mark.filterwarnings("default")  # of the libraries
def test_a_converted_encoder_gives_the_embeddings_of_torch(encoder, tmp_path):
    fast = FastEncoder.build(encoder, tmp_path, [], "bf16")
    progress = []
    found = fast.encode(TEXTS, on_progress=lambda done, total: progress.append((done, total)))
    expected = encoder.encode(TEXTS)
    assert (found * expected).sum(1) == pytest.approx(np.ones(len(TEXTS)), abs=5e-3)
    assert progress[-1] == (len(TEXTS), len(TEXTS))
    assert (fast.hash, fast.dimensions) == (encoder.hash, encoder.dimensions)
    # From the cache it is the same; a damaged file is made anew.
    [folder] = tmp_path.iterdir()
    before = (folder / "sums.json").stat().st_mtime_ns
    assert FastEncoder.build(encoder, tmp_path, [], "bf16").encode(TEXTS) == pytest.approx(found)
    assert (folder / "sums.json").stat().st_mtime_ns == before
    (folder / "model.bin").write_bytes(b"damaged")
    assert FastEncoder.build(encoder, tmp_path, [], "bf16").encode(TEXTS) == pytest.approx(found)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.usefixtures("extra")
@pytest.mark.timeout(300)  # half a minute, more on a busy machine
@pytest.mark.filterwarnings("default")
def test_eight_bits_stay_near_to_torch_on_mails_they_were_not_calibrated_on(encoder, tmp_path):
    calibration, check = calibration_and_check()
    fast = FastEncoder.build(encoder, tmp_path, calibration[::8], "int8")
    found, expected = fast.encode(check[:30]), encoder.encode(check[:30])
    assert (found * expected).sum(1).min() > 0.98  # 0.998 with AVX512-VNNI
    assert (found != expected).any()  # so these are not the numbers of torch
    # Neither package has reported anything to its maker.
    assert sys.modules["openvino_telemetry"] is None
