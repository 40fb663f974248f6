"""Weights in 8 bits, and what keeps the result right although activations are in 8 bits too.

An activation's one scale for a whole text is set by its largest value, and encoders have a few
channels that are far larger than all others (Dettmers et al. 2022, LLM.int8()). Two exact
rewrites take them out of the way, both before anything is rounded:

- Where a layer norm feeds a product, part of a channel's size moves from the activation into the
  weights (Xiao et al. 2023, SmoothQuant).
- The few largest units of the inner network are computed in float32 beside the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["QuantisationPlan", "largest_units", "quantise_columns", "quantise_rows", "smoothing"]

_SHARE_MOVED = 0.7
_SMALLEST_PEAK = 1e-3
_RANGE = (1e-2, 1e2)


@dataclass(frozen=True, slots=True)
class QuantisationPlan:
    """How one encoder is put into 8 bits.

    Args:
        peaks: Name of a product -> the largest absolute value that each channel of its input
            took on sample texts, shape (channels,).
        weight_bits: 8, or 7 for processors whose 8-bit products overflow 16 bits (AVX2).
        units_kept: How many units of each inner network stay in float32.
    """

    peaks: Mapping[str, NDArray[Any]]
    weight_bits: int = 8
    units_kept: int = 32


def quantise_columns(weight: NDArray[Any], bits: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """(inputs, outputs) -> int8 of the same shape, and a float32 scale for each output."""
    import numpy

    largest = 2 ** (bits - 1) - 1
    scales = numpy.abs(weight).max(axis=0) / largest
    scales[scales == 0] = 1
    return numpy.rint(weight / scales).astype(numpy.int8), scales.astype(numpy.float32)


def quantise_rows(table: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """(rows, width) -> int8 of the same shape, and a float32 scale of shape (rows, 1)."""
    import numpy

    scales = (numpy.abs(table).max(axis=1, keepdims=True) / 127).astype(numpy.float32)
    scales[scales == 0] = 1
    return numpy.rint(table / scales).astype(numpy.int8), scales


def smoothing(peaks: NDArray[Any], weight: NDArray[Any]) -> NDArray[Any]:
    """By what each input channel is divided, and its row of the weights multiplied."""
    import numpy

    activation = numpy.maximum(peaks, _SMALLEST_PEAK)
    rows = numpy.maximum(numpy.abs(weight).max(axis=1), 1e-5)
    factors = activation**_SHARE_MOVED / rows ** (1 - _SHARE_MOVED)
    centred = factors / numpy.exp(numpy.log(factors).mean())
    clipped: NDArray[Any] = numpy.clip(centred, *_RANGE).astype(numpy.float32)
    return clipped


def largest_units(peaks: NDArray[Any], count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The indices of the `count` largest channels, and of all others, each in order."""
    import numpy

    order = numpy.argsort(-peaks, kind="stable")
    return numpy.sort(order[:count]), numpy.sort(order[count:])
