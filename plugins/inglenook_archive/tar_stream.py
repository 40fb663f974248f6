"""Reads a tar archive as a stream, member by member, in bounded memory.

`tarfile` of the standard library reads headers of any declared size into memory and recurses for
chains of them. Here it parses single header blocks only; the records around them (POSIX.1-2001
pax, GNU long names and sparse files) are read with limits. See the GNU tar manual, "Basic Tar
Format".
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from inglenook_archive.inflating import Damaged, InflatedFile

__all__ = ["TarMember", "TarStream", "is_empty_tar", "is_tar"]

BLOCK_BYTES = 512
_END = bytes(BLOCK_BYTES)
_MOST_HEADER_BYTES = 1 << 20
_MOST_BLOCKS_SEARCHED = 10_000
_PAX_RECORD = re.compile(rb"(\d{1,7}) ([^=\n]{1,200})=")
_SPARSE_EXTENDED_AT, _SPARSE_MORE_AT = 482, 504

Kind = Literal["file", "sparse", "folder", "link", "special"]


@dataclass(frozen=True, slots=True)
class TarMember:
    """A member. `raw_name` is its name as bytes, `size` its bytes in the archive."""

    raw_name: bytes
    kind: Kind
    size: int


@dataclass(slots=True)
class _Described:
    """What the records in front of a header say about it."""

    name: bytes | None = None
    size: int | None = None
    sparse: bool = field(default=False)


def is_tar(block: bytes) -> bool:
    """Whether a file that begins with this block is a tar archive."""
    return _header(block) is not None


def is_empty_tar(block: bytes) -> bool:
    """Whether it is an archive of nothing. Compressed zeros may be anything."""
    return block == _END


class TarStream:
    """The members of an archive, in order.

    `read` gives the bytes of the member that `members` yielded last; what is not read is skipped.
    `damaged` tells whether headers in between made no sense and were passed over.
    """

    def __init__(self, source: InflatedFile) -> None:
        self._source = source
        self._left = 0
        self.damaged = False

    def members(self) -> Iterator[TarMember]:
        """Raises `Damaged` where the archive ends in the middle of a member."""
        described = _Described()
        searched = 0
        while (block := self._block()) and block != _END:
            info = _header(block)
            if info is None:
                self.damaged = True
                searched += 1
                if searched > _MOST_BLOCKS_SEARCHED:
                    raise Damaged("it holds no more headers that make sense")
                continue
            if info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
                _describe(described, self._record(info.size))
            elif info.type == tarfile.GNUTYPE_LONGNAME:
                described.name = self._record(info.size).partition(b"\0")[0]
            elif info.type in (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK):
                self._skip(_padded(info.size))
            else:
                yield self._member(info, block, described)
                described = _Described()
                self._skip(self._left)

    def read(self, size: int) -> bytes:
        """The first `size` bytes of the member, which are all that it has."""
        data = self._exactly(size)
        self._left -= size
        return data

    def _member(self, info: tarfile.TarInfo, block: bytes, described: _Described) -> TarMember:
        if info.type == tarfile.GNUTYPE_SPARSE and block[_SPARSE_EXTENDED_AT]:
            while self._exactly(BLOCK_BYTES)[_SPARSE_MORE_AT]:
                pass
        size = info.size if described.size is None else described.size
        has_data = info.isreg() or info.type not in tarfile.SUPPORTED_TYPES
        self._left = _padded(size) if has_data else 0
        name = described.name
        if name is None:
            name = info.name.encode("utf-8", errors="surrogateescape")
        return TarMember(name, _kind(info, described.sparse), size if has_data else 0)

    def _record(self, size: int) -> bytes:
        if size > _MOST_HEADER_BYTES:
            raise Damaged(f"the name of a member claims {size:,} bytes")
        return self._exactly(_padded(size))[:size]

    def _block(self) -> bytes:
        if not self._source.peek(1):
            return b""
        return self._exactly(BLOCK_BYTES)

    def _exactly(self, size: int) -> bytes:
        parts, left = [], size
        while left:
            part = self._source.read(left)
            if not part:
                raise Damaged("it ends early")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _skip(self, size: int) -> None:
        while size:
            part = self._source.read(size)
            if not part:
                raise Damaged("it ends early")
            size -= len(part)
        self._left = 0


def _header(block: bytes) -> tarfile.TarInfo | None:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, IndexError, OverflowError):
        return None
    return info if info.size >= 0 else None


def _describe(described: _Described, record: bytes) -> None:
    position = 0
    while found := _PAX_RECORD.match(record, position):
        length = int(found[1])
        if length <= found.end() - position:
            raise Damaged("a header makes no sense")
        value = record[found.end() : position + length - 1]
        if found[2] == b"path":
            described.name = value
        elif found[2] == b"size" and value.isdigit() and len(value) < 20:
            described.size = int(value)
        elif found[2].startswith(b"GNU.sparse."):
            described.sparse = True
            if found[2] == b"GNU.sparse.name":
                described.name = value
        position += length


def _kind(info: tarfile.TarInfo, sparse: bool) -> Kind:
    if info.isdir():
        return "folder"
    if info.issym() or info.islnk():
        return "link"
    if sparse or info.type == tarfile.GNUTYPE_SPARSE:
        return "sparse"
    return "file" if info.isreg() else "special"


def _padded(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES
