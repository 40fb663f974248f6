"""The vector store `chroma`: ids and vectors in an embedded Chroma, owned by one process.

Chroma survives a killed process, but not a second process on its folder, and a damaged index
kills the process that opens it. So one process owns the folder by a lock, and after anything but
a clean close a child process tries the store first (see `canary`). A bad one is set aside and an
empty one begun: `was_reset` then tells the owner to write all vectors again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from inglenook.errors import MissingDependencyError, StoreError
from inglenook.privacy import silence_telemetry
from inglenook_chroma.canary import is_sound
from inglenook_chroma.marker import Marker

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

__all__ = ["COLLECTION", "ChromaStore"]

COLLECTION = "chunks"
_IDS_AT_ONCE = 5_000
_LEAST_CANDIDATES = 200
_GRAPH = {"space": "cosine", "ef_construction": 200, "max_neighbors": 24, "ef_search": 200}


class ChromaStore:
    """Implements `protocols.VectorStore`.

    `folder` holds `store` (Chroma's own files), `store.lock`, `store.json` (how it was closed)
    and `store.bad-<time>`, what was set aside.
    """

    def __init__(self, folder: Path, dimension: int, options: Mapping[str, Any]) -> None:
        del options
        self._folder = folder
        self._dimension = dimension
        self._lock = FileLock(folder / "store.lock", timeout=0, thread_local=False)
        self._marker = Marker(folder / "store.json", folder / "store")
        self._client: Any = None
        self._collection: Any = None
        self._was_reset = False
        self._set_aside: Path | None = None

    @property
    def was_reset(self) -> bool:
        """Whether `open` began an empty store: the owner writes all vectors again."""
        return self._was_reset

    @property
    def set_aside(self) -> Path | None:
        """Where `open` moved a damaged store, or None."""
        return self._set_aside

    def open(self) -> None:
        """Open or create it; tries it in a child process first unless it was closed cleanly.

        Raises `StoreError` if another process owns it or the disk refuses.
        """
        if self._collection is not None:
            return
        silence_telemetry()
        # Otherwise its SQLite spills into /var/tmp. The child that checks it inherits this.
        # A folder that is gone would send what SQLite cannot hold to /var/tmp.
        if not Path(os.environ.get("SQLITE_TMPDIR") or "/nowhere").is_dir():
            os.environ["SQLITE_TMPDIR"] = str(self._folder)
        version = _chroma_version()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise StoreError(
                f"The vector store {self._folder} is in use by another process.",
                hint="Close the other program, or search without it.",
            ) from error
        except OSError as error:
            raise self._failed("opened", error) from error
        try:
            self._open_owned(version)
        except BaseException:
            self.close()
            raise

    def upsert(self, ids: Sequence[str], vectors: Vectors) -> None:
        import numpy

        if len(ids) != len(vectors):
            raise ValueError(f"{len(ids)} ids for {len(vectors)} vectors")
        if not ids:
            return
        rows = numpy.ascontiguousarray(vectors, dtype=numpy.float32)
        if rows.shape[1:] != (self._dimension,):
            raise ValueError(f"vectors of shape {rows.shape}; the store has {self._dimension}")
        # Chroma refuses an id twice in one call; the last one counts.
        last = {identifier: row for row, identifier in enumerate(ids)}
        names, places = list(last), list(last.values())
        step = self._client_of_open_store().get_max_batch_size()
        for first in range(0, len(names), step):
            part = slice(first, first + step)
            self._do(
                "written",
                self._collection.upsert,
                ids=names[part],
                embeddings=rows[places[part]],
            )

    def delete(self, ids: Sequence[str]) -> None:
        step = min(self._client_of_open_store().get_max_batch_size(), _IDS_AT_ONCE)
        for first in range(0, len(ids), step):
            self._do("written", self._collection.delete, ids=list(ids[first : first + step]))

    def search(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        import numpy

        count = self.count()
        wanted = min(limit, count)
        if wanted < 1:
            return []
        # The graph search keeps as many candidates as it is asked for: too few miss neighbours.
        asked = min(count, max(wanted, _LEAST_CANDIDATES))
        found = self._do(
            "searched",
            self._collection.query,
            query_embeddings=numpy.asarray(vector, dtype=numpy.float32).reshape(1, -1),
            n_results=asked,
            include=["distances"],
        )
        pairs = zip(found["ids"][0], found["distances"][0], strict=True)
        return [(identifier, 1.0 - float(distance)) for identifier, distance in pairs][:wanted]

    def ids(self) -> Iterator[str]:
        offset = 0
        self._client_of_open_store()
        while True:
            page = self._do(
                "read", self._collection.get, limit=_IDS_AT_ONCE, offset=offset, include=[]
            )["ids"]
            yield from page
            if len(page) < _IDS_AT_ONCE:
                return
            offset += len(page)

    def count(self) -> int:
        self._client_of_open_store()
        return int(self._do("read", self._collection.count))

    def close(self) -> None:
        """Leave it whole on disk and give it up; a clean close spares the next check."""
        client, self._client, self._collection = self._client, None, None
        try:
            if client is not None:
                client.close()
                self._marker.write_closed(_chroma_version())
        except Exception as error:
            # Chroma raises its own errors, Rust panics and sqlite's. Without the marker the
            # next owner checks the store first.
            raise self._failed("closed", error) from error
        finally:
            self._lock.release()

    def _open_owned(self, version: str) -> None:
        store = self._folder / "store"
        self._was_reset = not store.exists()
        self._set_aside = None
        if (
            not self._was_reset
            and not self._marker.was_closed(version)
            and not is_sound(store, self._dimension)
        ):
            self._put_aside(store)
        try:
            self._marker.write_open()
            self._connect(store)
        except StoreError:
            raise
        except Exception as error:
            # Chroma raises its own errors, Rust panics and sqlite's.
            raise self._failed("opened", error) from error

    def _put_aside(self, store: Path) -> None:
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        self._set_aside = self._folder / f"store.bad-{moment}"
        try:
            store.rename(self._set_aside)
        except OSError as error:
            raise self._failed("set aside", error) from error
        self._was_reset = True

    def _connect(self, store: Path) -> None:
        import chromadb
        from chromadb.config import Settings

        logging.getLogger("chromadb").addHandler(logging.NullHandler())
        self._client = chromadb.PersistentClient(
            str(store), settings=Settings(anonymized_telemetry=False)
        )
        self._collection = self._client.get_or_create_collection(
            COLLECTION,
            embedding_function=None,
            configuration={"hnsw": _GRAPH},
        )

    def _client_of_open_store(self) -> Any:
        if self._client is None:
            raise RuntimeError("the vector store is not open")
        return self._client

    def _do(self, done: str, call: Any, **arguments: Any) -> Any:
        try:
            return call(**arguments)
        except Exception as error:
            # Chroma raises its own errors, Rust panics and sqlite's.
            raise self._failed(done, error) from error

    def _failed(self, done: str, error: BaseException) -> StoreError:
        lines = str(error).strip().splitlines()
        return StoreError(
            f"The vector store {self._folder} could not be {done}:"
            f" {lines[0] if lines else type(error).__name__}",
            hint="Is the disk full or read-only? It can be deleted: it is rebuilt without loss.",
        )


def _chroma_version() -> str:
    try:
        import chromadb
    except ImportError as error:
        raise MissingDependencyError(
            "The vector store 'chroma' needs the library chromadb, which is not installed.",
            hint="Install it: pip install 'inglenook[chroma]'",
        ) from error
    return str(chromadb.__version__)
