"""Puts the rows of a matrix into 4 or 8 bits, in the blocks of ONNX Runtime's MatMulNBits.

A value is `scale * (stored - zero point)`, with a scale and a zero point for each 32 values of a
row. Format: the operator's description in ONNX Runtime's `ContribOperators.md`.

Formats of 4 bits in GGUF files give every 32 values a step and an offset of their own. The steps
are taken over as they are; what of an offset is no whole number of steps is the `rest`, which every
value of the block has beside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Floats = NDArray[numpy.float32]
    Bytes = NDArray[numpy.uint8]

__all__ = ["BLOCK", "Blocks", "dequantise_rows", "quantise_rows"]

BLOCK = 32
"""Values that share a scale."""

_SHRINKS = (1.0, 0.97, 0.94, 0.91, 0.88, 0.85)
"""How much narrower a range is tried: a coarser end for finer steps."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Rows in blocks.

    Args:
        stored: uint8, of shape (rows, blocks, bytes of a block); the first of two 4-bit values is
            the lower half of a byte.
        scales: float32, of shape (rows, blocks).
        zeros: uint8, of shape (rows, bytes), packed as the values are; None stands for the middle
            of the range.
        rest: float32, of shape (rows, blocks): what is to be added to each value of a block; None
            for nothing.
    """

    stored: Bytes
    scales: Floats
    zeros: Bytes | None
    rest: Floats | None = None


def quantise_rows(rows: Floats, bits: int) -> Blocks:
    """The rows, of shape (rows, columns), in 4 or 8 bits; columns beyond the last are zeros."""
    import numpy

    count, columns = rows.shape
    blocks = -(-columns // BLOCK)
    if columns % BLOCK:
        rows = numpy.pad(rows, ((0, 0), (0, blocks * BLOCK - columns)))
    values = rows.reshape(count * blocks, BLOCK)
    if bits == 8:
        stored, scales = _even(values)
        return Blocks(
            stored.reshape(count, blocks, BLOCK), scales.reshape(count, blocks).copy(), None
        )
    stored, scales, zeros = _uneven(values)
    rest = numpy.zeros((len(values), 1), dtype=numpy.float32)
    first = slice(0, _LOOKED_AT)
    looked = values[first]
    tried = (stored[first].copy(), scales[first].copy(), zeros[first].copy(), rest[first].copy())
    if _take_over(looked, *tried) == len(looked):
        _take_over(values, stored, scales, zeros, rest)
    packed: Bytes = (stored[:, 0::2] + stored[:, 1::2] * 16).astype(numpy.uint8)
    return Blocks(
        packed.reshape(count, blocks, BLOCK // 2),
        scales.reshape(count, blocks).copy(),
        _pairs(zeros.reshape(count, blocks)),
        rest.reshape(count, blocks) if rest.any() else None,
    )


def dequantise_rows(blocks: Blocks, columns: int) -> Floats:
    """The values that the blocks stand for, of shape (rows, columns)."""
    import numpy

    rows, count, size = blocks.stored.shape
    if size == BLOCK:
        values = blocks.stored.astype(numpy.float32) - 128
    else:
        assert blocks.zeros is not None
        values = _unpacked(blocks.stored).astype(numpy.float32)
        values -= _unpacked(blocks.zeros)[:, :count, None]
    values = values * blocks.scales[:, :, None]
    if blocks.rest is not None:
        values = values + blocks.rest[:, :, None]
    whole: Floats = values.reshape(rows, -1)[:, :columns]
    return whole


def _even(values: Floats) -> tuple[Bytes, Floats]:
    """8 bits around 128."""
    import numpy

    scales = numpy.abs(values).max(axis=1, keepdims=True) / 127
    safe = numpy.where(scales > 0, scales, 1).astype(numpy.float32)
    stored = numpy.rint(values / safe) + 128
    return stored.astype(numpy.uint8), safe


def _uneven(values: Floats) -> tuple[Bytes, Floats, Bytes]:
    """4 bits over the range of each block, of the ranges that are tried the one of least error."""
    import numpy

    low = numpy.minimum(values.min(axis=1, keepdims=True), 0)
    high = numpy.maximum(values.max(axis=1, keepdims=True), 0)
    best = numpy.full((len(values), 1), numpy.inf, dtype=numpy.float32)
    stored = numpy.zeros(values.shape, dtype=numpy.float32)
    scales = numpy.ones((len(values), 1), dtype=numpy.float32)
    zeros = numpy.full((len(values), 1), 8, dtype=numpy.float32)
    for shrink in _SHRINKS:
        step = (high - low) * numpy.float32(shrink / 15)
        step = numpy.where(step > 0, step, 1).astype(numpy.float32)
        zero = numpy.clip(numpy.rint(-low * numpy.float32(shrink) / step), 0, 15)
        found = numpy.clip(numpy.rint(values / step) + zero, 0, 15)
        steps = found - zero
        # The scale that suits these steps best, by least squares.
        squares = (steps * steps).sum(axis=1, keepdims=True)
        fitted = (steps * values).sum(axis=1, keepdims=True) / numpy.maximum(squares, 1e-12)
        step = numpy.where((squares > 0) & (fitted > 0), fitted, step).astype(numpy.float32)
        wrong = ((steps * step - values) ** 2).sum(axis=1, keepdims=True)
        better = wrong < best
        best = numpy.where(better, wrong, best)
        stored = numpy.where(better, found, stored)
        scales = numpy.where(better, step, scales)
        zeros = numpy.where(better, zero, zeros)
    return stored.astype(numpy.uint8), scales, zeros.astype(numpy.uint8)


def _take_over(values: Floats, stored: Bytes, scales: Floats, zeros: Bytes, rest: Floats) -> int:
    """Put the blocks in that lie on 16 even steps already, as they are; returns how many do."""
    import numpy

    low = values.min(axis=1, keepdims=True)
    width = values.max(axis=1, keepdims=True) - low
    waiting = width[:, 0] > 0
    taken = int((~waiting).sum())
    for steps in range(1, 16):
        tried = numpy.flatnonzero(waiting)
        if not len(tried):
            break
        step = width[tried] / steps
        places = (values[tried] - low[tried]) / step
        whole = numpy.rint(places)
        # What float32 makes of a large offset is no error of the steps.
        slack = _ON_A_STEP + _FLOAT_ERROR * numpy.abs(low[tried]) / step
        even = (numpy.abs(places - whole) < slack).all(axis=1)
        found, step, whole = tried[even], step[even], whole[even]
        zero = numpy.clip(numpy.rint(-low[found] / step), 0, 15)
        apart = low[found] + step * zero
        stored[found] = whole.astype(numpy.uint8)
        scales[found] = step
        zeros[found] = zero.astype(numpy.uint8)
        rest[found] = numpy.where(numpy.abs(apart) > _ON_A_STEP * step, apart, 0)
        waiting[found] = False
        taken += len(found)
    return taken


_ON_A_STEP = 1e-3
"""How far from a step, in steps, a value still counts as on it."""
_FLOAT_ERROR = 4e-7
_LOOKED_AT = 256
"""If so many blocks lie on even steps, all are looked at."""


def _pairs(zeros: Bytes) -> Bytes:
    """Zero points of a row, two in a byte."""
    import numpy

    if zeros.shape[1] % 2:
        zeros = numpy.pad(zeros, ((0, 0), (0, 1)))
    packed: Bytes = (zeros[:, 0::2] + zeros[:, 1::2] * 16).astype(numpy.uint8)
    return packed


def _unpacked(packed: Bytes) -> Bytes:
    import numpy

    halves = numpy.stack([packed & 15, packed >> 4], axis=-1)
    return halves.reshape(*packed.shape[:-1], -1)
