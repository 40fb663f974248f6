"""Cuts the stream of an old Excel workbook into records, and reads the texts in them.

Source: [MS-XLS] 2.1.4 (records) and 2.5 (`XLUnicodeString`, `XLUnicodeRichExtendedString`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Record", "TextReader", "records"]

_CONTINUE = 0x003C
_LONGEST_CHAIN = 200_000


@dataclass(frozen=True, slots=True)
class Record:
    """A record: its kind and its body; `more` are the bodies of the records that continue it."""

    kind: int
    body: bytes
    more: Sequence[bytes] = ()


def records(data: bytes, position: int) -> Iterator[Record]:
    """Yield each whole record from a position on, with those that continue it."""
    while position + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, position)
        begin, position = position + 4, position + 4 + size
        if position > len(data):
            return
        more: list[bytes] = []
        while position + 4 <= len(data) and len(more) < _LONGEST_CHAIN:
            following, size = struct.unpack_from("<HH", data, position)
            if following != _CONTINUE or position + 4 + size > len(data):
                break
            more.append(data[position + 4 : position + 4 + size])
            position += 4 + size
        yield Record(kind, data[begin : begin + struct.unpack_from("<H", data, begin - 2)[0]], more)


class TextReader:
    """Reads texts out of a record that may go on in others.

    Where characters go on in another record, that begins with a byte which says anew how wide they
    are. Raises `ValueError` where the record ends too early.

    Args:
        code_page: The codec of old texts, of one byte a character; "" for those of Excel 97 on.
    """

    def __init__(self, record: Record, position: int, code_page: str = "") -> None:
        self._parts = [record.body, *record.more]
        self._part = 0
        self._position = position
        self._code_page = code_page

    def number(self, size: int) -> int:
        return int.from_bytes(self.raw(size), "little")

    def raw(self, size: int) -> bytes:
        """The next bytes, from the next records if need be."""
        pieces = []
        while size > 0:
            piece = self._rest()[:size]
            if not piece and not self._next_part():
                raise ValueError("a text ends too early")
            pieces.append(piece)
            self._position += len(piece)
            size -= len(piece)
        return b"".join(pieces)

    def text(self, length_bytes: int) -> str:
        """A text whose length stands before it in one or two bytes."""
        length = self.number(length_bytes)
        if self._code_page:
            return self.raw(length).decode(self._code_page, "replace")
        flags = self.number(1)
        runs = self.number(2) if flags & 8 else 0
        extra = self.number(4) if flags & 4 else 0
        text = self.characters(length, is_wide=bool(flags & 1))
        self._skip(4 * runs + extra)
        return text

    def characters(self, length: int, *, is_wide: bool) -> str:
        pieces: list[str] = []
        while length > 0:
            width = 2 if is_wide else 1
            piece = self._rest()[: length * width]
            piece = piece[: len(piece) // width * width]
            if piece:
                pieces.append(piece.decode("utf-16-le" if is_wide else "latin-1", "replace"))
                self._position += len(piece)
                length -= len(piece) // width
            elif self._next_part():
                is_wide = bool(self.number(1) & 1)
            else:
                raise ValueError("a text ends too early")
        return "".join(pieces)

    def _rest(self) -> bytes:
        return self._parts[self._part][self._position : self._position + 65_536]

    def _next_part(self) -> bool:
        if self._part + 1 >= len(self._parts):
            return False
        self._part += 1
        self._position = 0
        return True

    def _skip(self, size: int) -> None:
        while size > 0:
            step = min(size, len(self._parts[self._part]) - self._position)
            self._position += step
            size -= step
            if size > 0 and not self._next_part():
                return
