"""Reads workbooks of Excel 95 to 2003 from their stream of records. Source: [MS-XLS] 2.3, 2.4."""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from inglenook_office.binary_cells import CellLooks, RowCollector, error_shown, rk_number
from inglenook_office.flow import Budget
from inglenook_office.grid import GridCell
from inglenook_office.number_formats import BUILT_IN_FORMATS
from inglenook_office.visible_text import one_line, visible
from inglenook_office.xls_records import Record, TextReader, records

__all__ = ["OldSheet", "OldWorkbook", "SheetPlace", "has_password"]

_BOF, _EOF, _FILE_PASS, _SHEET = 0x0809, 0x000A, 0x002F, 0x0085
_DATE_MODE, _CODE_PAGE, _FORMAT, _STYLE, _TEXTS = 0x0022, 0x0042, 0x041E, 0x00E0, 0x00FC
_ROW, _COLUMNS, _MERGES, _FILTER = 0x0208, 0x007D, 0x00E5, 0x009B
_LABEL, _RICH_LABEL, _LABEL_SHARED = 0x0204, 0x00D6, 0x00FD
_NUMBER, _RK, _SEVERAL_RK, _BOOL_ERROR = 0x0203, 0x027E, 0x00BD, 0x0205
_FORMULA, _FORMULA_TEXT = 0x0006, 0x0207
_NOTE, _OBJECT, _OBJECT_TEXT, _CHART_TEXT = 0x001C, 0x005D, 0x01B6, 0x100D
_EXCEL_97 = 0x0600
_WORKSHEET = 0
_RECORDS_BETWEEN_PAUSES = 5_000
_SMALLEST_TEXT_BYTES = 3


@dataclass(frozen=True, slots=True)
class SheetPlace:
    """A sheet as the workbook lists it, and where its records begin."""

    name: str
    position: int
    is_hidden: bool
    is_worksheet: bool


def has_password(data: bytes) -> bool:
    """Whether the stream is encrypted: it says so near its beginning."""
    for record in records(data, 0):
        if record.kind in (_FILE_PASS, _SHEET, _EOF):
            return record.kind == _FILE_PASS
    return False


