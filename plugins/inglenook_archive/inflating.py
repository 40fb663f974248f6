"""Reads a file that may be compressed as a stream, counts what comes out and stops a bomb.

The kind of compression is decided by the first bytes, never by the name.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from types import TracebackType
from typing import Protocol

from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest

__all__ = ["Damaged", "InflatedFile"]

_CHUNK_BYTES = 1 << 16
_RATIO = 200
_RATIO_FROM_BYTES = 20_000_000
"""As in `containers`: only what inflates past this is held to `_RATIO`."""
_MOST_MEMORY_BYTES = 256 << 20
_GZIP, _BZIP2, _XZ = b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00"


class Damaged(Exception):
    """The compressed bytes make no sense or end early."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """Gives zlib the interface that the other decompressors of the standard library have."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


class InflatedFile:
    """The bytes of a file after decompression, forward only.

    Every read raises `Damaged`, `Cancelled`, or `LoadError` too large: for more than
    `request.max_inflated_bytes`, for more than 200 times what was packed, for more memory than any
    common packer asks for.
    """

    def __init__(self, request: LoadRequest, cancel: CancelToken) -> None:
        self._request = request
        self._cancel = cancel
        self._ahead, self._at = b"", 0
        self._count = 0
        self._streams = 0
        try:
            self._file = request.path.open("rb")
            first = self._file.read(_CHUNK_BYTES)
        except OSError as error:
            raise LoadError(
                f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
            ) from error
        if not first:
            self._file.close()
            raise LoadError(f"{request.name} is empty (0 bytes).", reason="broken")
        self._head = first[:1024]
        self._packed = first
        self._inner = self._begin(first)
        self.is_compressed = self._inner is not None

    def __enter__(self) -> InflatedFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def gzip_name(self) -> bytes:
        """The name that a gzip file says it was made from (RFC 1952, 2.3); b"" if none."""
        has_name, has_extra_field = 0x08, 0x04
        flags = self._head[3] if self._head.startswith(_GZIP) else 0
        if not flags & has_name or flags & has_extra_field:
            return b""
        return self._head[10:].partition(b"\0")[0]

    def peek(self, size: int) -> bytes:
        """The next bytes, without taking them; fewer at the end."""
        while len(self._ahead) - self._at < size and (more := self._more()):
            self._ahead, self._at = self._ahead[self._at :] + more, 0
        return self._ahead[self._at : self._at + size]

    def read(self, size: int) -> bytes:
        """The next bytes, one at least unless it ends here, and `size` at most."""
        if self._at == len(self._ahead):
            self._ahead, self._at = self._more(), 0
        data = self._ahead[self._at : self._at + size]
        self._at += len(data)
        return data

    def _begin(self, data: bytes) -> _Decompressor | None:
        self._streams += 1
        if data.startswith(_GZIP):
            return _Gzip()
        if data.startswith(_BZIP2):
            return bz2.BZ2Decompressor()
        if data.startswith(_XZ):
            return lzma.LZMADecompressor(memlimit=_MOST_MEMORY_BYTES)
        return None

    def _more(self) -> bytes:
        if self._cancel.cancelled:
            raise Cancelled
        if not self.is_compressed:
            data = self._packed or self._file.read(_CHUNK_BYTES)
            self._packed = b""
        else:
            data = self._next_inflated()
        self._count += len(data)
        self._refuse_bomb()
        return data

    def _next_inflated(self) -> bytes:
        while self._inner is not None:
            if self._inner.eof:
                self._next_stream(self._inner.unused_data)
                continue
            packed = b""
            if self._inner.needs_input:
                packed = self._packed or self._file.read(_CHUNK_BYTES)
                self._packed = b""
                if not packed:
                    raise Damaged("it ends early")
            try:
                data = self._inner.decompress(packed, _CHUNK_BYTES)
            except lzma.LZMAError as error:
                raise self._of_lzma(error) from error
            except (zlib.error, OSError, ValueError, EOFError) as error:
                raise Damaged("its compressed bytes are damaged") from error
            if data:
                return data
        return b""

    def _next_stream(self, rest: bytes) -> None:
        """Go on with the next of several compressed streams in one file; ignore padding."""
        rest = rest if len(rest) >= len(_XZ) else rest + self._file.read(_CHUNK_BYTES)
        rest = rest.lstrip(b"\0")
        if self._streams > self._request.max_members:
            raise LoadError(
                f"{self._request.name} is made of more than {self._request.max_members:,}"
                " compressed pieces.",
                reason="too large",
            )
        self._inner = self._begin(rest)
        self._packed = rest if self._inner is not None else b""

    def _of_lzma(self, error: lzma.LZMAError) -> Exception:
        if "limit" in str(error):
            return LoadError(
                f"{self._request.name} asks for more than {_MOST_MEMORY_BYTES >> 20} MiB of memory"
                " to be unpacked.",
                reason="too large",
            )
        return Damaged("its compressed bytes are damaged")

    def _refuse_bomb(self) -> None:
        if self._count > self._request.max_inflated_bytes:
            raise LoadError(
                f"{self._request.name} inflates to more than"
                f" {self._request.max_inflated_bytes:,} bytes, which are the most allowed.",
                reason="too large",
            )
        packed = self._file.tell()
        if self.is_compressed and self._count > max(_RATIO_FROM_BYTES, packed * _RATIO):
            raise LoadError(
                f"{self._request.name} inflates to more than {_RATIO} times its size.",
                reason="too large",
            )
