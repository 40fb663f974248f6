"""The catalog's file: its tables, how an older one is brought up, and what its errors mean."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from inglenook.errors import StoreError

__all__ = ["connect", "store_error"]

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
CREATE VIRTUAL TABLE terms USING fts5(content, tokenize="ascii tokenchars '.'");
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


_BUSY_S = 30.0
"""How long another process may hold the file before it is told."""


def connect(path: Path) -> sqlite3.Connection:
    """Open or make the catalog's file, brought up to this version. Raises `StoreError`."""
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, timeout=_BUSY_S, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Otherwise SQLite spills document text into /var/tmp.
        connection.execute("PRAGMA temp_store = MEMORY")
        if _version(connection) < SCHEMA_VERSION:
            _bring_up(connection)
        version = _version(connection)
    except sqlite3.Error as error:
        connection.close()
        raise store_error(path, error) from error
    if version > SCHEMA_VERSION:
        connection.close()
        raise StoreError(
            f"{path} was written by a newer version of Inglenook.",
            hint="Upgrade Inglenook; the file is untouched.",
        )
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _bring_up(connection: sqlite3.Connection) -> None:
    """Make the tables, or what an older version lacks of them; all of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    # Only now: another process may have done it while this one waited.
    version = _version(connection)
    scripts = [_MIGRATIONS[older] for older in range(version, SCHEMA_VERSION) if version]
    for statement in ";".join(scripts if version else [_SCHEMA, _LIVE]).split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {max(version, SCHEMA_VERSION)}")
    connection.execute("COMMIT")


def store_error(path: Path, error: sqlite3.Error) -> StoreError:
    """What is told of an error of SQLite, and what to do about it."""
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
    if "locked" in text or "locking protocol" in text:
        return StoreError(
            f"{path} is held by another process ({text}).",
            hint="Wait until it has finished, or end it if it stands still, and try again.",
        )
    return StoreError(f"{path}: {text}.")
