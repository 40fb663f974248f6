"""Reads files in several processes at once, never far ahead of who uses what they read."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

from inglenook.errors import LoadError
from inglenook.knowledge.reader_process import Passwords, ReaderProcess
from inglenook.types import Notice, Section

__all__ = ["FileToRead", "LocalExecutor", "ReadPiece", "usable_cores"]

_AHEAD_PER_READER = 4
_IDLE_S = 0.05

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class FileToRead(Generic[Key]):
    """A file and what its reader calls it by."""

    key: Key
    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class ReadPiece(Generic[Key]):
    """Some of a file. The last piece has `ended`, and `error` if it could not be read."""

    file: FileToRead[Key]
    items: tuple[Section | Notice, ...] = ()
    ended: bool = False
    error: LoadError | None = None


class LocalExecutor(Generic[Key]):
    """Reader processes on this machine. Use it in a `with` block; leaving it ends them.

    Args:
        make_reader: Makes a process that reads; it starts with its first file.
        readers: How many at once.
        passwords: Asked for encrypted files, from any thread.
    """

    def __init__(
        self, make_reader: Callable[[], ReaderProcess], readers: int, passwords: Passwords
    ) -> None:
        self._readers = [make_reader() for _ in range(readers)]
        self._passwords = passwords
        # Bounded: a reader waits while nobody takes what it has read.
        self._pieces: queue.Queue[ReadPiece[Key] | BaseException | None] = queue.Queue(
            maxsize=_AHEAD_PER_READER * readers
        )
        self._files: Iterator[FileToRead[Key]] = iter(())
        self._taking = threading.Lock()
        self._finishing = threading.Event()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def run(self, files: Iterable[FileToRead[Key]]) -> Iterator[ReadPiece[Key] | None]:
        """Start, and give pieces of the files as they are read, those of one file in order.

        None says that nothing is ready at the moment. Files are taken from `files` one by one.
        """
        self._files = iter(files)
        for number, reader in enumerate(self._readers):
            thread = threading.Thread(
                target=self._serve, args=(reader,), name=f"inglenook-read-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        return self._gathered()

    def _gathered(self) -> Iterator[ReadPiece[Key] | None]:
        running = len(self._threads)
        while running:
            try:
                piece = self._pieces.get(timeout=_IDLE_S)
            except queue.Empty:
                yield None
                continue
            if piece is None:
                running -= 1
            elif isinstance(piece, BaseException):
                raise piece
            else:
                yield piece

    def take_no_more(self) -> None:
        """Take no further file; those that are being read go on."""
        self._finishing.set()

    def stop(self) -> None:
        """Take no further file and drop those that are being read."""
        self._finishing.set()
        self._stopped.set()
        for reader in self._readers:
            reader.stop()

    def __enter__(self) -> LocalExecutor[Key]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        for thread in self._threads:
            while thread.is_alive():
                self._drain()
                thread.join(_IDLE_S)
        for reader in self._readers:
            reader.close()

    def _drain(self) -> None:
        try:
            while True:
                self._pieces.get_nowait()
        except queue.Empty:
            return

    def _serve(self, reader: ReaderProcess) -> None:
        try:
            while (file := self._next_file()) is not None:
                self._read(reader, file)
        # A bug here must end the run, not leave it waiting for this thread.
        except BaseException as error:  # noqa: BLE001
            self._pieces.put(error)
        finally:
            self._pieces.put(None)

    def _next_file(self) -> FileToRead[Key] | None:
        with self._taking:
            return None if self._finishing.is_set() else next(self._files, None)

    def _read(self, reader: ReaderProcess, file: FileToRead[Key]) -> None:
        error: LoadError | None = None
        try:
            for items in reader.read(file.path, file.name, self._passwords):
                if items:
                    self._pieces.put(ReadPiece(file, items))
        except LoadError as failed:
            error = failed
        # What was cut off by `stop` says nothing about the file.
        if not self._stopped.is_set():
            self._pieces.put(ReadPiece(file, ended=True, error=error))


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
