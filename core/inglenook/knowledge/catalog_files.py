"""The files of a catalog on disk: made to last, and deleted whole."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["delete_catalog", "sync_folder"]


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a power cut, where the platform can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete_catalog(path: Path) -> None:
    """Delete the file and what SQLite keeps beside it."""
    for part in path.parent.glob(f"{path.name}*"):
        part.unlink(missing_ok=True)
