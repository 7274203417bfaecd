import numpy as np
import pytest
from safetensors.numpy import save_file

from triage.quantization import (
    Blocks,
    DamagedWeightsError,
    Rows,
    pack_blocks,
    pack_rows,
    read_packed,
    to_bytes,
    unpack,
)

MATRIX = np.random.default_rng(0).normal(size=(6, 64)).astype(np.float32)


def test_eight_bits_are_right_within_half_a_step():
    packed = pack_rows(MATRIX)
    assert (np.abs(unpack(packed) - MATRIX) <= packed.scales[:, None] / 2 + 1e-6).all()


def test_four_bits_are_right_within_a_step():
    packed = pack_blocks(MATRIX)
    steps = np.abs(packed.scales.astype(np.float32)).repeat(32, axis=1)
    assert (np.abs(unpack(packed) - MATRIX) <= steps * 1.01).all()


def test_what_four_bits_can_hold_comes_back_exactly():
    once = unpack(pack_blocks(MATRIX))
    np.testing.assert_array_equal(unpack(pack_blocks(once)), once)


def test_zeros_stay_zeros():
    zeros = np.zeros((2, 32), np.float32)
    np.testing.assert_array_equal(unpack(pack_blocks(zeros)), zeros)
    np.testing.assert_array_equal(unpack(pack_rows(zeros)), zeros)


def test_low_halves_of_the_bytes_come_first_in_a_block():
    nibbles = np.full((1, 16), 8 | 8 << 4, np.uint8)
    nibbles[0, 3] = 9 | 7 << 4
    floats = unpack(Blocks(nibbles, np.ones((1, 1), np.float16)))
    assert (floats[0, 3], floats[0, 19]) == (1, -1)


def test_a_file_gives_back_what_was_packed(tmp_path):
    tensors = {"a.weight": pack_blocks(MATRIX), "b.weight": pack_rows(MATRIX), "c": MATRIX[0]}
    path = tmp_path / "weights.safetensors"
    path.write_bytes(to_bytes(tensors))
    found = read_packed(path)
    assert found.keys() == tensors.keys()
    for name, packed in tensors.items():
        np.testing.assert_array_equal(unpack(found[name]), unpack(packed))


def test_floats_are_kept_in_16_bits_only_where_that_is_exact():
    exact, inexact = np.array([0.5, 2.0], np.float32), np.array([0.1], np.float32)
    assert len(to_bytes({"x": exact})) < len(to_bytes({"x": exact + np.float32(1e-4)}))
    assert to_bytes({"x": inexact}).endswith(inexact.tobytes())


def test_a_file_that_is_cut_short_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(to_bytes({"a": pack_rows(MATRIX)})[:-10])
    with pytest.raises(DamagedWeightsError, match="cannot be read"):
        read_packed(path)


@pytest.mark.parametrize("kind", ["q4", "q8"])
def test_values_without_their_scales_are_refused(tmp_path, kind):
    path = tmp_path / "weights.safetensors"
    save_file({f"a.{kind}": np.zeros((2, 16), np.uint8)}, path)
    with pytest.raises(DamagedWeightsError, match="a is not a matrix"):
        read_packed(path)


def test_rows_that_do_not_fit_their_scales_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    packed = pack_rows(MATRIX)
    path.write_bytes(to_bytes({"a": Rows(packed.values, packed.scales[:2])}))
    with pytest.raises(DamagedWeightsError, match="rows of 8 bits"):
        read_packed(path)
