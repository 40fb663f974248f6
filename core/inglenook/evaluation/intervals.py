"""Says how sure a mean is: its 95% confidence interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["RESAMPLES", "SEED", "Estimate", "estimate", "estimate_difference"]

RESAMPLES = 5_000
SEED = 20_230_517
_AT_ONCE = 2_000_000
"""How many drawn numbers are held in memory at a time."""
_Z = 1.959963984540054
"""The 97.5% quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `n` questions and its 95% confidence interval."""

    value: float
    low: float
    high: float
    n: int


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of one score a question, 0 to 1, with its interval.

    The interval is the percentile bootstrap over questions (Efron and Tibshirani, "An
    Introduction to the Bootstrap", 1993, ch. 13) with a fixed seed. Where every value is 0 or 1
    the mean is a share, and the Wilson score interval (Wilson, JASA 22, 1927) is used: a bootstrap
    of five hits in five questions would claim certainty. Raises `ValueError` for no values.
    """
    n = len(values)
    if not n:
        raise ValueError("a mean needs at least one value")
    mean = math.fsum(values) / n
    if all(value in (0.0, 1.0) for value in values):
        return Estimate(mean, *_wilson(mean, n), n)
    # One value says nothing about the others; scores lie between 0 and 1.
    return Estimate(mean, *(_bootstrap(values) if n > 1 else (0.0, 1.0)), n)


def estimate_difference(before: Sequence[float], now: Sequence[float]) -> Estimate:
    """The mean of `now - before`, question by question, with the paired bootstrap's interval.

    Raises `ValueError` for no values or for unequal numbers of them.
    """
    differences = [new - old for old, new in zip(before, now, strict=True)]
    if not differences:
        raise ValueError("a difference needs at least one pair")
    n = len(differences)
    # As above: one pair says nothing about the others.
    low, high = _bootstrap(differences) if n > 1 else (-1.0, 1.0)
    return Estimate(math.fsum(differences) / n, low, high, n)


def _wilson(share: float, n: int) -> tuple[float, float]:
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    # Rounding may leave a bound a hair beyond the share itself.
    return min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share)


def _bootstrap(values: Sequence[float]) -> tuple[float, float]:
    import numpy

    numbers = numpy.asarray(values, dtype=numpy.float64)
    n = len(numbers)
    random = numpy.random.default_rng(SEED)
    rows = max(1, _AT_ONCE // n)
    means = numpy.concatenate(
        [
            numbers[random.integers(0, n, (min(rows, RESAMPLES - begin), n))].mean(axis=1)
            for begin in range(0, RESAMPLES, rows)
        ]
    )
    low, high = numpy.percentile(means, (2.5, 97.5))
    return float(low), float(high)
