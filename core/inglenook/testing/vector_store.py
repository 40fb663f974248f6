"""The conformance kit for vector stores: subclass `VectorStoreKit` and fill in `make_store`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import pytest

from inglenook.errors import StoreError
from inglenook.protocols import VectorStore
from inglenook.testing.guard import Kit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

__all__ = ["DIMENSION", "VectorStoreKit", "clustered_vectors"]

DIMENSION = 32
_ROWS = 1_500


def clustered_vectors(rows: int, seed: int = 0) -> Vectors:
    """Unit vectors of shape (rows, DIMENSION) in 40 clusters, as real texts fall into topics."""
    chance = numpy.random.default_rng(seed)
    centres = chance.normal(size=(40, DIMENSION))
    spread = chance.normal(size=(rows, DIMENSION))
    vectors = centres[chance.integers(0, 40, rows)] + 0.5 * spread
    scaled: Vectors = (vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
    return scaled


class VectorStoreKit(Kit):
    """What every vector store must do. The oracle is an exact scan.

    `make_store` is a fixture: a function that makes a closed store of `DIMENSION` in a folder.
    `least_recall` is the share of the exact 10 nearest that must be found; 1.0 for exact search.
    `is_persistent` and `has_one_owner` say whether rows outlive `close`, and whether a second
    store on the same folder is refused.
    """

    least_recall = 0.95
    is_persistent = True
    has_one_owner = True

    @pytest.fixture
    def make_store(self) -> Callable[[Path], VectorStore]:
        raise NotImplementedError("return a function that makes a store in a folder")

    @pytest.fixture
    def store(
        self, make_store: Callable[[Path], VectorStore], tmp_path: Path
    ) -> Iterator[VectorStore]:
        store = make_store(tmp_path / "vectors")
        store.open()
        yield store
        store.close()

    def test_satisfies_the_protocol(self, store: VectorStore) -> None:
        """Fix: give the class every method of `protocols.VectorStore`."""
        assert isinstance(store, VectorStore)

    def test_a_new_store_is_empty(self, store: VectorStore) -> None:
        """Fix: `open` creates the folder; searching an empty store finds nothing."""
        assert store.count() == 0
        assert list(store.ids()) == []
        assert store.search(clustered_vectors(1)[0], 5) == []

    def test_it_finds_what_an_exact_scan_finds(self, store: VectorStore) -> None:
        """Fix: search by cosine, and let an approximate index look at more candidates."""
        vectors = clustered_vectors(_ROWS)
        store.upsert([f"row-{row}" for row in range(_ROWS)], vectors)
        recalls = []
        for query in clustered_vectors(30, seed=1):
            nearest = {f"row-{row}" for row in numpy.argsort(-(vectors @ query))[:10]}
            found = {identifier for identifier, _ in store.search(query, 10)}
            recalls.append(len(nearest & found) / 10)
        assert sum(recalls) / len(recalls) >= self.least_recall

    def test_scores_are_cosines_best_first(self, store: VectorStore) -> None:
        """Fix: return the cosine, 1 for the same direction; not a distance."""
        vectors = clustered_vectors(100)
        store.upsert([str(row) for row in range(100)], vectors)
        found = store.search(vectors[7], 20)
        scores = [score for _, score in found]
        assert found[0][0] == "7"
        assert scores == sorted(scores, reverse=True)
        exact = [float(vectors[int(identifier)] @ vectors[7]) for identifier, _ in found]
        assert scores == pytest.approx(exact, abs=1e-3)

    def test_the_limit_is_kept(self, store: VectorStore) -> None:
        """Fix: return `limit` rows, or all if there are fewer; none for 0."""
        vectors = clustered_vectors(20)
        store.upsert([str(row) for row in range(20)], vectors)
        assert len(store.search(vectors[0], 5)) == 5
        assert len(store.search(vectors[0], 500)) == 20
        assert store.search(vectors[0], 0) == []

    def test_the_same_id_again_replaces(self, store: VectorStore) -> None:
        """Fix: upsert, do not add."""
        first, second = clustered_vectors(2)
        store.upsert(["a"], first[None])
        store.upsert(["a"], second[None])
        assert store.count() == 1
        assert store.search(second, 1)[0][1] == pytest.approx(1.0, abs=1e-3)

    def test_an_id_twice_in_one_call_keeps_the_last(self, store: VectorStore) -> None:
        """Fix: drop earlier rows of an id before writing."""
        vectors = clustered_vectors(2)
        store.upsert(["a", "a"], vectors)
        assert store.count() == 1
        assert store.search(vectors[1], 1)[0][1] == pytest.approx(1.0, abs=1e-3)

    def test_deleted_rows_are_not_found(self, store: VectorStore) -> None:
        """Fix: delete from the index too, not only from the list of ids."""
        vectors = clustered_vectors(50)
        store.upsert([str(row) for row in range(50)], vectors)
        store.delete([str(row) for row in range(25)])
        assert sorted(store.ids()) == sorted(str(row) for row in range(25, 50))
        found = {identifier for identifier, _ in store.search(vectors[3], 50)}
        assert found == set(store.ids())

    def test_deleting_unknown_ids_is_harmless(self, store: VectorStore) -> None:
        """Fix: ignore ids that are not there, and an empty list."""
        store.upsert(["a"], clustered_vectors(1))
        store.delete(["nobody"])
        store.delete([])
        assert store.count() == 1

    def test_ids_lists_each_row_once(self, store: VectorStore) -> None:
        """Fix: page through all rows without gaps or repetitions."""
        names = [f"row-{row}" for row in range(_ROWS)]
        store.upsert(names, clustered_vectors(_ROWS))
        assert sorted(store.ids()) == sorted(names)
        assert store.count() == _ROWS

    def test_many_rows_in_one_call_are_all_written(self, store: VectorStore) -> None:
        """Fix: write in batches that the backend accepts."""
        rows = 12_000
        store.upsert([str(row) for row in range(rows)], clustered_vectors(rows))
        assert store.count() == rows

    def test_nothing_written_is_nothing_done(self, store: VectorStore) -> None:
        """Fix: accept empty lists."""
        store.upsert([], numpy.zeros((0, DIMENSION), dtype=numpy.float32))
        assert store.count() == 0

    def test_rows_outlive_closing(
        self, make_store: Callable[[Path], VectorStore], tmp_path: Path
    ) -> None:
        """Fix: flush in `close`; set `is_persistent = False` for a store in memory."""
        vectors = clustered_vectors(40)
        store = make_store(tmp_path / "kept")
        store.open()
        store.upsert([str(row) for row in range(40)], vectors)
        store.close()
        again = make_store(tmp_path / "kept")
        again.open()
        try:
            assert again.count() == (40 if self.is_persistent else 0)
            if self.is_persistent:
                assert again.search(vectors[9], 1)[0][0] == "9"
        finally:
            again.close()

    def test_a_second_owner_is_refused(
        self, store: VectorStore, make_store: Callable[[Path], VectorStore], tmp_path: Path
    ) -> None:
        """Fix: hold a lock from `open` to `close`; raise StoreError at once, do not wait."""
        second = make_store(tmp_path / "vectors")
        if self.has_one_owner:
            with pytest.raises(StoreError):
                second.open()
        else:
            second.open()
        second.close()
        assert store.count() == 0

    def test_closing_twice_is_harmless(self, store: VectorStore) -> None:
        """Fix: let `close` free what is there and nothing else."""
        store.close()
        store.close()
