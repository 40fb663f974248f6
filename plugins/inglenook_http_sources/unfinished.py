"""A file on its way: its bytes where they belong, and beside them a journal of which are there.

The journal is written after the bytes that it names are on the disk, through a rename. So a
killed pull, or one that lost power, goes on with what its journal says.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from inglenook_http_sources.spans import Spans

__all__ = ["Identity", "Unfinished"]

_LARGEST_JOURNAL = 1 << 20
_NO_ROOM_AHEAD = (22, 38, 45, 95)
"""EINVAL, ENOSYS, EOPNOTSUPP: file systems that cannot reserve."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one file from another.

    Args:
        address: Where it was asked for, without the query.
        size_bytes: How long it is.
        etag: The server's strong entity tag; "" if it gives none.
        modified: When the server says that it changed; "" if it does not.
    """

    address: str
    size_bytes: int
    etag: str = ""
    modified: str = ""

    @property
    def validator(self) -> str:
        """What `If-Range` may hold; "" for nothing."""
        return self.etag or self.modified

    def is_same_as(self, other: Identity) -> bool:
        """Whether the server says itself that it is the same file."""
        if (self.address, self.size_bytes) != (other.address, other.size_bytes):
            return False
        if self.etag or other.etag:
            return self.etag == other.etag
        return self.modified == other.modified != ""


class Unfinished:
    """One file on its way.

    Args:
        stem: The path of the bytes; the journal is beside it.
    """

    def __init__(self, stem: Path) -> None:
        self.path = stem.with_name(f"{stem.name}.bytes")
        self._journal = stem.with_name(f"{stem.name}.json")
        self.spans = Spans()
        self._written = -1

    def read(self) -> Identity | None:
        """What was left here, with its `spans`; None if nothing is of use."""
        try:
            with self._journal.open("rb") as file:
                content = json.loads(file.read(_LARGEST_JOURNAL))
            identity = Identity(**content["of"])
            spans = Spans((int(begin), int(end)) for begin, end in content["there"])
            whole = self.path.stat().st_size == identity.size_bytes
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if not whole or any(end > identity.size_bytes for _, end in spans.all):
            return None
        self.spans = spans
        return identity

    def begin(self, identity: Identity) -> None:
        """Start with nothing, in a file of its full size. Raises `OSError` if it does not fit."""
        self.drop()
        with self.path.open("wb") as file:
            _reserve(file.fileno(), identity.size_bytes)
        self.save(identity)

    def save(self, identity: Identity) -> None:
        """Bring the bytes down to the disk, then the journal that names them."""
        spans = self.spans.all
        if self.spans.total == self._written:
            return
        self._written = self.spans.total
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())
        temporary = self._journal.with_suffix(".new")
        temporary.write_text(json.dumps({"of": asdict(identity), "there": spans}), "utf-8")
        temporary.replace(self._journal)

    def finish(self, target: Path) -> None:
        """Give the whole file its name."""
        self.path.replace(target)
        self._journal.unlink(missing_ok=True)

    def drop(self) -> None:
        """Throw it away."""
        self._journal.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.spans = Spans()
        self._written = -1


def _reserve(handle: int, size: int) -> None:
    if not size:
        return
    reserve = getattr(os, "posix_fallocate", None)
    if reserve is not None:
        try:
            reserve(handle, 0, size)
            return
        except OSError as error:
            if error.errno not in _NO_ROOM_AHEAD:
                raise
    with suppress(AttributeError):
        os.truncate(handle, size)
