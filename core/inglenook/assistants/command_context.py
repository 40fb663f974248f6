"""What the engine offers to a plugin's command: filters and loaders, nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inglenook.errors import LoadError
from inglenook.host import Host
from inglenook.knowledge.loaders import LoaderTable
from inglenook.knowledge.reader_process import AGAIN, ReaderProcess, ReadingLimits
from inglenook.protocols import Filter
from inglenook.types import CancelToken, Notice, Section

__all__ = ["EngineCommandContext"]


class EngineCommandContext:
    """The `CommandContext` of one run of a command.

    Args:
        host: Makes the parts.
        cancel: Ends the reading of files too.
        limits: What reading one file may take.
    """

    def __init__(
        self, host: Host, cancel: CancelToken, limits: ReadingLimits | None = None
    ) -> None:
        self._host = host
        self._loaders = LoaderTable.of(host)
        self._cancel = cancel
        self._limits = limits or ReadingLimits()

    def make_filter(self, name: str, options: Mapping[str, Any]) -> Filter:
        """A filter by name."""
        return self._host.make_filter(name, options)

    def load_text(self, path: Path) -> Iterator[Section | Notice]:
        """Read a file with the loader for its type. Raises `LoadError` for whatever goes wrong."""
        if not path.is_file():
            raise LoadError(f"There is no file {path}.", reason="unreadable")
        reader = ReaderProcess(self._loaders, self._limits)
        forget = self._cancel.on_cancel(reader.stop)
        try:
            read: list[Section | Notice] = []
            for items in reader.read(path, str(path)):
                if items == (AGAIN,):
                    read.clear()
                else:
                    read += items
            yield from read
        finally:
            forget()
            reader.close()
