"""Remembers how a store was closed: by whom, with which Chroma, and what its files were then."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["Marker"]


class Marker:
    """The file beside a store that says whether its last owner closed it."""

    def __init__(self, path: Path, store: Path) -> None:
        self._path = path
        self._store = store

    def was_closed(self, version: str) -> bool:
        """Whether it was closed cleanly by this version of Chroma and not touched since."""
        try:
            said: Any = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return False
        return bool(
            isinstance(said, dict)
            and said.get("closed") is True
            and said.get("chroma") == version
            and said.get("files") == self._files()
        )

    def write_open(self) -> None:
        """Say that somebody is at work: until `write_closed`, the store needs a check."""
        self._write({"closed": False})

    def write_closed(self, version: str) -> None:
        self._write({"closed": True, "chroma": version, "files": self._files()})

    def _files(self) -> dict[str, list[int]]:
        """Relative path -> size in bytes and time of change in nanoseconds."""
        found = {}
        for folder, _, names in os.walk(self._store):
            for name in names:
                path = Path(folder, name)
                status = path.stat()
                found[path.relative_to(self._store).as_posix()] = [
                    status.st_size,
                    status.st_mtime_ns,
                ]
        return found

    def _write(self, content: dict[str, object]) -> None:
        temporary = self._path.with_suffix(".new")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
