"""The catalog: the one truth about an assistant's sources, chunks, embeddings and terms.

SQLite in WAL mode with full synchronisation. A chunk is visible only while its generation is the
one that its source records, so a half-written update is never seen.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from inglenook.errors import StoreError
from inglenook.knowledge.catalog_schema import connect, store_error
from inglenook.types import ChunkText, Locator, LocatorKind, Notice, Passage

__all__ = ["Catalog", "ChunkRow", "NewChunk", "SourceRow"]

OVER_FETCH = 40
_KEYS_A_QUERY = 500
_SPACE_LEFT_BYTES = 64 << 10
_NOT_FAILED = "failed_sha256 = '', outcome = 'unchanged', reason = '', message = ''"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source as recorded."""

    id: str
    name: str
    path: str
    size: int
    mtime_ns: int
    sha256: str
    reader: str
    generation: int
    failed_sha256: str
    outcome: str
    reason: str
    message: str
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk to be written: `terms` for the lexical index, `embedding` as float32 bytes."""

    id: str
    ordinal: int
    chunk: ChunkText
    terms: str
    embedding: bytes


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A live chunk, with its source's name and path; `gap` parts it from the one before."""

    key: int
    id: str
    source_id: str
    source: str
    path: str
    ordinal: int
    text: str
    locator: Locator
    start: int
    end: int
    headings: tuple[str, ...]
    gap: str = ""

    def as_passage(
        self,
        score: float = 0.0,
        lexical: float | None = None,
        vector: float | None = None,
        coverage: float = 0.0,
        *,
        background: float | None = None,
        inline: bool = False,
    ) -> Passage:
        """The chunk as it was found, with its scores."""
        return Passage(
            chunk=self.id,
            source=self.source,
            source_id=self.source_id,
            path=self.path,
            text=self.text,
            locator=self.locator,
            start=self.start,
            end=self.end,
            headings=self.headings,
            score=score,
            lexical=lexical,
            vector=vector,
            background=background,
            coverage=coverage,
            inline=inline,
        )


