"""Puts the lexical and the vector scores of a question's candidates into one order.

The vectors count by how far their best stands out: a score is worth something only against the
scatter of all scores. An embedder that was not trained for a language gives scores that scatter
without any chunk standing out, so it fades by itself, and nothing has to be known of languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Fused", "Scatter", "fuse", "vector_weight"]

EVEN_PEAK = 5.5
"""How many deviations the best cosine must stand above the mean to count as much as the words."""
FEW_CHUNKS = 50
"""Below this many chunks a scatter says little; cosines are taken as they are, both sides alike."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """The cosines of a question with all chunks: their mean, deviation, and how many were seen."""

    mean: float
    deviation: float
    chunks: int

    def peak(self, cosine: float) -> float:
        """How many deviations a cosine stands above the mean."""
        return (cosine - self.mean) / self.deviation if self.deviation > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Fused:
    """The fused scores, 0 to 1, and the share that the vectors had in them."""

    scores: Mapping[int, float]
    vector_weight: float


def vector_weight(scatter: Scatter, top_cosine: float, trust: float = 1.0) -> float:
    """The vectors' share of the fused score, 0 to 1.

    Args:
        scatter: Of the question's cosines.
        top_cosine: The best of them.
        trust: What else is known of the embedder, 0 (not to be used) to 1.
    """
    peak = EVEN_PEAK
    if scatter.chunks >= FEW_CHUNKS:
        peak = max(scatter.peak(top_cosine), 0.0)
    strength = trust * peak**2
    return strength / (strength + EVEN_PEAK**2)


def fuse(
    lexical: Mapping[int, float], cosines: Mapping[int, float], scatter: Scatter, weight: float
) -> dict[int, float]:
    """Key -> weight · vector share + (1 - weight) · lexical share.

    The lexical share is that of the best lexical score. The vector share is how far a cosine
    stands above the mean, against the best; where there are few chunks, against 0.

    Args:
        lexical: BM25 scores, 0 or more.
        cosines: -1 to 1.
        scatter: Of the cosines.
        weight: The vectors' share of the score (see `vector_weight`).
    """
    floor = scatter.mean if scatter.chunks >= FEW_CHUNKS else 0.0
    top_lexical = max(lexical.values(), default=0.0)
    height = max(cosines.values(), default=floor) - floor
    if top_lexical <= 0 and height > 0 and weight > 0:
        weight = 1.0  # no word is found: the vectors alone say what is near
    elif height <= 0 and weight < 1:
        weight = 0.0

    def share(value: float, top: float) -> float:
        return max(value, 0.0) / top if top > 0 else 0.0

    return {
        key: weight * share(cosines.get(key, floor) - floor, height)
        + (1 - weight) * share(lexical.get(key, 0.0), top_lexical)
        for key in {**lexical, **cosines}
    }
