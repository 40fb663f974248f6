"""Keeps a vector store in step with the catalog and searches it.

The store holds ids and vectors only. What is live is decided in the catalog, by asking the store
for more than is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy

from inglenook.knowledge.catalog import Catalog
from inglenook.knowledge.scan import ExactScan
from inglenook.protocols import VectorStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Projection", "dead_vectors"]

BATCH = 2_000
_DEAD_FILE = "store.dead"
OVER_FETCH = 3


class Projection:
    """An open vector store over a catalog. `sync` before searching."""

    def __init__(self, store: VectorStore, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        self._exact = ExactScan(catalog)
        self._revision = -1

    def sync(self) -> tuple[int, int]:
        """Bring the store in step without embedding anything; (added, deleted)."""
        revision = self._catalog.revision
        if revision == self._revision:
            return (0, 0)
        stored = set(self._store.ids())
        live: set[str] = set()
        added = 0
        for ids, vectors in self._missing(stored, live):
            self._store.upsert(ids, vectors)
            added += len(ids)
        stale = sorted(stored - live)
        if stale:
            self._store.delete(stale)
        _count_dead(self._catalog.path.parent, len(stale), anew=not stored)
        self._revision = revision
        return (added, len(stale))

    def search(self, vector: NDArray[numpy.float32], limit: int) -> list[tuple[int, float]]:
        """The `limit` nearest live chunks as (key, cosine), best first."""
        self.sync()
        found = self._store.search(vector, limit * OVER_FETCH)
        keys = self._catalog.keys_of([id_ for id_, _ in found])
        return [(keys[id_], score) for id_, score in found if id_ in keys][:limit]

    def cosines(self, vector: NDArray[numpy.float32], keys: list[int]) -> dict[int, float]:
        """The cosine of each of these chunks, from the catalog's own embeddings."""
        return self._exact.cosines(vector, keys)

    def count(self) -> int:
        """How many vectors the store holds."""
        return self._store.count()

    def close(self) -> None:
        self._store.close()

    def _missing(
        self, stored: set[str], live: set[str]
    ) -> Iterator[tuple[list[str], NDArray[numpy.float32]]]:
        """Batches of what the store lacks; every live id is put into `live` on the way."""
        ids: list[str] = []
        blobs: list[bytes] = []
        for _, id_, blob in self._catalog.embeddings():
            live.add(id_)
            if id_ not in stored:
                ids.append(id_)
                blobs.append(blob)
            if len(ids) == BATCH:
                yield ids, _matrix(blobs)
                ids, blobs = [], []
        if ids:
            yield ids, _matrix(blobs)


def dead_vectors(folder: Path) -> int:
    """How many vectors were deleted since the store of this knowledge base was built.

    Stores give little of their space back: what they deleted stays in their files.
    """
    try:
        return int((folder / _DEAD_FILE).read_text("ascii"))
    except (OSError, ValueError):
        return 0


def _count_dead(folder: Path, deleted: int, *, anew: bool) -> None:
    if not (deleted or anew):
        return
    # It only says when rebuilding is worth its while: no search fails for it.
    with suppress(OSError):
        before = 0 if anew else dead_vectors(folder)
        (folder / _DEAD_FILE).write_text(str(before + deleted), "ascii")


def _matrix(blobs: list[bytes]) -> NDArray[numpy.float32]:
    return numpy.frombuffer(b"".join(blobs), dtype=numpy.float32).reshape(len(blobs), -1)
