"""Where an import or a copy gathers what is not whole yet: a folder that nobody else looks into.

What a killed one left there is of no use and is deleted by the next one, or by a prune.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inglenook.models.storage import disk_errors

__all__ = ["drop_unfinished", "staging_folder"]

_PREFIX = "import-"


@contextmanager
def staging_folder(scratch: Path) -> Iterator[Path]:
    """A new folder in `scratch`, the library's for half-done work; it is gone after the block."""
    from filelock import FileLock

    name = f"{_PREFIX}{uuid.uuid4().hex}"
    lock = scratch / f"{name}.lock"
    with disk_errors(scratch):
        drop_unfinished(scratch)
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(lock):
                folder = scratch / name
                folder.mkdir()
                try:
                    yield folder
                finally:
                    shutil.rmtree(folder, ignore_errors=True)
        finally:
            lock.unlink(missing_ok=True)


def drop_unfinished(scratch: Path) -> int:
    """Delete the folders of imports and copies that run no more; the bytes that were freed."""
    from filelock import FileLock, Timeout

    freed = 0
    for lock in scratch.glob(f"{_PREFIX}*.lock"):
        try:
            with FileLock(lock, timeout=0):
                folder = lock.with_suffix("")
                with suppress(OSError):  # What it frees is told; it goes all the same.
                    freed += sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
                shutil.rmtree(folder, ignore_errors=True)
        except Timeout:
            continue  # It runs right now.
        lock.unlink(missing_ok=True)
    return freed
