"""The exact scan: compares a question with every embedding in the catalog.

It is the reference that every vector store is held against, and what a command over a knowledge
base of ordinary size uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy

from inglenook.knowledge.catalog import Catalog

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ExactScan"]


class ExactScan:
    """All live embeddings in memory; read again when the catalog's revision changes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._revision = -1
        self._keys: NDArray[numpy.int64] = numpy.empty(0, dtype=numpy.int64)
        self._matrix: NDArray[numpy.float32] = numpy.empty((0, 0), dtype=numpy.float32)
        self._row_of: dict[int, int] = {}

    def search(self, vector: NDArray[numpy.float32], limit: int) -> list[tuple[int, float]]:
        """The `limit` nearest as (key, cosine), best first. `vector` is (dimension,), length 1."""
        self._refresh()
        if not len(self._keys):
            return []
        scores = self._matrix @ vector
        count = min(limit, len(scores))
        best = numpy.argpartition(-scores, count - 1)[:count]
        best = best[numpy.argsort(-scores[best], kind="stable")]
        return [(int(self._keys[i]), float(scores[i])) for i in best]

    def cosines(self, vector: NDArray[numpy.float32], keys: list[int]) -> dict[int, float]:
        """The cosine of each of these chunks; keys that are not live are left out."""
        self._refresh()
        rows = {key: self._row_of[key] for key in keys if key in self._row_of}
        return {key: float(self._matrix[row] @ vector) for key, row in rows.items()}

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
        flat = numpy.frombuffer(b"".join(blobs), dtype=numpy.float32)
        self._matrix = (
            flat.reshape(len(keys), len(flat) // len(keys)) if keys else flat.reshape(0, 0)
        )
        self._row_of = {key: row for row, key in enumerate(keys)}
        self._revision = revision
