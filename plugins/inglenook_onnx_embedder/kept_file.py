"""A file that is made once, kept, and made anew where it is not whole."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["keep", "replace_file", "sha256_of"]


def keep(folder: Path, name: str, build: Callable[[], bytes]) -> Path:
    """The file of that name in a folder, built if it is not there or not whole.

    A kept file is whole if its sha256 is the one written beside it. Raises `OSError` where the
    folder cannot be written.
    """
    kept, record = folder / name, folder / f"{name}.sha256"
    if _is_whole(kept, record):
        return kept
    content = build()
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(kept, content)
    replace_file(record, hashlib.sha256(content).hexdigest().encode())
    return kept


def sha256_of(path: Path) -> str:
    """Of a file's content. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(target: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all. Raises `OSError`."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _is_whole(kept: Path, record: Path) -> bool:
    try:
        return sha256_of(kept) == record.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return False
