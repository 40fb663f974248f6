"""Embeddings that were computed once, for all assistants of an installation."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.errors import StoreError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

__all__ = ["EmbeddingCache"]


class EmbeddingCache:
    """Vectors by (fingerprint of the embedder, sha256 of the text). Safe between processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.was_reset = False
        """It was damaged and had to be begun anew."""
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise StoreError(
                    f"{path}: {error}.", hint="Check permissions and space."
                ) from error
            self._begin_anew()

    def _open(self) -> None:
        self._connection = sqlite3.connect(
            self._path, isolation_level=None, timeout=30, check_same_thread=False
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA temp_store = MEMORY")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS embeddings (fingerprint TEXT, sha256 BLOB,"
            " embedding BLOB NOT NULL, PRIMARY KEY (fingerprint, sha256)) WITHOUT ROWID"
        )

    def _begin_anew(self) -> None:
        """It is only a cache: a damaged one is deleted."""
        self._connection.close()
        for part in self._path.parent.glob(f"{self._path.name}*"):
            part.unlink(missing_ok=True)
        self.was_reset = True
        self._open()

    def get(self, fingerprint: str, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """Digest -> float32 bytes, of those that are known."""
        found: dict[bytes, bytes] = {}
        for begin in range(0, len(digests), 500):
            part = digests[begin : begin + 500]
            marks = ",".join("?" * len(part))
            try:
                found.update(
                    self._connection.execute(
                        "SELECT sha256, embedding FROM embeddings"
                        f" WHERE fingerprint = ? AND sha256 IN ({marks})",
                        (fingerprint, *part),
                    )
                )
            except sqlite3.DatabaseError:
                # What cannot be read is computed again.
                return found
        return found

    def put(
        self, fingerprint: str, digests: Sequence[bytes], vectors: NDArray[numpy.float32]
    ) -> None:
        """Keep vectors of shape (len(digests), dimension)."""
        rows = [(fingerprint, d, v.tobytes()) for d, v in zip(digests, vectors, strict=True)]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise StoreError(
                f"{self._path} could not be written: {error}.",
                hint="Free some space and run it again; nothing is lost.",
            ) from error

    def keep_only(self, digests: Iterable[bytes]) -> None:
        """Drop the embeddings of every other text, and give the space back."""
        try:
            self._connection.execute("CREATE TEMP TABLE used (sha256 BLOB PRIMARY KEY)")
            self._connection.executemany("INSERT INTO used VALUES (?)", ((d,) for d in digests))
            self._connection.execute(
                "DELETE FROM embeddings WHERE sha256 NOT IN (SELECT sha256 FROM used)"
            )
            self._connection.execute("DROP TABLE used")
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise StoreError(
                f"{self._path} could not be made smaller: {error}.",
                hint="It takes as much free space as the file is large; nothing is lost.",
            ) from error

    def close(self) -> None:
        self._connection.close()
