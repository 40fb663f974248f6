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
from inglenook.knowledge.fusion import Scatter
from inglenook.knowledge.scan import SCATTER_SAMPLE, as_matrix, scatter_of
from inglenook.protocols import VectorStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Projection", "dead_vectors"]

BATCH = 2_000
_DEAD_FILE = "store.dead"
OVER_FETCH = 3
SCANNED_INSTEAD = 20_000
"""Up to this many allowed chunks are compared one by one; that is exact, and fast enough."""


class Projection:
    """An open vector store over a catalog. `sync` before searching."""

    def __init__(self, store: VectorStore, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog
        self._sample: NDArray[numpy.float32] = numpy.empty((0, 0), dtype=numpy.float32)
        self._sampled = -1
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

    def search(
        self,
        vector: NDArray[numpy.float32],
        limit: int,
        allowed: frozenset[int] | None = None,
    ) -> list[tuple[int, float]]:
        """The `limit` nearest live chunks as (key, cosine), best first.

        `allowed` are the keys that may be found; None is all.
        """
        self.sync()
        if allowed is not None and len(allowed) <= SCANNED_INSTEAD:
            near = self.cosines(vector, sorted(allowed))
            return sorted(near.items(), key=lambda entry: (-entry[1], entry[0]))[:limit]
        fetched = limit * OVER_FETCH
        while True:
            found = self._store.search(vector, fetched)
            keys = self._catalog.keys_of([id_ for id_, _ in found])
            live = [(keys[id_], score) for id_, score in found if id_ in keys]
            kept = [entry for entry in live if allowed is None or entry[0] in allowed]
            if len(kept) >= limit or len(found) < fetched:
                return kept[:limit]
            fetched *= 4

    def cosines(self, vector: NDArray[numpy.float32], keys: list[int]) -> dict[int, float]:
        """The cosine of each of these chunks, from the catalog's own embeddings."""
        blobs = self._catalog.embeddings_of(keys)
        scores = as_matrix(list(blobs.values())) @ vector if blobs else ()
        return {key: float(score) for key, score in zip(blobs, scores, strict=True)}

    def scatter(self, vector: NDArray[numpy.float32]) -> Scatter:
        """Mean and deviation of the cosines with an even sample of all chunks."""
        revision = self._catalog.revision
        if revision != self._sampled:
            blobs = self._catalog.embeddings_of(self._catalog.sample_keys(SCATTER_SAMPLE))
            self._sample, self._sampled = as_matrix(list(blobs.values())), revision
        return scatter_of(self._sample, vector)

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
                yield ids, as_matrix(blobs)
                ids, blobs = [], []
        if ids:
            yield ids, as_matrix(blobs)


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
