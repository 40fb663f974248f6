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
