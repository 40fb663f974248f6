"""The loader `tar`: the files of a tar archive, or the one file inside a compressed file.

`.gz`, `.bz2` and `.xz` may be either; the bytes decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from inglenook.containers import is_safe_name
from inglenook.errors import LoadError
from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section
from inglenook_archive.inflating import Damaged, InflatedFile
from inglenook_archive.members import (
    MOST_MEMBER_BYTES,
    Tally,
    Unreadable,
    from_legacy,
    printable,
)
from inglenook_archive.tar_stream import BLOCK_BYTES, TarMember, TarStream, is_empty_tar, is_tar

__all__ = ["TarLoader"]


class TarLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield a part for each regular file and a notice for what cannot be read.

        Raises `LoadError`: unreadable, broken, too large (see `InflatedFile`).
        """
        with InflatedFile(request, cancel) as source:
            try:
                first = source.peek(BLOCK_BYTES)
            except Damaged as error:
                raise _broken(request, str(error)) from error
            if is_tar(first) or (not source.is_compressed and is_empty_tar(first)):
                yield from _members(TarStream(source), request)
            elif source.is_compressed:
                yield _single(source, request)
            else:
                raise _broken(request, "it is neither a tar archive nor compressed")


def _members(stream: TarStream, request: LoadRequest) -> Iterator[Section | PartFile | Notice]:
    tally = Tally()
    damage = ""
    try:
        for count, member in enumerate(stream.members(), start=1):
            if count > request.max_members:
                raise _too_many(request)
            yield from _part(stream, member, tally)
    except Damaged as error:
        damage = str(error)
    if stream.damaged and not damage:
        damage = "parts of it are damaged and were passed over"
    if damage and tally.read:
        yield tally.failed(PurePosixPath(request.name).name, Unreadable("broken", damage))
    yield from tally.notices()
    if not tally.read:
        raise _nothing_read(request, tally, damage)


def _part(stream: TarStream, member: TarMember, tally: Tally) -> Iterator[PartFile | Notice]:
    """The member as a part; nothing for a folder, a notice for what cannot be read."""
    name = from_legacy(member.raw_name, member.raw_name)
    if member.kind == "folder":
        return
    if member.kind == "link":
        tally.left_out("link(s)", name)
        return
    if member.kind == "special":
        tally.left_out("device(s) or pipe(s)", name)
        return
    if tally.skips(name):
        return
    try:
        data = _read(stream, member)
    except Unreadable as error:
        yield tally.failed(name, error)
        return
    tally.read += 1
    yield PartFile(tally.unique(printable(name.removeprefix("./"))), data)


def _read(stream: TarStream, member: TarMember) -> bytes:
    if member.kind == "sparse":
        raise Unreadable("unsupported", "it is stored as a sparse file")
    if member.size > MOST_MEMBER_BYTES:
        raise Unreadable(
            "too large", f"{member.size:,} bytes; at most {MOST_MEMBER_BYTES:,} are read"
        )
    return stream.read(member.size)


def _single(source: InflatedFile, request: LoadRequest) -> PartFile:
    parts, size = [], 0
    try:
        while part := source.read(BLOCK_BYTES * BLOCK_BYTES):
            parts.append(part)
            size += len(part)
            if size > MOST_MEMBER_BYTES:
                raise LoadError(
                    f"{request.name} inflates to more than {MOST_MEMBER_BYTES:,} bytes.",
                    reason="too large",
                )
    except Damaged as error:
        raise _broken(request, str(error)) from error
    if not size:
        raise LoadError(f"{request.name} holds an empty file.", reason="empty")
    return PartFile(_single_name(source, request), b"".join(parts))


def _single_name(source: InflatedFile, request: LoadRequest) -> str:
    """The name without its last extension, or the one that the file keeps inside itself."""
    name = PurePosixPath(request.name.replace("\\", "/")).stem
    kept = from_legacy(source.gzip_name, source.gzip_name)
    usable = is_safe_name(kept) and "/" not in kept and "\\" not in kept
    if not PurePosixPath(name).suffix and usable and PurePosixPath(kept).suffix:
        return printable(kept)
    return printable(name) or "content"


def _broken(request: LoadRequest, how: str) -> LoadError:
    return LoadError(
        f"{request.name} is damaged or not what its name says: {how}.",
        reason="broken",
        hint="Get the archive again, or pack its files anew.",
    )


def _too_many(request: LoadRequest) -> LoadError:
    return LoadError(
        f"{request.name} has more than {request.max_members:,} members, which are the most"
        " allowed.",
        reason="too large",
    )


def _nothing_read(request: LoadRequest, tally: Tally, damage: str) -> LoadError:
    if damage:
        return _broken(request, damage)
    if not tally.failures:
        return LoadError(f"{request.name} holds no files.", reason="empty")
    reason = tally.failures[0] if len(set(tally.failures)) == 1 else "broken"
    return LoadError(
        f"{request.name}: none of its {len(tally.failures)} file(s) can be read.", reason=reason
    )
