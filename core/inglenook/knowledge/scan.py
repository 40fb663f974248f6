"""The exact scan: compares a question with every embedding in the catalog.

It is the reference that every vector store is held against, and what a command over a knowledge
base of ordinary size uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy

from inglenook.knowledge.catalog import Catalog
from inglenook.knowledge.fusion import Scatter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["SCATTER_SAMPLE", "ExactScan", "as_matrix", "scatter_of"]

SCATTER_SAMPLE = 2_000
"""So many cosines show the mean and the deviation of all."""


class ExactScan:
    """All live embeddings in memory; read again when the catalog's revision changes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._revision = -1
        self._keys: NDArray[numpy.int64] = numpy.empty(0, dtype=numpy.int64)
        self._matrix: NDArray[numpy.float32] = numpy.empty((0, 0), dtype=numpy.float32)
        self._row_of: dict[int, int] = {}

    def search(
        self,
        vector: NDArray[numpy.float32],
        limit: int,
        allowed: frozenset[int] | None = None,
    ) -> list[tuple[int, float]]:
        """The `limit` nearest as (key, cosine), best first.

        Args:
            vector: Of shape (dimension,) and length 1.
            limit: How many at most.
            allowed: The keys that may be found; None is all.
        """
        self._refresh()
        keys, matrix = self._keys, self._matrix
        if allowed is not None:
            rows = numpy.flatnonzero(numpy.isin(keys, numpy.fromiter(allowed, numpy.int64)))
            keys, matrix = keys[rows], matrix[rows]
        if not len(keys):
            return []
        scores = matrix @ vector
        count = min(limit, len(scores))
        best = numpy.argpartition(-scores, count - 1)[:count]
        best = best[numpy.argsort(-scores[best], kind="stable")]
        return [(int(keys[i]), float(scores[i])) for i in best]

    def cosines(self, vector: NDArray[numpy.float32], keys: list[int]) -> dict[int, float]:
        """The cosine of each of these chunks; keys that are not live are left out."""
        self._refresh()
        known = [key for key in keys if key in self._row_of]
        scores = self._matrix[[self._row_of[key] for key in known]] @ vector if known else ()
        return {key: float(score) for key, score in zip(known, scores, strict=True)}

    def scatter(self, vector: NDArray[numpy.float32]) -> Scatter:
        """Mean and deviation of the cosines with an even sample of all chunks."""
        self._refresh()
        step = max(len(self._keys) // SCATTER_SAMPLE, 1)
        return scatter_of(self._matrix[::step], vector)

    def _refresh(self) -> None:
        revision = self._catalog.revision
        if revision == self._revision:
            return
        keys: list[int] = []
        blobs: list[bytes] = []
        for key, _, blob in self._catalog.embeddings():
            keys.append(key)
            blobs.append(blob)
        self._keys = numpy.array(keys, dtype=numpy.int64)
        self._matrix = as_matrix(blobs)
        self._row_of = {key: row for row, key in enumerate(keys)}
        self._revision = revision


def as_matrix(blobs: Sequence[bytes]) -> NDArray[numpy.float32]:
    """The embeddings, a row each, of shape (len(blobs), dimension)."""
    flat = numpy.frombuffer(b"".join(blobs), dtype=numpy.float32)
    return flat.reshape(len(blobs), len(flat) // len(blobs)) if blobs else flat.reshape(0, 0)


def scatter_of(sample: NDArray[numpy.float32], vector: NDArray[numpy.float32]) -> Scatter:
    """Mean and deviation of the cosines of a vector with these rows."""
    if not len(sample):
        return Scatter(0.0, 0.0, 0)
    scores = sample @ vector
    return Scatter(float(scores.mean()), float(scores.std()), len(scores))
