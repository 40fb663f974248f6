"""What failed for a reason that may pass, and when to try it again: kept on disk, across restarts.

The waits double: `first_s`, twice that, and so on up to `longest_s`.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["Retry", "RetryQueue"]

_TABLE = (
    "CREATE TABLE IF NOT EXISTS retries "
    "(key TEXT PRIMARY KEY, reason TEXT NOT NULL, attempts INTEGER NOT NULL, due REAL NOT NULL)"
)
_BUSY_S = 2.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Something that is to be tried again.

    Args:
        key: What.
        reason: Why it failed the last time.
        attempts: How often it failed.
        due: When to try it again, in seconds since 1970.
    """

    key: str
    reason: str
    attempts: int
    due: float


class RetryQueue:
    """The retries of one owner, in a SQLite file. Thread-safe.

    A full disk is one of the reasons to try something again, so a file that cannot be written
    loses nothing: the queue goes on in memory and is written as a whole when that works again.

    Args:
        file: Made with its folder when there is something to keep; a damaged one is replaced.
        first_s: How long to wait after the first failure.
        longest_s: How long to wait at most.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        file: Path,
        *,
        first_s: float = 30.0,
        longest_s: float = 3600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._first_s = first_s
        self._longest_s = longest_s
        self._clock = clock
        self._lock = threading.Lock()
        self._retries = {retry.key: self._not_too_late(retry) for retry in self._read()}

    def record(self, *, failed: Mapping[str, str], settled: Iterable[str] = ()) -> None:
        """Note what failed, again or for the first time, and what needs no further attempt.

        Args:
            failed: Key -> reason.
            settled: Keys; those that do not wait are ignored.
        """
        with self._lock:
            before = dict(self._retries)
            for key in settled:
                self._retries.pop(key, None)
            for key, reason in failed.items():
                known = before.get(key)
                self._retries[key] = self._after(key, reason, known.attempts + 1 if known else 1)
            if self._retries != before:
                self._write()

    def _after(self, key: str, reason: str, attempts: int) -> Retry:
        # The power is limited: a float holds no more than 2 to the 1023.
        wait_s = min(self._longest_s, self._first_s * 2.0 ** min(attempts - 1, 64))
        return Retry(key, reason, attempts, self._clock() + wait_s)

    def all(self) -> tuple[Retry, ...]:
        """Everything that waits, the next one first."""
        with self._lock:
            return tuple(sorted(self._retries.values(), key=lambda retry: (retry.due, retry.key)))

    def due(self) -> tuple[Retry, ...]:
        """What is to be tried now."""
        now = self._clock()
        return tuple(retry for retry in self.all() if retry.due <= now)

    def wait_s(self) -> float | None:
        """Until the next one is due; None if nothing waits."""
        waiting = self.all()
        return max(0.0, waiting[0].due - self._clock()) if waiting else None

    def _not_too_late(self, retry: Retry) -> Retry:
        """A clock that was set back must not put a retry off for years."""
        return replace(retry, due=min(retry.due, self._clock() + self._longest_s))

    # --- the file ---------------------------------------------------------------------------

    def _read(self) -> list[Retry]:
        if not self._file.exists():
            return []
        try:
            with closing(self._connection()) as connection:
                rows = connection.execute("SELECT key, reason, attempts, due FROM retries")
                return [Retry(str(k), str(r), int(a), float(d)) for k, r, a, d in rows]
        except (sqlite3.Error, OSError, TypeError, ValueError):
            # It is no more than a reminder: the next run finds out by itself what fails.
            return []

    def _write(self) -> None:
        rows = [(r.key, r.reason, r.attempts, r.due) for r in self._retries.values()]
        for attempt in range(2):
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with closing(self._connection()) as connection, connection:
                    connection.execute("DELETE FROM retries")
                    connection.executemany("INSERT INTO retries VALUES (?, ?, ?, ?)", rows)
                return
            except sqlite3.OperationalError:
                return  # Locked, or no room: the next write has it all.
            except (sqlite3.DatabaseError, OSError):
                if attempt or not self._replaceable():
                    return

    def _replaceable(self) -> bool:
        """Take a damaged file away; whether that worked."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=_BUSY_S)
        try:
            connection.execute(_TABLE)
        except BaseException:
            connection.close()
            raise
        return connection
