"""Reads a mail file into memory, with the refusals that all loaders of mail share."""

from __future__ import annotations

from inglenook.errors import LoadError
from inglenook.types import LoadRequest

__all__ = ["broken", "read_file", "refuse_unreadable"]


def read_file(request: LoadRequest) -> bytes:
    """The bytes. Raises `LoadError`: unreadable, broken (empty), too large."""
    refuse_unreadable(request)
    try:
        return request.path.read_bytes()
    except OSError as error:
        raise _unreadable(request, error) from error


def refuse_unreadable(request: LoadRequest) -> None:
    """Raise `LoadError` for a file that is not there, empty, or too large."""
    try:
        size = request.path.stat().st_size
        with request.path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise _unreadable(request, error) from error
    if not size:
        raise LoadError(f"{request.name} is empty (0 bytes).", reason="broken")
    if size > request.max_inflated_bytes:
        raise LoadError(
            f"{request.name} has {size:,} bytes; at most {request.max_inflated_bytes:,} are read.",
            reason="too large",
        )


def _unreadable(request: LoadRequest, error: OSError) -> LoadError:
    return LoadError(
        f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
    )


def broken(request: LoadRequest, how: str) -> LoadError:
    """The error for a file that is not what its name says."""
    return LoadError(
        f"{request.name} is damaged or not what its name says: {how}.",
        reason="broken",
        hint="Save it again from the mail program, or export it as .eml.",
    )
