"""Reads a zip file that was cut off: its index, which stands at the end, is gone.

Each member has a header of its own in front of its bytes, so that the members can be found from
the beginning on. Source: APPNOTE.TXT 6.3.10, section 4.3.7.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

from inglenook.errors import LoadError
from inglenook.types import LoadRequest

__all__ = ["SalvagedZip"]

_HEADER = struct.Struct("<4sHHHHHIIIHH")
_MAGIC = b"PK\x03\x04"
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _SIZES_FOLLOW, _UTF8 = 0x1, 0x8, 0x800
_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class _Member:
    start: int
    packed_bytes: int
    method: int


class SalvagedZip:
    """The members that begin before the cut. Raises `LoadError` if they would inflate too far."""

    def __init__(self, request: LoadRequest) -> None:
        self._data = request.path.read_bytes()
        self._left = request.max_inflated_bytes
        self._name = request.name
        self._members: dict[str, _Member] = {}
        position = 0
        for _ in range(2 * request.max_members):
            position = self._data.find(_MAGIC, position)
            if position < 0 or position + _HEADER.size > len(self._data):
                break
            position = self._read_header(position)

    def namelist(self) -> list[str]:
        return list(self._members)

    def open(self, name: str) -> io.BufferedReader:
        """The bytes of a member, as far as there are any. Raises `KeyError`."""
        member = self._members[name]
        packed = memoryview(self._data)[member.start : member.start + member.packed_bytes]
        return io.BufferedReader(_Inflating(packed, member.method, self))

    def close(self) -> None:
        self._data = b""

    def spend(self, size_bytes: int) -> None:
        """Count inflated bytes. Raises `LoadError` past the limit."""
        self._left -= size_bytes
        if self._left < 0:
            raise LoadError(f"{self._name} inflates to more than is allowed.", reason="too large")

    def _read_header(self, position: int) -> int:
        """Note the member whose header begins here; where to look for the next one."""
        fields = _HEADER.unpack_from(self._data, position)
        flags: int
        method: int
        packed: int
        name_length: int
        extra_length: int
        flags, method, packed, name_length, extra_length = (
            fields[2], fields[3], fields[7], fields[9], fields[10]
        )  # fmt: skip
        begin = position + _HEADER.size
        start = begin + name_length + extra_length
        if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED) or start > len(self._data):
            return begin
        name = self._data[begin : begin + name_length].decode(
            "utf-8" if flags & _UTF8 else "cp437", errors="replace"
        )
        if flags & _SIZES_FOLLOW and not packed:
            packed = self._packed_size(start, method)
        self._members.setdefault(name, _Member(start, packed, method))
        return start + packed

    def _packed_size(self, start: int, method: int) -> int:
        """The size of a member whose header does not say it, found out by inflating it."""
        if method == _STORED:
            following = self._data.find(b"PK", start)
            return (following if following >= 0 else len(self._data)) - start
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        position, pending = start, b""
        try:
            while not inflater.eof and (pending or position < len(self._data)):
                if not pending:
                    pending = self._data[position : position + _READ_BYTES]
                    position += len(pending)
                self.spend(len(inflater.decompress(pending, _READ_BYTES)))
                pending = inflater.unconsumed_tail
        except zlib.error:
            pass  # it is damaged here: what stands before can be read
        return position - len(inflater.unused_data) - start


class _Inflating(io.RawIOBase):
    def __init__(self, packed: memoryview, method: int, owner: SalvagedZip) -> None:
        self._packed = packed
        self._position = 0
        self._owner = owner
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS) if method == _DEFLATED else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._next(len(buffer))
        self._owner.spend(len(data))
        buffer[: len(data)] = data
        return len(data)

    def _next(self, size: int) -> bytes:
        if self._inflater is None:
            return self._packed_bytes(size)
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._packed_bytes(size)
            try:
                data = self._inflater.decompress(packed, size)
            except zlib.error as error:
                raise OSError(f"damaged: {error}") from error
            if data or not packed:
                return data
        return b""

    def _packed_bytes(self, size: int) -> bytes:
        packed = bytes(self._packed[self._position : self._position + size])
        self._position += len(packed)
        return packed
