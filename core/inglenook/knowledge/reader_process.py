"""The parent's side of reading: a process that is watched, ended when it hangs, and replaced."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inglenook.errors import InglenookError, LoadError
from inglenook.knowledge.file_reader import ReadBatch, ReadLimits, ReadTask
from inglenook.knowledge.loaders import LoaderTable
from inglenook.processes.limits import ProcessLimits
from inglenook.processes.worker_process import (
    WorkerGoneError,
    WorkerProcess,
    WorkerTimeoutError,
)
from inglenook.types import Notice, Section, encrypted_part, has_encrypted_part

__all__ = [
    "AGAIN",
    "GuessedPassword",
    "Passwords",
    "ReaderProcess",
    "ReadingLimits",
    "no_password",
]

_READER = "inglenook.knowledge.file_reader:FileReader"
_SEEN_BY_READERS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TESSDATA_PREFIX", "SYSTEMROOT")
AGAIN = Notice("again", "")
"""What says that reading began anew: what came before it does not count."""

_REPLY_BYTES = 256 << 20
_OPEN_FILES = 128
_NICENESS = 5

Passwords = Callable[[str, Path], "str | None"]
"""Asked with the name and path of a source that a loader found encrypted; None has none."""


class GuessedPassword(str):
    """One that was given for another file: if it does not fit, none was given for this one."""

    __slots__ = ()


def no_password(name: str, path: Path) -> str | None:
    """Know no password."""
    del name, path
    return None


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What reading one file may take.

    Args:
        silence_s: How long a loader may go on without giving anything.
        total_s: How long the whole file may take.
        memory_bytes: Address space of the process that reads (Linux).
        recycle_bytes: A process that ever used more is replaced after the file.
        content: How much text, how many parts.
    """

    silence_s: float = 60.0
    total_s: float = 3600.0
    memory_bytes: int = 1536 << 20
    recycle_bytes: int = 400 << 20
    content: ReadLimits = field(default_factory=ReadLimits)


