"""Model source `file`: copies a file that the user can reach by a path or a `file://` address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from inglenook.errors import Cancelled, PullError
from inglenook.types import CancelToken, FetchPart, FetchProgress

__all__ = ["FileSource"]

_PIECE_BYTES = 1024 * 1024
_PROGRESS_BYTES = 8 * _PIECE_BYTES


class FileSource:
    """Implements `protocols.ModelSource` for paths."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def hosts(self, part: FetchPart) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's argument
        """None: a path is read through the file system."""
        return ()

    def fetch(self, part: FetchPart, target: Path, cancel: CancelToken) -> Iterator[FetchProgress]:
        """Copy the file to `target`."""
        path = _path(part.address)
        try:
            size = path.stat().st_size
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        if not path.is_file():
            raise _unreadable(path, "it is not a regular file")
        if part.size_bytes and size != part.size_bytes:
            raise _unreadable(path, f"it has {size:,} bytes instead of {part.size_bytes:,}")
        yield from _copy(part.address, path, size, target, cancel)


def _copy(
    name: str, path: Path, size: int, target: Path, cancel: CancelToken
) -> Iterator[FetchProgress]:
    done = 0
    try:
        reader = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    with reader, target.open("xb") as writer:
        while piece := reader.read(_PIECE_BYTES):
            if cancel.cancelled:
                raise Cancelled("The copy was stopped.")
            writer.write(piece)
            done += len(piece)
            if done % _PROGRESS_BYTES == 0 and done < size:
                yield FetchProgress(name, done, size)
    yield FetchProgress(name, done, done)


def _path(address: str) -> Path:
    parts = urlsplit(address)
    if parts.scheme != "file":
        return Path(address).expanduser()
    if parts.netloc not in ("", "localhost"):
        raise PullError(
            f"{address} is on another machine ({parts.netloc}).",
            hint="Mount its disk and name the path.",
        )
    return Path(url2pathname(unquote(parts.path)))


def _unreadable(path: Path, reason: str) -> PullError:
    return PullError(f"Cannot fetch {path}: {reason}.", hint="Check the path and try again.")