class Catalog:
    """One catalog file, open. Not for several threads at once; every process opens its own.

    Args:
        path: The file; its folder must exist. Created on first use.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = connect(path)

    def close(self) -> None:
        self._connection.close()

    # --- facts about the whole --------------------------------------------------------------

    @property
    def identity(self) -> str:
        """What the chunks were made with, as JSON; "" before the first ingestion."""
        row = self._one("SELECT value FROM meta WHERE key = 'identity'")
        return str(row[0]) if row else ""

    def set_identity(self, identity: str) -> None:
        with self.transaction():
            self._set_meta("identity", identity)

    @property
    def revision(self) -> int:
        """A number that grows with every change of what is visible."""
        row = self._one("SELECT value FROM meta WHERE key = 'revision'")
        return int(row[0]) if row else 0

    @property
    def told(self) -> tuple[Notice, ...]:
        """What was told of files that are left out, so that it is not told with every run."""
        row = self._one("SELECT value FROM meta WHERE key = 'told'")
        return tuple(Notice(*notice) for notice in json.loads(row[0])) if row else ()

    def remember_told(self, notices: Iterable[Notice]) -> None:
        """Replace what was told."""
        with self.transaction():
            told = [[notice.code, notice.message] for notice in notices]
            self._set_meta("told", json.dumps(told, ensure_ascii=True))

    def count_chunks(self) -> int:
        return int(self._one("SELECT count(*) FROM live")[0])

    def count_sources(self) -> int:
        return int(self._one("SELECT count(*) FROM sources WHERE generation > 0")[0])

    # --- sources ----------------------------------------------------------------------------

    def sources(self) -> tuple[SourceRow, ...]:
        """Every source, failed ones too, by name."""
        rows = self._all(
            "SELECT id, name, path, size, mtime_ns, sha256, reader, generation, failed_sha256,"
            " outcome, reason, message, notices FROM sources ORDER BY name"
        )
        return tuple(
            SourceRow(*(*row[:12], tuple(Notice(*n) for n in json.loads(row[12])))) for row in rows
        )

    def add_source(self, name: str, path: Path, source_id: str = "") -> str:
        """A new source without any visible chunk; its opaque id, made here if none is given."""
        source_id = source_id or uuid.uuid4().hex
        with self.transaction():
            self._connection.execute(
                "INSERT INTO sources (id, name, path, size, mtime_ns, sha256, reader)"
                " VALUES (?, ?, ?, 0, 0, '', '')",
                (source_id, name, str(path)),
            )
        return source_id

    def rename_source(
        self,
        source_id: str,
        name: str,
        path: Path,
        size: int,
        mtime_ns: int,
        terms_of: Callable[[str, tuple[str, ...]], str],
    ) -> None:
        """Give a source its new place; only its terms change, since its name is among them.

        `terms_of` gives the terms of a chunk from its text and headings.
        """
        with self.transaction():
            self._connection.execute(
                f"UPDATE sources SET name = ?, path = ?, size = ?, mtime_ns = ?, {_NOT_FAILED}"
                " WHERE id = ?",
                (name, str(path), size, mtime_ns, source_id),
            )
            rows = self._connection.execute(
                "SELECT key, text, headings FROM live WHERE source_id = ?", (source_id,)
            ).fetchall()
            for key, text, headings in rows:
                self._connection.execute(
                    "UPDATE terms SET content = ? WHERE rowid = ?",
                    (terms_of(text, tuple(json.loads(headings))), key),
                )
            self._bump()

    def touch_source(self, source_id: str, size: int, mtime_ns: int) -> None:
        """Note a new size and time of a source whose bytes are the same."""
        with self.transaction():
            self._connection.execute(
                f"UPDATE sources SET size = ?, mtime_ns = ?, {_NOT_FAILED} WHERE id = ?",
                (size, mtime_ns, source_id),
            )

    def record_failure(
        self,
        source_id: str,
        attempt: str,
        size: int,
        mtime_ns: int,
        outcome: str,
        reason: str,
        message: str,
    ) -> None:
        """Note that reading failed. What was visible before stays visible.

        `attempt` names the bytes and the loader; `size` and `mtime_ns` are those of the file that
        could not be read.
        """
        with self.transaction():
            self._connection.execute(
                "UPDATE sources SET failed_sha256 = ?, size = ?, mtime_ns = ?, outcome = ?,"
                " reason = ?, message = ?, recorded_at = ? WHERE id = ?",
                (attempt, size, mtime_ns, outcome, reason, message, time.time(), source_id),
            )

    def remove_source(self, source_id: str) -> None:
        with self.transaction():
            self._delete_chunks("source_id = ?", (source_id,))
            self._connection.execute("DELETE FROM sources WHERE id = ?", (source_id,))
            self._bump()

    # --- chunks -----------------------------------------------------------------------------

    def write_chunks(
        self,
        source_id: str,
        generation: int,
        chunks: Sequence[NewChunk],
    ) -> None:
        """Write chunks of a generation that is not visible yet. `sweep` before the first ones."""
        with self.transaction():
            for new in chunks:
                chunk = new.chunk
                cursor = self._connection.execute(
                    "INSERT INTO chunks (id, source_id, generation, ordinal, text, locator_kind,"
                    " locator_value, locator_member, place_start, place_end, headings, embedding,"
                    " gap) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        new.id,
                        source_id,
                        generation,
                        new.ordinal,
                        chunk.text,
                        chunk.locator.kind,
                        json.dumps(chunk.locator.value),
                        chunk.locator.member,
                        chunk.start,
                        chunk.end,
                        json.dumps(chunk.headings, ensure_ascii=False),
                        new.embedding,
                        chunk.gap,
                    ),
                )
                self._connection.execute(
                    "INSERT INTO terms (rowid, content) VALUES (?, ?)",
                    (cursor.lastrowid, new.terms),
                )

    def drop_unpublished(self, source_id: str) -> None:
        """Drop the chunks of a source that are not visible."""
        with self.transaction():
            self._delete_chunks(
                "source_id = ? AND key NOT IN (SELECT key FROM live WHERE source_id = ?)",
                (source_id, source_id),
            )

    def publish(
        self,
        source_id: str,
        generation: int,
        *,
        sha256: str,
        size: int,
        mtime_ns: int,
        reader: str,
        outcome: str,
        notices: Iterable[Notice] = (),
    ) -> None:
        """Make a written generation the visible one and drop the one before, in one step."""
        with self.transaction():
            self._delete_chunks("source_id = ? AND generation < ?", (source_id, generation))
            self._connection.execute(
                "UPDATE sources SET generation = ?, sha256 = ?, size = ?, mtime_ns = ?,"
                " reader = ?, failed_sha256 = '', outcome = ?, reason = '', message = '',"
                " notices = ?, recorded_at = ? WHERE id = ?",
                (
                    generation,
                    sha256,
                    size,
                    mtime_ns,
                    reader,
                    outcome,
                    json.dumps([[n.code, n.message] for n in notices], ensure_ascii=False),
                    time.time(),
                    source_id,
                ),
            )
            self._bump()

    def sweep(self) -> None:
        """Drop what an interrupted ingestion left behind; it was never visible."""
        orphans = (
            "SELECT chunks.key FROM chunks LEFT JOIN sources ON sources.id = chunks.source_id"
            " WHERE sources.id IS NULL OR sources.generation <> chunks.generation"
        )
        if self._one(f"SELECT EXISTS ({orphans})")[0]:
            with self.transaction():
                self._delete_chunks(f"key IN ({orphans})", ())

    def chunks(self, keys: Sequence[int]) -> dict[int, ChunkRow]:
        """The live chunks with these keys."""
        found: dict[int, ChunkRow] = {}
        for part in _parts(keys):
            marks = ",".join("?" * len(part))
            rows = self._all(
                "SELECT key, id, source_id, source_name, source_path, ordinal, text, locator_kind,"
                " locator_value, locator_member, place_start, place_end, headings, gap FROM live"
                f" WHERE key IN ({marks})",
                part,
            )
            found.update((row[0], _chunk_row(row)) for row in rows)
        return found

    def live(self, columns: str, where: str = "1", values: Sequence[object] = ()) -> Iterator[Any]:
        """These columns of the live chunks; `columns` and `where` are never text from outside."""
        return self._all(f"SELECT {columns} FROM live WHERE {where}", tuple(values))

    def keys_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Id -> key of those ids that are live."""
        found: dict[str, int] = {}
        for begin in range(0, len(ids), 500):
            part = ids[begin : begin + 500]
            marks = ",".join("?" * len(part))
            found.update(self._all(f"SELECT id, key FROM live WHERE id IN ({marks})", tuple(part)))
        return found

    def embeddings(self) -> Iterator[tuple[int, str, bytes]]:
        """(key, id, float32 bytes) of every live chunk, by key."""
        yield from self._all("SELECT key, id, embedding FROM live ORDER BY key")

    def embeddings_of(self, keys: Sequence[int]) -> dict[int, bytes]:
        """Key -> float32 bytes of those chunks that are live."""
        found: dict[int, bytes] = {}
        for part in _parts(keys):
            marks = ",".join("?" * len(part))
            found.update(self._all(f"SELECT key, embedding FROM live WHERE key IN ({marks})", part))
        return found

    def live_among(self, keys: Sequence[int]) -> set[int]:
        """Those of the keys that are live."""
        found: set[int] = set()
        for part in _parts(keys):
            marks = ",".join("?" * len(part))
            rows = self._all(f"SELECT key FROM live WHERE key IN ({marks})", part)
            found.update(int(row[0]) for row in rows)
        return found

    def sample_keys(self, count: int) -> list[int]:
        """Up to `count` keys of live chunks, spread evenly over all that were written."""
        first, last = self._one("SELECT min(key), max(key) FROM chunks")
        if first is None:
            return []
        step = max((last - first + 1) / count, 1.0)
        wanted = dict.fromkeys(first + int(number * step) for number in range(count))
        return sorted(self.live_among([key for key in wanted if key <= last]))

    def embedded_parts(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """(text, headings) of every chunk, for finding out which embeddings are in use."""
        for text, headings in self._all("SELECT text, headings FROM chunks"):
            yield text, tuple(json.loads(headings))

    # --- keeping it in order ----------------------------------------------------------------

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the file, one line each; looks at all of it."""
        found: list[str] = []
        try:
            rows = self._all("PRAGMA quick_check(5)")
            found += [str(row[0]) for row in rows if row[0] != "ok"]
            lost = self._one(
                "SELECT count(*) FROM chunks WHERE key NOT IN (SELECT rowid FROM terms)"
            )[0]
            if lost:
                found.append(f"{lost} chunk(s) are missing from the lexical index")
        except StoreError as error:
            found.append(error.message)
        return tuple(found)

    def require_space(self, new_bytes: int, hidden_bytes: int) -> None:
        """Raise `StoreError` where the disk is so full that what is hidden could not be dropped.

        Dropping takes space too: a disk that is filled to the brim with chunks that never became
        visible could not be mended without help.
        """
        wal = self.path.with_name(f"{self.path.name}-wal")
        wal_bytes = wal.stat().st_size if wal.exists() else 0
        needed = wal_bytes + 4 * new_bytes + 2 * hidden_bytes + _SPACE_LEFT_BYTES
        if shutil.disk_usage(self.path.parent).free < needed:
            raise store_error(self.path, sqlite3.OperationalError("disk is full"))

    def vacuum(self) -> None:
        """Give back to the disk what deleted chunks took. Raises `StoreError`."""
        try:
            self._connection.execute("INSERT INTO terms (terms) VALUES ('optimize')")
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise store_error(self.path, error) from error

    # --- lexical search ---------------------------------------------------------------------

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """In how many chunks each term stands; terms that stand in none are left out."""
        found = {}
        for term in set(terms):
            row = self._one("SELECT doc FROM vocabulary WHERE term = ?", (term,))
            if row:
                found[term] = int(row[0])
        return found

    def search_terms(
        self, terms: Sequence[str], limit: int, allowed: frozenset[int] | None = None
    ) -> list[tuple[int, float]]:
        """(key, BM25 score, higher is better) of live chunks with any of the terms, best first.

        `allowed` are the keys that may be found; None is all.
        """
        if not terms:
            return []
        match = " OR ".join('"' + term.replace('"', "") + '"' for term in terms)
        # Chunks that are not visible yet are few: asking for more is far cheaper than a join.
        fetched = limit + OVER_FETCH
        while True:
            rows = list(
                self._all(
                    "SELECT rowid, -bm25(terms) AS score FROM terms WHERE terms MATCH ?"
                    " ORDER BY score DESC LIMIT ?",
                    (match, fetched),
                )
            )
            keys = [key for key, _ in rows if allowed is None or key in allowed]
            live = self.live_among(keys)
            if len(live) >= limit or len(rows) < fetched:
                return [(int(key), float(score)) for key, score in rows if key in live][:limit]
            fetched *= 8

    def terms_of(self, keys: Sequence[int]) -> dict[int, str]:
        """Key -> the terms of a chunk as the lexical index holds them, parted by blanks."""
        found: dict[int, str] = {}
        for part in _parts(keys):
            marks = ",".join("?" * len(part))
            found.update(
                self._all(f"SELECT rowid, content FROM terms WHERE rowid IN ({marks})", part)
            )
        return found

    # --- inside -----------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; one inside another is part of it.

        Raises `StoreError` if the disk does not take it.
        """
        if self._connection.in_transaction:
            yield
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._roll_back()
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise store_error(self.path, error) from error

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _delete_chunks(self, where: str, values: tuple[object, ...]) -> None:
        # `where` is one of the constants of this class, never text from outside.
        self._connection.execute(
            f"DELETE FROM terms WHERE rowid IN (SELECT key FROM chunks WHERE {where})",
            values,
        )
        self._connection.execute(f"DELETE FROM chunks WHERE {where}", values)

    def _set_meta(self, key: str, value: str) -> None:
        self._connection.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )

    def _bump(self) -> None:
        self._set_meta("revision", str(self.revision + 1))

    def _all(self, sql: str, values: tuple[object, ...] = ()) -> Iterator[Any]:
        """The rows as they are fetched. Raises `StoreError`."""
        try:
            yield from self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise store_error(self.path, error) from error

    def _one(self, sql: str, values: tuple[object, ...] = ()) -> Any:
        try:
            return self._connection.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise store_error(self.path, error) from error


def _parts(keys: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The keys in pieces that one statement takes."""
    for begin in range(0, len(keys), _KEYS_A_QUERY):
        yield tuple(keys[begin : begin + _KEYS_A_QUERY])


def _chunk_row(row: Sequence[Any]) -> ChunkRow:
    return ChunkRow(
        key=row[0],
        id=row[1],
        source_id=row[2],
        source=row[3],
        path=row[4],
        ordinal=row[5],
        text=row[6],
        locator=Locator(cast("LocatorKind", row[7]), json.loads(row[8]), row[9]),
        start=row[10],
        end=row[11],
        headings=tuple(json.loads(row[12])),
        gap=row[13],
    )
