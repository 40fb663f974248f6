"""A vector store in memory that compares with every vector: exact, and gone when closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

__all__ = ["ExactStore"]


class ExactStore:
    """Implements `protocols.VectorStore`."""

    def __init__(
        self, folder: Path, dimension: int, options: Mapping[str, Any] | None = None
    ) -> None:
        del folder, options
        self._dimension = dimension
        self._rows: dict[str, Vectors] = {}

    def open(self) -> None:
        """Nothing to open."""

    def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        for identifier, vector in zip(ids, vectors, strict=True):
            if vector.shape != (self._dimension,):
                raise ValueError(f"a vector of shape {vector.shape} for {self._dimension}")
            self._rows[identifier] = numpy.array(vector, dtype=numpy.float32)

    def delete(self, ids: Sequence[str]) -> None:
        for identifier in ids:
            self._rows.pop(identifier, None)

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        scored = [(identifier, float(row @ vector)) for identifier, row in self._rows.items()]
        scored.sort(key=lambda pair: (-pair[1], pair[0]))
        return scored[: max(0, limit)]

    def ids(self) -> Iterator[str]:
        return iter(list(self._rows))

    def count(self) -> int:
        return len(self._rows)

    def close(self) -> None:
        self._rows.clear()
