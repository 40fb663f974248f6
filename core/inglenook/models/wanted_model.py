"""A model as somebody wants it open, and what tells whether an open one will do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from inglenook.models.memory_need import least_memory_bytes
from inglenook.types import ModelFiles, RuntimeOptions

__all__ = ["WantedModel"]


@dataclass(frozen=True)
class WantedModel:
    """What to open and how.

    Args:
        load: The runtime's class, `package.module:Class`.
        files: The model.
        options: How to open it.
        log: Where the runtime's native output goes.
        runtime: The runtime's name, for people.
    """

    load: str
    files: ModelFiles
    options: RuntimeOptions
    log: Path
    runtime: str = ""

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together that are wanted."""
        return self.options.context_length

    @cached_property
    def identity(self) -> str:
        """The same for all that one open model can serve, as far as its context goes (hex)."""
        options = {
            field.name: _plain(getattr(self.options, field.name))
            for field in fields(self.options)
            if field.name != "context_length"
        }
        said = [self.load, self.files.format, _plain(self.files.details), *_content(self.files)]
        said += [_stamp("adapter", path) for path in self.options.adapters]
        return hashlib.sha256(json.dumps([said, options], sort_keys=True).encode()).hexdigest()

    @cached_property
    def needed_bytes(self) -> int:
        """What it takes at least; 0 if nothing is known."""
        slots = max(1, self.options.slots)
        try:
            return least_memory_bytes(self.files, self.context_length, slots)
        except OSError:
            return 0  # Opening it will say what is wrong.


def _content(files: ModelFiles) -> list[Any]:
    """What is in the files: a name may stand for another model tomorrow."""
    if files.digest and len(files.files) == 1:
        return [files.digest]
    return [files.digest, *(_stamp(name, path) for name, path in sorted(files.files.items()))]


def _stamp(name: str, path: Path) -> list[Any]:
    try:
        found = path.stat()
    except OSError:
        return [name, str(path)]  # Opening it will say what is wrong.
    return [name, str(path), found.st_size, found.st_mtime_ns]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
