"""Writing to disk so that a file is either whole or not there, with errors for people."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inglenook.errors import StoreError

__all__ = [
    "PIECE_BYTES",
    "disk_errors",
    "file_sha256",
    "make_durable",
    "megabytes",
    "move_into_place",
    "require_space",
    "write_atomically",
]

PIECE_BYTES = 1024 * 1024

_ADVICE = {
    errno.ENOSPC: ("the disk is full", "Free some space and try again; nothing half was kept."),
    errno.EFBIG: ("the file would be too large", "Raise the limit on file sizes and try again."),
    errno.EROFS: ("it is read-only", "Set INGLENOOK_HOME to a folder that can be written."),
    errno.EACCES: ("permission was denied", "Make it writable, or set INGLENOOK_HOME elsewhere."),
    errno.EPERM: ("permission was denied", "Make it writable, or set INGLENOOK_HOME elsewhere."),
    errno.EDQUOT: ("your quota is used up", "Free some space and try again."),
}


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into a `StoreError` about `path` that says what to do."""
    try:
        yield
    except OSError as error:
        reason, hint = _ADVICE.get(
            error.errno or 0, (error.strerror or str(error), "Check the folder and try again.")
        )
        place = error.filename if isinstance(error.filename, str) else path
        raise StoreError(f"Cannot write {place}: {reason}.", hint=hint) from error


def require_space(folder: Path, needed_bytes: int) -> None:
    """Raise `StoreError` if the disk of `folder` has less than `needed_bytes` to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise StoreError(
            f"There is not enough space in {folder}: {megabytes(needed_bytes)} are needed, "
            f"{megabytes(free)} are free.",
            hint="Free some space, or set INGLENOOK_HOME to a larger disk.",
        )


def megabytes(size_bytes: int) -> str:
    """A size for people."""
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:,.1f} kB"


def file_sha256(path: Path, between: Callable[[], None] = lambda: None) -> str:
    """The sha256 of a file, in hex. `between` is called after each piece and may raise."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            between()
    return digest.hexdigest()


def make_durable(path: Path) -> None:
    """Bring a file's bytes, or a folder's entries, down to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows keeps its folders in a journal and cannot open them.
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move_into_place(source: Path, target: Path) -> None:
    """Rename a finished file of the same disk to where it becomes visible, durably."""
    make_durable(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    make_durable(target.parent)


def write_atomically(target: Path, data: bytes, scratch: Path) -> None:
    """Write a small file through a temporary one in `scratch`, which is on the same disk."""
    scratch.mkdir(parents=True, exist_ok=True)
    temporary = scratch / f"{target.name}.{os.getpid()}.tmp"
    try:
        temporary.write_bytes(data)
        move_into_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
