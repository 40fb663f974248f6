"""Looks over the records of binary workbooks before a library reads them.

The library keeps a sheet as one block from its first to its last cell, so that two cells far apart
could ask for more memory than there is. Sources: [MS-XLS] 2.1.4, [MS-XLSB] 2.1.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from inglenook.errors import LoadError
from inglenook_office.xml_events import ByteStream

__all__ = ["Extent", "has_password", "sheet_extent", "workbook_extents"]

_MOST_CELLS = 5_000_000
_MOST_STATED_CELLS = 20_000_000
_CHUNK_BYTES = 65_536
_FILE_PASS, _SHEET = 0x002F, 0x0085
_BOF, _EOF, _NOTE, _TEXT_BOX = 0x0809, 0x000A, 0x001C, 0x01B6
_DIMENSIONS = 0x0200
_TEXTS = 0x00FC
_SMALLEST_TEXT_BYTES = 3
_SEVERAL_CELLS = (0x00BD, 0x00BE)
_CELLS = frozenset((
    0x0006, 0x00BD, 0x00BE, 0x00FD, 0x0201, 0x0203, 0x0204, 0x0205, 0x027E, 0x00D6,
))  # fmt: skip
_ROW12 = 0
_CELLS12 = frozenset(range(1, 12))


@dataclass(slots=True)
class Extent:
    """The first and last row and column with a cell, and whether comments or boxes lie on them."""

    top: int = 1 << 30
    bottom: int = -1
    left: int = 1 << 30
    right: int = -1
    has_boxes: bool = False
    stated_cells: int = 0

    def add(self, row: int, column: int) -> None:
        self.top, self.bottom = min(self.top, row), max(self.bottom, row)
        self.left, self.right = min(self.left, column), max(self.right, column)

    def refuse_too_large(self, name: str) -> None:
        """Raise `LoadError` if the block would be too large."""
        cells = max(0, self.bottom - self.top + 1) * max(0, self.right - self.left + 1)
        if cells > _MOST_CELLS or not 0 <= self.stated_cells <= _MOST_STATED_CELLS:
            raise LoadError(
                f"{name} has a sheet whose cells lie {max(cells, abs(self.stated_cells)):,} cells"
                f" apart; at most {_MOST_CELLS:,} are read.",
                reason="too large",
                hint="Save it as .xlsx and add that.",
            )


def has_password(data: bytes) -> bool:
    """Whether the stream `Workbook` of an .xls file is encrypted: it says so near its beginning."""
    for kind, _, _ in _records(data, 0):
        if kind in (_FILE_PASS, _SHEET, _EOF):
            return kind == _FILE_PASS
    return False


def workbook_extents(data: bytes) -> Iterator[Extent]:
    """The extent of each sheet in the stream `Workbook` of an .xls file, in the order of its list.

    A sheet that does not end is looked over to the end of the stream. Raises `ValueError` where
    there are said to be more texts than the stream could hold.
    """
    for kind, begin, end in _records(data, 0):
        if kind == _EOF:
            return
        if kind == _TEXTS and end - begin >= 8:
            count = struct.unpack_from("<I", data, begin + 4)[0]
            if count * _SMALLEST_TEXT_BYTES > len(data):
                raise ValueError(f"it cannot hold {count:,} texts")
        if kind == _SHEET and end - begin >= 4:
            yield _extent_of(data, struct.unpack_from("<I", data, begin)[0])


def _extent_of(data: bytes, position: int) -> Extent:
    extent, depth = Extent(), 0
    for kind, begin, end in _records(data, position):
        size = end - begin
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth <= 0:
                break
        elif kind in _CELLS and size >= 4:
            row, column = struct.unpack_from("<HH", data, begin)
            extent.add(row, column)
            if kind in _SEVERAL_CELLS and size >= 6:
                extent.add(row, struct.unpack_from("<H", data, end - 2)[0])
        elif kind in (_NOTE, _TEXT_BOX):
            extent.has_boxes = True
        elif kind == _DIMENSIONS and not 0 <= extent.stated_cells <= _MOST_STATED_CELLS:
            continue  # the worst one counts
        elif kind == _DIMENSIONS:
            extent.stated_cells = _stated_cells(data[begin:end])
    return extent


def _records(data: bytes, position: int) -> Iterator[tuple[int, int, int]]:
    """The kind of each record that is whole, and where its body begins and ends."""
    while position + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, position)
        begin = position + 4
        position = begin + size
        if position <= len(data):
            yield kind, begin, position


def _stated_cells(body: bytes) -> int:
    """How many cells a sheet says it has; below 0 where its end is before its beginning."""
    if len(body) < 10:
        return 0
    first, last, left, right = struct.unpack_from("<IIHH" if len(body) == 14 else "<HHHH", body)
    if last < first or right < left:
        return -1
    return int((last - first) * (right - left))


def sheet_extent(stream: ByteStream) -> Extent:
    """The extent of a sheet part of an .xlsb file."""
    extent = Extent()
    row = 0
    for kind, body in _records12(stream):
        if len(body) < 4:
            continue
        if kind == _ROW12:
            row = int.from_bytes(body[:4], "little")
        elif kind in _CELLS12:
            extent.add(row, int.from_bytes(body[:4], "little"))
    return extent


def _records12(stream: ByteStream) -> Iterator[tuple[int, bytes]]:
    """The kind of each record, and its first bytes."""
    data, position = b"", 0
    to_skip = 0
    while True:
        if position + 16 > len(data):
            more = stream.read(_CHUNK_BYTES)
            data, position = data[position:] + more, 0
            if not data:
                return
        if to_skip:
            step = min(to_skip, len(data) - position)
            position, to_skip = position + step, to_skip - step
            continue
        kind, position = _number(data, position, 2)
        size, position = _number(data, position, 4)
        yield kind, data[position : position + min(size, 8)]
        to_skip = size


def _number(data: bytes, position: int, most_bytes: int) -> tuple[int, int]:
    """A number in groups of 7 bits, the lowest first; and where it ends."""
    number = 0
    for place in range(most_bytes):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    return number, position
