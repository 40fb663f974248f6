"""Rows that are put into blocks of 4 or 8 bits stay close to what they were."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inglenook_onnx_genai.block_weights import BLOCK, dequantise_rows, quantise_rows


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 130),
    st.sampled_from([4, 8]),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1e-6, 1.0, 1e4]),
)
def test_no_value_moves_by_more_than_a_step(rows, columns, bits, seed, size):
    values = numpy.random.default_rng(seed).normal(0, size, (rows, columns)).astype("float32")

    blocks = quantise_rows(values, bits)
    back = dequantise_rows(blocks, columns)

    assert values.shape == back.shape
    padded = numpy.pad(values, ((0, 0), (0, -columns % BLOCK))).reshape(rows, -1, BLOCK)
    widest = numpy.maximum(padded.max(2), 0) - numpy.minimum(padded.min(2), 0)
    step = widest / (15 if bits == 4 else 127)
    allowed = numpy.repeat(step, BLOCK, axis=1)[:, :columns] * (2.5 if bits == 4 else 0.51)
    assert (numpy.abs(values - back) <= allowed + 1e-30).all()


@pytest.mark.parametrize("bits", [4, 8])
def test_zeros_stay_zeros(bits):
    blocks = quantise_rows(numpy.zeros((2, 64), dtype="float32"), bits)

    assert not dequantise_rows(blocks, 64).any()


def test_what_lies_on_sixteen_even_steps_from_zero_is_kept_exactly():
    steps = numpy.arange(32).reshape(1, 32) % 16
    values = ((steps - 5) * 0.25).astype("float32")

    assert numpy.allclose(values, dequantise_rows(quantise_rows(values, 4), 32), atol=1e-6)


def test_eight_bits_are_much_closer_than_four():
    values = numpy.random.default_rng(1).normal(0, 1, (64, 256)).astype("float32")

    def wrong(bits: int) -> float:
        back = dequantise_rows(quantise_rows(values, bits), 256)
        return float(numpy.sqrt(((values - back) ** 2).mean()))

    assert wrong(8) < 0.01
    assert wrong(4) < 0.1


def on_steps(rows, columns, seed=5):
    """Values as GGUF's formats of 4 bits hold them: a step and an offset for each 32."""
    random = numpy.random.default_rng(seed)
    places = random.integers(0, 16, (rows, columns // BLOCK, BLOCK)).astype(numpy.float32)
    steps = random.uniform(0.01, 0.3, (rows, columns // BLOCK, 1)).astype(numpy.float16)
    offsets = random.uniform(-3, 0.5, (rows, columns // BLOCK, 1)).astype(numpy.float16)
    values = places * steps.astype(numpy.float32) + offsets.astype(numpy.float32)
    return values.reshape(rows, columns).astype(numpy.float32)


def test_what_lies_on_sixteen_steps_is_taken_over_as_it_is():
    rows = on_steps(6, 96)
    blocks = quantise_rows(rows, 4)

    assert blocks.rest is not None
    assert blocks.rest.shape == (6, 3)
    assert numpy.abs(dequantise_rows(blocks, 96) - rows).max() < 1e-5


def test_offsets_of_whole_steps_need_no_rest():
    random = numpy.random.default_rng(6)
    rows = (random.integers(-8, 8, (4, 64)) * 0.125).astype(numpy.float32)
    blocks = quantise_rows(rows, 4)

    assert blocks.rest is None
    assert numpy.abs(dequantise_rows(blocks, 64) - rows).max() < 1e-6


def test_what_lies_on_no_steps_has_no_rest():
    rows = numpy.random.default_rng(7).normal(size=(4, 64)).astype(numpy.float32)

    assert quantise_rows(rows, 4).rest is None


def test_a_block_of_one_value_is_exact():
    rows = on_steps(2, 64)
    rows[0, :32] = 0.7
    rows[1, 32:] = 0

    assert numpy.abs(dequantise_rows(quantise_rows(rows, 4), 64) - rows).max() < 1e-5