class OldWorkbook:
    """What stands before the sheets.

    Attributes:
        sheets: The sheets in the order of their tabs.
        texts: The texts that cells refer to by number.
        texts_lost: Whether some of them could not be read.
        looks: How numbers are shown.
        code_page: The codec of texts before Excel 97; "" from then on.

    Raises `ValueError` where it is no such workbook.
    """

    def __init__(self, data: bytes, budget: Budget) -> None:
        self.sheets: list[SheetPlace] = []
        self.texts: list[str] = []
        self.texts_lost = False
        self.code_page = ""
        self._budget = budget
        self._own_codes: dict[int, str] = {}
        self._style_formats: list[int] = []
        self._from_1904 = False
        begin = next(records(data, 0), None)
        if begin is None or begin.kind != _BOF or len(begin.body) < 4:
            raise ValueError("it does not begin like an Excel workbook")
        if struct.unpack_from("<H", begin.body)[0] < _EXCEL_97:
            self.code_page = "cp1252"
        readers: dict[int, Callable[[Record], None]] = {
            _SHEET: self._read_sheet,
            _DATE_MODE: self._read_date_mode,
            _CODE_PAGE: self._read_code_page,
            _FORMAT: self._read_format,
            _STYLE: self._read_style,
            _TEXTS: self._read_texts,
        }
        for record in records(data, 0):
            if record.kind == _EOF:
                break
            if record.kind in readers and len(record.body) >= 2:
                readers[record.kind](record)
        codes = [
            self._own_codes.get(number) or BUILT_IN_FORMATS.get(number, "General")
            for number in self._style_formats
        ]
        self.looks = CellLooks(codes, self._from_1904)

    def _read_sheet(self, record: Record) -> None:
        if len(record.body) < 8:
            return
        position, state, kind = struct.unpack_from("<IBB", record.body)
        name = one_line(_text(TextReader(record, 6, self.code_page), 1))
        self.sheets.append(
            SheetPlace(
                name or f"Sheet{len(self.sheets) + 1}",
                position,
                is_hidden=bool(state & 3),
                is_worksheet=kind == _WORKSHEET,
            )
        )

    def _read_date_mode(self, record: Record) -> None:
        self._from_1904 = record.body[0] == 1

    def _read_code_page(self, record: Record) -> None:
        number = struct.unpack_from("<H", record.body)[0]
        if self.code_page and _is_codec(f"cp{number}"):
            self.code_page = f"cp{number}"

    def _read_format(self, record: Record) -> None:
        number = struct.unpack_from("<H", record.body)[0]
        length_bytes = 1 if self.code_page else 2
        self._own_codes[number] = _text(TextReader(record, 2, self.code_page), length_bytes)

    def _read_style(self, record: Record) -> None:
        if len(record.body) >= 4:
            self._style_formats.append(struct.unpack_from("<H", record.body, 2)[0])

    def _read_texts(self, record: Record) -> None:
        if len(record.body) < 8:
            return
        count = struct.unpack_from("<I", record.body, 4)[0]
        room = len(record.body) + sum(map(len, record.more))
        reader = TextReader(record, 8)
        try:
            for _ in range(min(count, room // _SMALLEST_TEXT_BYTES)):
                text = reader.text(2)
                self._budget.spend(len(text))
                self.texts.append(visible(text).strip())
        except ValueError:
            self.texts_lost = True


@dataclass(slots=True)
class _Beside:
    """What lies on a sheet beside its cells."""

    merges: list[tuple[int, int, int, int]] = field(default_factory=list)
    comments: dict[tuple[int, int], str] = field(default_factory=dict)
    boxes: list[str] = field(default_factory=list)
    is_filtered: bool = False


class OldSheet:
    """One sheet. `read` gives its rows to `rows`, and pauses now and then.

    Attributes:
        rows: Collects the rows.
        comments: Comments that belong to no cell with text.
        boxes: The texts of boxes and charts.
        texts_missing: How many cells refer to a text that is not there.
        is_cut_off: Whether the records end before the sheet does.
    """

    def __init__(
        self, data: bytes, place: SheetPlace, workbook: OldWorkbook, budget: Budget
    ) -> None:
        self.texts_missing = 0
        self.is_cut_off = False
        self._data = data
        self._position = place.position
        self._workbook = workbook
        self._budget = budget
        beside = self._look_over()
        self.comments = beside.comments
        self.boxes = beside.boxes
        self.rows = RowCollector(beside.merges, self.comments, is_filtered=beside.is_filtered)
        self._awaits_text: tuple[int, int] | None = None
        self._readers: dict[int, tuple[int, Callable[[Record], None]]] = {
            _ROW: (16, self._row),
            _COLUMNS: (10, self._columns),
            _LABEL: (8, self._label),
            _RICH_LABEL: (8, self._label),
            _LABEL_SHARED: (10, self._shared_label),
            _NUMBER: (14, self._number),
            _RK: (10, self._rk),
            _SEVERAL_RK: (12, self._several_rk),
            _BOOL_ERROR: (8, self._bool_or_error),
            _FORMULA: (14, self._formula),
            _FORMULA_TEXT: (2, self._formula_text),
        }

    def read(self) -> Iterator[None]:
        """Read the cells; yields now and then."""
        for number, record in enumerate(self._records()):
            if record.kind in self._readers:
                least_bytes, reader = self._readers[record.kind]
                if len(record.body) >= least_bytes:
                    reader(record)
            if not number % _RECORDS_BETWEEN_PAUSES:
                yield
        self.rows.end_row()
        yield

    def _records(self, *, charts_too: bool = False) -> Iterator[Record]:
        """The records of the sheet, without those of the charts that lie on it."""
        depth = 0
        for record in records(self._data, self._position):
            self._budget.record()
            depth += record.kind == _BOF
            if record.kind == _EOF:
                depth -= 1
                if depth <= 0:
                    return
            elif depth <= 1 or charts_too:
                yield record
        self.is_cut_off = True

    def _look_over(self) -> _Beside:
        """Find what stands behind the cells but must be known before them."""
        beside = _Beside()
        texts: dict[int, str] = {}
        notes: dict[int, tuple[int, int, str]] = {}
        object_id = -1
        code_page = self._workbook.code_page
        for record in self._records(charts_too=True):
            body = record.body
            if record.kind == _MERGES:
                beside.merges += _merges(body)
            elif record.kind == _FILTER:
                beside.is_filtered = True
            elif record.kind == _OBJECT and len(body) >= 8:
                object_id = struct.unpack_from("<H", body, 6)[0]
            elif record.kind == _OBJECT_TEXT and len(body) >= 12:
                text = _object_text(record)
                self._budget.spend(len(text))
                texts[object_id] = text
            elif record.kind == _NOTE and len(body) >= 8 and not code_page:
                row, column, _, id = struct.unpack_from("<HHHH", body)
                notes[id] = (row + 1, column, one_line(_text(TextReader(record, 8), 2)))
            elif record.kind == _CHART_TEXT and len(body) >= 4:
                beside.boxes.append(one_line(_text(TextReader(record, 2, code_page), 1)))
        for id, text in texts.items():
            if id not in notes:
                beside.boxes.append(text)
                continue
            row, column, author = notes[id]
            said = one_line(text).removeprefix(f"{author}:").strip()
            by = f"Comment by {author}" if author else "Comment"
            beside.comments[row, column] = f"[{by}: {said}]"
        return beside

    # --- records of cells: row, column and style come first ---

    def _row(self, record: Record) -> None:
        number, flags = struct.unpack_from("<H10xH", record.body)
        if flags & 0x20:
            self.rows.hide_row(number + 1, outline=flags & 7)

    def _columns(self, record: Record) -> None:
        first, last, flags = struct.unpack_from("<HH4xH", record.body)
        if flags & 1:
            self.rows.hide_columns(first, last, outline=flags >> 8 & 7)

    def _label(self, record: Record) -> None:
        row, column = struct.unpack_from("<HH", record.body)
        text = _text(TextReader(record, 6, self._workbook.code_page), 2)
        self._budget.spend(len(text))
        self.rows.text(row + 1, column, text)

    def _shared_label(self, record: Record) -> None:
        row, column, _, number = struct.unpack_from("<HHHI", record.body)
        texts = self._workbook.texts
        if number < len(texts):
            self._budget.spend(len(texts[number]))
            self.rows.add(row + 1, column, GridCell(texts[number]))
        else:
            self.texts_missing += 1

    def _number(self, record: Record) -> None:
        row, column, style, value = struct.unpack_from("<HHHd", record.body)
        self.rows.add(row + 1, column, self._workbook.looks.number(value, style))

    def _rk(self, record: Record) -> None:
        row, column, style, packed = struct.unpack_from("<HHHI", record.body)
        self.rows.add(row + 1, column, self._workbook.looks.number(rk_number(packed), style))

    def _several_rk(self, record: Record) -> None:
        row, column = struct.unpack_from("<HH", record.body)
        for place in range(4, len(record.body) - 7, 6):
            style, packed = struct.unpack_from("<HI", record.body, place)
            self.rows.add(row + 1, column, self._workbook.looks.number(rk_number(packed), style))
            column += 1

    def _bool_or_error(self, record: Record) -> None:
        row, column, _, value, is_error = struct.unpack_from("<HHHBB", record.body)
        text = error_shown(value) if is_error else "TRUE" if value else "FALSE"
        self.rows.add(row + 1, column, GridCell(text, is_text=False))

    def _formula(self, record: Record) -> None:
        """A formula stores its last result: a number, or what is none, with two bytes of 0xFF."""
        row, column, style = struct.unpack_from("<HHH", record.body)
        result = record.body[6:14]
        if result[6:] != b"\xff\xff":
            value = struct.unpack("<d", result)[0]
            self.rows.add(row + 1, column, self._workbook.looks.number(value, style))
        elif result[0] == 0:
            self._awaits_text = (row + 1, column)
        elif result[0] in (1, 2):
            text = error_shown(result[2]) if result[0] == 2 else "TRUE" if result[2] else "FALSE"
            self.rows.add(row + 1, column, GridCell(text, is_text=False))

    def _formula_text(self, record: Record) -> None:
        if self._awaits_text is not None:
            text = _text(TextReader(record, 0, self._workbook.code_page), 2)
            self._budget.spend(len(text))
            self.rows.text(*self._awaits_text, text)
        self._awaits_text = None


def _merges(body: bytes) -> list[tuple[int, int, int, int]]:
    areas = struct.iter_unpack("<HHHH", body[2 : 2 + (len(body) - 2) // 8 * 8])
    return [(top + 1, left, bottom + 1, right) for top, bottom, left, right in areas]


def _object_text(record: Record) -> str:
    """The text of a box or comment, which stands in the record that continues this one."""
    length = struct.unpack_from("<H", record.body, 10)[0]
    if not length or not record.more:
        return ""
    reader = TextReader(Record(record.kind, record.more[0], record.more[1:]), 0)
    try:
        is_wide = bool(reader.number(1) & 1)
        return visible(reader.characters(length, is_wide=is_wide)).replace("\r", "\n").strip()
    except ValueError:
        return ""


def _text(reader: TextReader, length_bytes: int) -> str:
    """A text, "" where the record ends too early."""
    try:
        return reader.text(length_bytes)
    except ValueError:
        return ""


def _is_codec(name: str) -> bool:
    try:
        codecs.lookup(name)
    except LookupError:
        return False
    return True
