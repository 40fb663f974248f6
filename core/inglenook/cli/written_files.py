"""Writes a file of the user's own, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from inglenook.errors import StoreError

__all__ = ["write_whole"]


def write_whole(path: Path, text: str) -> None:
    """Write `text`, its folder made if need be. Raises `StoreError`."""
    from inglenook.models.storage import make_durable

    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            new.write_bytes(text.encode())
            make_durable(new)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {(error.strerror or str(error)).lower()}.",
            hint="Check the folder and the space on its disk; nothing was changed.",
        ) from error
