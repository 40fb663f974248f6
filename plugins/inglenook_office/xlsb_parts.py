"""Reads the binary parts of .xlsb workbooks. Source: [MS-XLSB] 2.1.4 (records) and 2.4."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

from inglenook.errors import LoadError
from inglenook_office.binary_cells import CellLooks, RowCollector, error_shown, rk_number
from inglenook_office.flow import Budget
from inglenook_office.grid import GridCell
from inglenook_office.number_formats import BUILT_IN_FORMATS
from inglenook_office.package import Package
from inglenook_office.visible_text import one_line, visible
from inglenook_office.xlsx_parts import SheetEntry, Workbook
from inglenook_office.xml_events import ByteStream, DamagedXmlError

__all__ = ["BinarySheet", "binary_comments", "binary_formats", "binary_texts", "binary_workbook"]

_CHUNK_BYTES = 65_536
_LARGEST_RECORD = 2_000_000
_ROW, _TEXT_ITEM, _FORMAT, _STYLE, _COLUMNS = 0, 19, 44, 47, 60
_RK, _ERROR, _BOOL, _REAL, _TEXT, _SHARED = 2, 3, 4, 5, 6, 7
_FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_BOOL, _FORMULA_ERROR, _RICH_TEXT = 8, 9, 10, 11, 62
_PROPERTIES, _SHEET, _FILTER_COLUMN, _MERGE = 153, 156, 163, 176
_BEGIN_STYLES, _END_STYLES = 617, 618
_AUTHOR, _COMMENT, _COMMENT_TEXT = 632, 635, 637
_RECORDS_BETWEEN_PAUSES = 5_000


def binary_workbook(package: Package, part: str) -> Workbook:
    """Read the list of sheets. Raises `DamagedXmlError`."""
    workbook = Workbook()
    for kind, body in _records(package, part):
        if kind == _PROPERTIES and len(body) >= 4:
            workbook.from_1904 = bool(body[0] & 1)
        elif kind == _SHEET and len(body) >= 12:
            state = struct.unpack_from("<I", body)[0]
            relation, position = _wide(body, 8)
            name = one_line(_wide(body, position)[0]) or f"Sheet{len(workbook.sheets) + 1}"
            workbook.sheets.append(SheetEntry(name, relation, state != 0))
    return workbook


def binary_texts(package: Package, part: str, budget: Budget, texts: list[str]) -> None:
    """Append the texts that cells refer to by number. Raises `DamagedXmlError`."""
    for kind, body in _records(package, part):
        if kind == _TEXT_ITEM:
            text = _wide(body, 1)[0]
            budget.spend(len(text))
            texts.append(visible(text).strip())


def binary_formats(package: Package, part: str, codes: list[str]) -> None:
    """Append the format code of each style of cells. Raises `DamagedXmlError`."""
    own: dict[int, str] = {}
    in_styles = False
    for kind, body in _records(package, part):
        if kind == _FORMAT and len(body) >= 2:
            own[struct.unpack_from("<H", body)[0]] = _wide(body, 2)[0]
        elif kind in (_BEGIN_STYLES, _END_STYLES):
            in_styles = kind == _BEGIN_STYLES
        elif kind == _STYLE and in_styles and len(body) >= 4:
            number = struct.unpack_from("<H", body, 2)[0]
            codes.append(own.get(number) or BUILT_IN_FORMATS.get(number, "General"))


def binary_comments(
    package: Package, part: str, budget: Budget, comments: dict[tuple[int, int], str]
) -> None:
    """Add the comments by row and column. Raises `DamagedXmlError`."""
    authors: list[str] = []
    place, author = (0, 0), ""
    for kind, body in _records(package, part):
        if kind == _AUTHOR:
            authors.append(one_line(_wide(body, 0)[0]))
        elif kind == _COMMENT and len(body) >= 20:
            number, row, _, column, _ = struct.unpack_from("<IIIII", body)
            place = (row + 1, column)
            author = authors[number] if number < len(authors) else ""
        elif kind == _COMMENT_TEXT:
            text = one_line(_wide(body, 1)[0]).removeprefix(f"{author}:").strip()
            budget.spend(len(text))
            by = f"Comment by {author}" if author else "Comment"
            comments[place] = f"[{by}: {text}]"


class BinarySheet:
    """One sheet. `read` gives its rows to `rows`, and pauses now and then.

    Attributes:
        rows: Collects the rows.
        texts_missing: How many cells refer to a text that is not there.
    """

    def __init__(
        self,
        package: Package,
        part: str,
        texts: list[str],
        looks: CellLooks,
        comments: dict[tuple[int, int], str],
        budget: Budget,
    ) -> None:
        self.texts_missing = 0
        self._package = package
        self._part = part
        self._texts = texts
        self._looks = looks
        self._budget = budget
        merges, is_filtered = self._look_over()
        self.rows = RowCollector(merges, comments, is_filtered=is_filtered)
        self._number = 0
        self._readers: dict[int, tuple[int, Callable[[int, int, bytes], None]]] = {
            _RK: (12, self._rk),
            _ERROR: (9, self._error),
            _FORMULA_ERROR: (9, self._error),
            _BOOL: (9, self._bool),
            _FORMULA_BOOL: (9, self._bool),
            _REAL: (16, self._real),
            _FORMULA_NUMBER: (16, self._real),
            _TEXT: (12, lambda column, _, body: self._text(column, body, 8)),
            _FORMULA_TEXT: (12, lambda column, _, body: self._text(column, body, 8)),
            _RICH_TEXT: (13, lambda column, _, body: self._text(column, body, 9)),
            _SHARED: (12, self._shared),
        }

    def read(self) -> Iterator[None]:
        """Read the cells; yields now and then. Raises `DamagedXmlError`."""
        for count, (kind, body) in enumerate(_records(self._package, self._part)):
            if kind == _ROW and len(body) >= 12:
                self._row(body)
            elif kind == _COLUMNS and len(body) >= 18:
                first, last, flags = struct.unpack_from("<II8xH", body)
                if flags & 1:
                    self.rows.hide_columns(first, last, outline=flags >> 8 & 7)
            elif kind in self._readers:
                least_bytes, reader = self._readers[kind]
                if len(body) >= least_bytes:
                    column, style = struct.unpack_from("<II", body)
                    reader(column, style & 0xFFFFFF, body)
            if not count % _RECORDS_BETWEEN_PAUSES:
                yield
        self.rows.end_row()
        yield

    def _look_over(self) -> tuple[list[tuple[int, int, int, int]], bool]:
        """Find what stands behind the cells but must be known before them."""
        merges: list[tuple[int, int, int, int]] = []
        is_filtered = False
        try:
            for kind, body in _records(self._package, self._part):
                if kind == _MERGE and len(body) >= 16:
                    top, bottom, left, right = struct.unpack_from("<IIII", body)
                    merges.append((top + 1, left, bottom + 1, right))
                is_filtered = is_filtered or kind == _FILTER_COLUMN
        except DamagedXmlError:
            return merges, is_filtered  # the cells are read as far as they go, and it is told then
        return merges, is_filtered

    def _row(self, body: bytes) -> None:
        self._number = struct.unpack_from("<I", body)[0] + 1
        if body[11] & 0x10:
            self.rows.hide_row(self._number, outline=body[11] & 7)

    def _rk(self, column: int, style: int, body: bytes) -> None:
        value = rk_number(struct.unpack_from("<I", body, 8)[0])
        self.rows.add(self._number, column, self._looks.number(value, style))

    def _real(self, column: int, style: int, body: bytes) -> None:
        value = struct.unpack_from("<d", body, 8)[0]
        self.rows.add(self._number, column, self._looks.number(value, style))

    def _bool(self, column: int, _: int, body: bytes) -> None:
        self.rows.add(self._number, column, GridCell("TRUE" if body[8] else "FALSE", is_text=False))

    def _error(self, column: int, _: int, body: bytes) -> None:
        self.rows.add(self._number, column, GridCell(error_shown(body[8]), is_text=False))

    def _text(self, column: int, body: bytes, position: int) -> None:
        text = _wide(body, position)[0]
        self._budget.spend(len(text))
        self.rows.text(self._number, column, text)

    def _shared(self, column: int, _: int, body: bytes) -> None:
        number = struct.unpack_from("<I", body, 8)[0]
        if number < len(self._texts):
            self._budget.spend(len(self._texts[number]))
            self.rows.add(self._number, column, GridCell(self._texts[number]))
        else:
            self.texts_missing += 1


def _wide(body: bytes, position: int) -> tuple[str, int]:
    """A text with its length before it, as far as there is any; and where it ends."""
    if position + 4 > len(body):
        return "", len(body)
    length = struct.unpack_from("<I", body, position)[0]
    end = position + 4 + (0 if length == 0xFFFFFFFF else 2 * length)
    data = body[position + 4 : end]
    return data[: len(data) // 2 * 2].decode("utf-16-le", "replace"), end


def _records(package: Package, part: str) -> Iterator[tuple[int, bytes]]:
    """Each record: its kind and its body. Raises `DamagedXmlError`."""
    with package.opened(part) as stream:
        reader = _Bytes(stream, package)
        while reader.has_more():
            kind = reader.number(2)
            size = reader.number(4)
            if size > _LARGEST_RECORD:
                raise DamagedXmlError("a record is too large")
            package.meter.elements_left -= 1
            if package.meter.elements_left < 0:
                raise LoadError(f"{package.name} has too many records.", reason="too large")
            yield kind, reader.take(size)


class _Bytes:
    """Takes bytes from a stream, from a buffer in between."""

    def __init__(self, stream: ByteStream, package: Package) -> None:
        self._stream = stream
        self._package = package
        self._data = b""
        self._position = 0

    def has_more(self) -> bool:
        return self._fill(1)

    def take(self, size: int) -> bytes:
        if not self._fill(size):
            raise DamagedXmlError("it ends in the middle of a record")
        begin, self._position = self._position, self._position + size
        return self._data[begin : self._position]

    def number(self, most_bytes: int) -> int:
        """A number in groups of 7 bits, the lowest first."""
        number = 0
        for place in range(most_bytes):
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                break
        return number

    def _fill(self, size: int) -> bool:
        """Whether there are so many bytes."""
        while len(self._data) - self._position < size:
            try:
                more = self._stream.read(_CHUNK_BYTES)
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
                raise DamagedXmlError(str(error)) from error
            if not more:
                return False
            self._package.spend(len(more))
            self._data = self._data[self._position :] + more
            self._position = 0
        return True
