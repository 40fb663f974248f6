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
from inglenook.types import ChunkText, Locator, LocatorKind, Notice

__all__ = ["Catalog", "ChunkRow", "NewChunk", "SourceRow"]

SCHEMA_VERSION = 3
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sources (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    reader TEXT NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
    failed_sha256 TEXT NOT NULL DEFAULT '',
    outcome TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    notices TEXT NOT NULL DEFAULT '[]',
    recorded_at REAL NOT NULL DEFAULT 0
);
CREATE TABLE chunks (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    source_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    text TEXT NOT NULL,
    locator_kind TEXT NOT NULL,
    locator_value TEXT NOT NULL,
    locator_member TEXT NOT NULL,
    place_start INTEGER NOT NULL,
    place_end INTEGER NOT NULL,
    headings TEXT NOT NULL,
    embedding BLOB NOT NULL,
    gap TEXT NOT NULL DEFAULT ''
);
CREATE INDEX chunks_of_source ON chunks (source_id, generation, ordinal);
CREATE INDEX chunks_of_member ON chunks (locator_member, source_id) WHERE locator_member <> '';
CREATE VIRTUAL TABLE terms USING fts5(content, tokenize="ascii tokenchars '.'", detail=none);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab(terms, 'row');
"""
_LIVE = """
CREATE VIEW live AS
    SELECT chunks.*, sources.name AS source_name, sources.path AS source_path
    FROM chunks JOIN sources ON sources.id = chunks.source_id
    AND sources.generation = chunks.generation;
"""
_MIGRATIONS = {
    1: f"""
DROP VIEW live;
ALTER TABLE chunks ADD COLUMN locator_member TEXT NOT NULL DEFAULT '';
{_LIVE}
""",
    2: f"""
DROP VIEW live;
ALTER TABLE chunks ADD COLUMN gap TEXT NOT NULL DEFAULT '';
CREATE INDEX IF NOT EXISTS chunks_of_member ON chunks (locator_member, source_id)
    WHERE locator_member <> '';
{_LIVE}
""",
}
"""What brings a catalog of this version to the next one."""


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


class Catalog:
    """One catalog file, open. Not for several threads at once; every process opens its own.

    Args:
        path: The file; its folder must exist. Created on first use.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = _connect(path)

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
        marks = ",".join("?" * len(keys))
        rows = self._all(
            "SELECT key, id, source_id, source_name, source_path, ordinal, text, locator_kind,"
            " locator_value, locator_member, place_start, place_end, headings, gap FROM live"
            f" WHERE key IN ({marks})",
            tuple(keys),
        )
        return {row[0]: _chunk_row(row) for row in rows}

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
            raise _store_error(self.path, sqlite3.OperationalError("disk is full"))

    def vacuum(self) -> None:
        """Give back to the disk what deleted chunks took. Raises `StoreError`."""
        try:
            self._connection.execute("INSERT INTO terms (terms) VALUES ('optimize')")
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise _store_error(self.path, error) from error

    # --- lexical search ---------------------------------------------------------------------

    def document_frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """In how many chunks each term stands; terms that stand in none are left out."""
        found = {}
        for term in set(terms):
            row = self._one("SELECT doc FROM vocabulary WHERE term = ?", (term,))
            if row:
                found[term] = int(row[0])
        return found

    def search_terms(self, terms: Sequence[str], limit: int) -> list[tuple[int, float]]:
        """(key, BM25 score, higher is better) of live chunks with any of the terms, best first."""
        if not terms:
            return []
        match = " OR ".join('"' + term.replace('"', "") + '"' for term in terms)
        rows = self._all(
            "SELECT terms.rowid, -bm25(terms) AS score FROM terms JOIN live"
            " ON live.key = terms.rowid WHERE terms MATCH ? ORDER BY score DESC LIMIT ?",
            (match, limit),
        )
        return [(int(key), float(score)) for key, score in rows]

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
            raise _store_error(self.path, error) from error

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
            raise _store_error(self.path, error) from error

    def _one(self, sql: str, values: tuple[object, ...] = ()) -> Any:
        try:
            return self._connection.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise _store_error(self.path, error) from error


def _connect(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, timeout=30, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Otherwise SQLite spills document text into /var/tmp.
        connection.execute("PRAGMA temp_store = MEMORY")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} {_LIVE}"
                f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        for older in range(version or SCHEMA_VERSION, SCHEMA_VERSION):
            connection.executescript(
                f"BEGIN IMMEDIATE; {_MIGRATIONS[older]} PRAGMA user_version = {older + 1}; COMMIT;"
            )
    except sqlite3.Error as error:
        raise _store_error(path, error) from error
    if version > SCHEMA_VERSION:
        connection.close()
        raise StoreError(
            f"{path} was written by a newer version of Inglenook.",
            hint="Upgrade Inglenook; the file is untouched.",
        )
    return connection


def _store_error(path: Path, error: sqlite3.Error) -> StoreError:
    text = str(error)
    if "full" in text:
        return StoreError(
            f"The disk is full: {path} could not be written.",
            hint="Free some space and run it again; nothing is lost.",
        )
    if "readonly" in text or "unable to open" in text:
        return StoreError(
            f"{path} cannot be opened or written: {text}.",
            hint="Check the folder's permissions and free space, or set INGLENOOK_HOME.",
        )
    if any(word in text for word in ("malformed", "not a database", "vtable constructor")):
        return StoreError(
            f"{path} is damaged: {text}.", hint="Move it away and run `nook ingest` again."
        )
    return StoreError(f"{path}: {text}.")


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