class ReaderProcess:
    """Reads one file after the other in a child process. Not for several threads at once.

    `stop` may be called from any thread.
    """

    def __init__(self, table: LoaderTable, limits: ReadingLimits) -> None:
        self._table = table
        self._limits = limits
        self._process: WorkerProcess | None = None
        self._lock = threading.Lock()
        self._stopped = False
        self._peak_bytes = 0

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    def read(
        self, path: Path, name: str, passwords: Passwords = no_password
    ) -> Iterator[tuple[Section | Notice, ...]]:
        """The file's sections and notices in batches, in order; a batch may be empty.

        A batch of `AGAIN` alone takes back what came before it. A loader that dies of the file is
        left out and the next one asked; a process that was killed from outside is replaced once.
        A password is asked for once the file, or a part of it, was found encrypted. Raises
        `LoadError`.
        """
        task = ReadTask(path, name)
        killed = begun = False
        said: tuple[Notice, ...]
        key = _Key(lambda: passwords(name, path))
        while True:
            locked = False
            try:
                for items in self._read_once(task):
                    begun = begun or bool(items)
                    locked = locked or has_encrypted_part(_notices(items))
                    yield key.told(items)
                password = key.next() if locked else None
                if password is None:
                    return
                task, said = replace(task, password=password), ()
            except _ReaderDiedError as died:
                task, said = self._without_the_dead(task, died, killed=killed)
                killed = killed or died.was_killed
            except LoadError as error:
                if error.reason != "encrypted":
                    raise
                password = key.next(error)
                if password is None:
                    raise key.first_said(error) from None
                task, said = replace(task, password=password), ()
            if begun:
                yield (AGAIN,)
            if said:
                yield said

    def _without_the_dead(
        self, task: ReadTask, died: _ReaderDiedError, *, killed: bool
    ) -> tuple[ReadTask, tuple[Notice, ...]]:
        """What to try next after a process died, and what to tell; raises `LoadError` if nothing.

        Whoever killed it from outside meant the process, not the file.
        """
        left = [entry for entry in self._table.chain(task.name) if entry.name not in task.avoid]
        if died.was_killed and not killed and not self._stopped:
            return task, ()
        if died.was_killed or len(left) < 2:
            raise died.as_load_error(task.name) from died
        said = Notice("other-loader", f"{left[0].name} ended over it: {died.reason}")
        return replace(task, avoid=task.avoid | {left[0].name}), (said,)

    def stop(self) -> None:
        """Make a running `read` end with `LoadError` soon, and every later one at once."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the child."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.close()

    def _read_once(self, task: ReadTask) -> Iterator[tuple[Section | Notice, ...]]:
        spent_s = 0.0
        ended = False
        try:
            process = self._running(task.name)
            call: tuple[Any, ...] = ("begin", task)
            while True:
                started = time.monotonic()
                batch: ReadBatch = process.call_within(self._limits.silence_s, *call)
                # Only the reader's own time counts, not how long its text waits to be used.
                spent_s += time.monotonic() - started
                yield batch.items
                if batch.ended:
                    break
                if spent_s > self._limits.total_s:
                    raise _timed_out(task.name, self._limits.total_s)
                call = ("more",)
            ended = True
            self._peak_bytes = batch.peak_bytes
        except WorkerTimeoutError:
            raise _timed_out(task.name, self._limits.silence_s) from None
        except WorkerGoneError as error:
            raise _ReaderDiedError(error.reason) from error
        except LoadError as error:
            ended = error.reason != "timed out"
            raise
        except InglenookError as error:
            raise LoadError(f"{task.name}: {error.message}", reason="unreadable") from error
        finally:
            # A process in the middle of a file, or grown large, does not see another one.
            if not ended or self._peak_bytes > self._limits.recycle_bytes:
                self._peak_bytes = 0
                self.close()

    def _running(self, name: str) -> WorkerProcess:
        with self._lock:
            if self._stopped:
                raise LoadError(f"{name}: reading was stopped.", reason="unreadable")
            if self._process is None or not self._process.alive:
                if self._process is not None:
                    self._process.close()
                self._process = WorkerProcess(
                    _READER,
                    (self._table, self._limits.content),
                    None,
                    limits=ProcessLimits(
                        memory_bytes=self._limits.memory_bytes,
                        file_bytes=self._limits.content.inflated_bytes,
                        open_files=_OPEN_FILES,
                        network=False,
                        outlives_parent=False,
                        # Readers run ahead of the embedder, which every chunk has to wait for.
                        niceness=_NICENESS,
                    ),
                    environment=_environment(),
                    max_reply_bytes=_REPLY_BYTES,
                    trusted=False,
                )
            return self._process


class _Key:
    """The one password that is tried on a file.

    Where it was a guess and did not fit, what is said is what was said before it was tried.

    Args:
        ask: Asks for it, if it is needed.
    """

    def __init__(self, ask: Callable[[], str | None]) -> None:
        self._ask = ask
        self._asked = self._guessing = False
        self._error: LoadError | None = None
        self._parts: dict[str, Notice] = {}

    def next(self, error: LoadError | None = None) -> str | None:
        """The password, the first time; `error` is why the whole file needs it."""
        if self._asked:
            return None
        self._asked = True
        password = self._ask()
        self._guessing = isinstance(password, GuessedPassword)
        self._error = error if self._guessing else None
        return None if password is None else str(password)

    def first_said(self, error: LoadError) -> LoadError:
        """What to raise instead."""
        return self._error or error

    def told(self, items: tuple[Section | Notice, ...]) -> tuple[Section | Notice, ...]:
        """The items, with what to tell instead of locked parts."""
        return tuple(self._notice(item) if isinstance(item, Notice) else item for item in items)

    def _notice(self, notice: Notice) -> Notice:
        part = encrypted_part(notice)
        if not part:
            return notice
        if self._guessing:
            return self._parts.get(part, notice)
        return self._parts.setdefault(part, notice)


def _environment() -> dict[str, str]:
    """What a reader sees of ours. Without a home, Python would ask the system's directory for one,
    which goes through a socket."""
    seen = {key: os.environ[key] for key in _SEEN_BY_READERS if key in os.environ}
    return {"HOME": os.sep, **seen}


def _notices(items: tuple[Section | Notice, ...]) -> Iterator[Notice]:
    return (item for item in items if isinstance(item, Notice))


class _ReaderDiedError(Exception):
    """The child ended in the middle of a file. `reason` says how."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def was_killed(self) -> bool:
        return "SIGKILL" in self.reason

    def as_load_error(self, name: str) -> LoadError:
        if self.was_killed:
            return LoadError(
                f"{name}: the process that read it was killed twice; memory may have run out.",
                reason="unreadable",
            )
        return LoadError(f"{name}: the process that read it ended: {self.reason}.", reason="broken")


def _timed_out(name: str, seconds: float) -> LoadError:
    return LoadError(f"{name}: reading it took longer than {seconds:g} s.", reason="timed out")
