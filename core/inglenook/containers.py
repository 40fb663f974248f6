"""Opens zip files that may be hostile: measured before anything in them is inflated.

For loaders of archives and of the many formats that are zip files inside. Python's `zipfile` never
inflates a member past the size that its header states, so what is measured here holds.
"""

from __future__ import annotations

import zipfile
from pathlib import PurePosixPath

from inglenook.errors import LoadError
from inglenook.types import LoadRequest

__all__ = ["is_safe_name", "measured_zip"]

_LOCAL_HEADER_BYTES = 30
_RATIO = 200
_RATIO_FROM_BYTES = 20_000_000
"""Small files may shrink well; only what inflates past this is held to `_RATIO`."""


def measured_zip(request: LoadRequest) -> zipfile.ZipFile:
    """The zip file, open. The caller closes it.

    Raises `LoadError`: broken if it is no zip file, lists a name twice or its members overlap; too
    large for more than `request.max_members` members, more than `request.max_inflated_bytes`
    inflated, or a member that inflates past 20 MB and 200 times its size; unreadable.
    """
    try:
        archive = zipfile.ZipFile(request.path)
    except OSError as error:
        raise LoadError(
            f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
        ) from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError) as error:
        raise LoadError(
            f"{request.name} is damaged or not what its name says: {_reason(error)}.",
            reason="broken",
            hint="Open it in the program that made it and save it again.",
        ) from error
    try:
        _measure(archive.infolist(), request)
    except BaseException:
        archive.close()
        raise
    return archive


def is_safe_name(name: str) -> bool:
    """Whether the name of a member stays inside: relative, without `..`, drive or NUL."""
    path = PurePosixPath(name.replace("\\", "/"))
    return not (
        path.is_absolute()
        or ".." in path.parts
        or "\0" in name
        or path.parts[:1] == ()
        or (len(path.parts[0]) == 2 and path.parts[0][1] == ":")
    )


def _measure(members: list[zipfile.ZipInfo], request: LoadRequest) -> None:
    if len(members) > request.max_members:
        raise LoadError(
            f"{request.name} has {len(members):,} members; {request.max_members:,} are allowed.",
            reason="too large",
        )
    names = {member.filename for member in members}
    if len(names) != len(members):
        raise LoadError(f"{request.name} lists a member twice.", reason="broken")
    if _overlap(members):
        raise LoadError(
            f"{request.name} is damaged: its members overlap, which no packer makes.",
            reason="broken",
        )
    total = sum(member.file_size for member in members)
    if total > request.max_inflated_bytes:
        raise LoadError(
            f"{request.name} would inflate to {total:,} bytes;"
            f" {request.max_inflated_bytes:,} are allowed.",
            reason="too large",
        )
    for member in members:
        allowed = max(_RATIO_FROM_BYTES, member.compress_size * _RATIO)
        if member.file_size > allowed:
            raise LoadError(
                f"{request.name} holds a member that inflates to"
                f" {member.file_size // max(member.compress_size, 1):,} times its size.",
                reason="too large",
            )


def _overlap(members: list[zipfile.ZipInfo]) -> bool:
    """Whether two members share bytes: how a small file holds terabytes without nesting.

    See David Fifield, A better zip bomb (2019). Python refuses it since 3.11.8 only.
    """
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < end:
            return True
        end = member.header_offset + _LOCAL_HEADER_BYTES + member.compress_size
    return False


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".")[:120] if lines else type(error).__name__
