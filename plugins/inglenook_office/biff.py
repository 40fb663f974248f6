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
_CHUNK_BYTES = 65_536
_FILE_PASS, _GLOBALS = 0x002F, 0x0085
_BOF, _EOF, _NOTE, _TEXT_BOX = 0x0809, 0x000A, 0x001C, 0x01B6
_WORKSHEET = 0x0010
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

    def add(self, row: int, column: int) -> None:
        self.top, self.bottom = min(self.top, row), max(self.bottom, row)
        self.left, self.right = min(self.left, column), max(self.right, column)

    def refuse_too_large(self, name: str) -> None:
        """Raise `LoadError` if the block would be too large."""
        cells = max(0, self.bottom - self.top + 1) * max(0, self.right - self.left + 1)
        if cells > _MOST_CELLS:
            raise LoadError(
                f"{name} has a sheet whose cells lie {cells:,} cells apart;"
                f" at most {_MOST_CELLS:,} are read.",
                reason="too large",
                hint="Save it as .xlsx and add that.",
            )


def has_password(data: bytes) -> bool:
    """Whether the stream `Workbook` of an .xls file is encrypted: it says so near its beginning."""
    position = 0
    while position + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, position)
        if kind in (_FILE_PASS, _GLOBALS, _EOF):
            return bool(kind == _FILE_PASS)
        position += 4 + size
    return False


def workbook_extents(data: bytes) -> Iterator[Extent]:
    """The extent of each sheet in the stream `Workbook` of an .xls file."""
    position, depth = 0, 0
    extent: Extent | None = None
    while position + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, position)
        body = position + 4
        position = body + size
        if kind == _BOF:
            depth += 1
            is_sheet = size >= 4 and struct.unpack_from("<H", data, body + 2)[0] == _WORKSHEET
            if depth == 1:
                extent = Extent() if is_sheet else None
        elif kind == _EOF:
            depth = max(0, depth - 1)
            if extent is not None and not depth:
                yield extent
                extent = None
        elif extent is not None and kind in _CELLS and size >= 4 and position <= len(data):
            row, column = struct.unpack_from("<HH", data, body)
            extent.add(row, column)
            if kind in (0x00BD, 0x00BE) and size >= 6:
                extent.add(row, struct.unpack_from("<H", data, position - 2)[0])
        elif extent is not None and kind in (_NOTE, _TEXT_BOX):
            extent.has_boxes = True


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
