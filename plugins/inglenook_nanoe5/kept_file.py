"""A file that is made once, kept, and made anew where it is not whole."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["keep"]


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
    _replace(kept, content)
    _replace(record, hashlib.sha256(content).hexdigest().encode())
    return kept


def _is_whole(kept: Path, record: Path) -> bool:
    try:
        with kept.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return found == record.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return False


def _replace(target: Path, content: bytes) -> None:
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
