"""Reads OpenDocument spreadsheets: the rows of each sheet, cells as they are shown.

Source: OASIS OpenDocument 1.3, part 3, section 9. Long runs of equal rows and cells, which the
format writes once with a count, are never counted through where they are blank.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from inglenook.types import Notice, Section
from inglenook_office.flow import Budget
from inglenook_office.grid import Grid, GridCell, Row, RowText
from inglenook_office.number_formats import general
from inglenook_office.odf_body import OdfBody
from inglenook_office.odf_styles import OdfStyles
from inglenook_office.sheet_text import SheetText
from inglenook_office.visible_text import one_line
from inglenook_office.xml_events import Attributes, Handlers, whole_number

__all__ = ["SheetsReader"]

_MOST_REPEATED = 200
_MOST_COLUMNS = 16_384
_LONGEST_REPEATED = 100
_SPANS = {"table:number-columns-spanned", "table:number-rows-spanned"}
_VALUES = ("office:value", "office:date-value", "office:time-value", "office:boolean-value")
_BOXES = (
    "draw:frame", "draw:custom-shape", "draw:rect", "draw:ellipse", "draw:line", "draw:caption",
)  # fmt: skip


@dataclass(slots=True)
class _Sheet:
    name: str
    text: SheetText
    grid: Grid = field(default_factory=Grid)
    number: int = 0
    hidden_columns: bytearray = field(default_factory=lambda: bytearray(_MOST_COLUMNS))
    columns: int = 0
    hidden_rows: int = 0
    shortened: int = 0
    outside: int = 0
    above: dict[int, tuple[int, GridCell]] = field(default_factory=dict)
    boxes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _OpenRow:
    repeated: int
    is_hidden: bool
    cells: dict[int, GridCell] = field(default_factory=dict)
    column: int = 0


@dataclass(slots=True)
class _OpenCell:
    attributes: Attributes
    is_covered: bool


class SheetsReader:
    """Makes sections of the sheets; `handlers` is what the parser is given.

    Args:
        body: Reads what is in cells.
        styles: The styles of the document.
        budget: Counts the text of the sheets.
        repeats: Counts the text of cells as often as they are repeated in a row.
    """

    def __init__(self, body: OdfBody, styles: OdfStyles, budget: Budget, repeats: Budget) -> None:
        self._repeats = repeats
        self.notices: list[Notice] = []
        self._body = body
        self._styles = styles
        self._budget = budget
        self._sheet: _Sheet | None = None
        self._row: _OpenRow | None = None
        self._cell: _OpenCell | None = None
        self._groups = 0
        self._boxes = 0
        self._done: list[Section] = []

    def handlers(self) -> Handlers:
        body = self._body
        cells = ("table:table-cell", "table:covered-table-cell")
        return Handlers(
            {
                **self._styles.starts,
                **body.text_starts(),
                "office:master-styles": _skip,
                "table:table": self._start_sheet,
                "table:table-column": self._columns,
                "table:table-row-group": lambda _: self._group(1),
                "table:table-row": self._start_row,
                "table:table-cell": lambda attributes: self._start_cell(attributes, False),
                "table:covered-table-cell": lambda attributes: self._start_cell(attributes, True),
                "table:tracked-changes": _skip,
                "table:content-validations": _skip,
                **dict.fromkeys(_BOXES, self._start_box),
            },
            {
                **body.text_ends(),
                "table:table": self._end_sheet,
                "table:table-row-group": lambda: self._group(-1),
                "table:table-row": self._end_row,
                **dict.fromkeys(cells, self._end_cell),
                **dict.fromkeys(_BOXES, self._end_box),
            },
            body.text,
        )

    def take(self) -> Iterator[Section]:
        done, self._done = self._done, []
        return iter(done)

    def end(self) -> Iterator[Section]:
        self._end_sheet()
        return self.take()

    def _start_sheet(self, attributes: Attributes) -> bool:
        if self._sheet is not None:
            return True  # a table in a cell, which no program shows
        name = one_line(attributes.get("table:name", "")) or "Sheet"
        if not self._styles.is_shown("table", attributes.get("table:style-name", "")):
            self.notices.append(Notice("hidden-sheet", f"sheet {name} is hidden and was left out"))
            return True
        self._sheet = _Sheet(name, SheetText(name, self._budget))
        return False

    def _end_sheet(self) -> None:
        sheet, self._sheet = self._sheet, None
        if sheet is None:
            return
        self._add(sheet, sheet.grid.end())
        self._add(sheet, iter([RowText(box) for box in sheet.boxes]))
        self._done.extend(sheet.text.end())
        if sheet.hidden_rows:
            self.notices.append(
                Notice(
                    "hidden-text",
                    f"sheet {sheet.name}: {sheet.hidden_rows} hidden row(s) were left out",
                )
            )
        if sheet.outside:
            self.notices.append(
                Notice(
                    "cells-left-out",
                    f"sheet {sheet.name}: {sheet.outside:,} cell(s) beyond the last column that a"
                    " sheet can have were passed over",
                )
            )
        if sheet.shortened:
            self.notices.append(
                Notice(
                    "repeated-rows",
                    f"sheet {sheet.name}: {sheet.shortened:,} rows or cells that only repeat"
                    " others were left out",
                )
            )

    def _columns(self, attributes: Attributes) -> None:
        if self._sheet is None:
            return
        count = max(1, whole_number(attributes.get("table:number-columns-repeated"), 1))
        first, self._sheet.columns = self._sheet.columns, self._sheet.columns + count
        if attributes.get("table:visibility") == "collapse" and not self._groups:
            first, last = min(first, _MOST_COLUMNS), min(self._sheet.columns, _MOST_COLUMNS)
            self._sheet.hidden_columns[first:last] = bytes([1]) * (last - first)

    def _group(self, step: int) -> None:
        self._groups = max(0, self._groups + step)

    def _start_row(self, attributes: Attributes) -> None:
        count = max(1, whole_number(attributes.get("table:number-rows-repeated"), 1))
        # What a filter leaves out, or a folded group, is hidden from a glance only.
        is_hidden = attributes.get("table:visibility") == "collapse" and not self._groups
        self._row = _OpenRow(count, is_hidden)

    def _start_cell(self, attributes: Attributes, is_covered: bool) -> bool:
        if self._row is not None and self._sheet is not None and self._row.column >= _MOST_COLUMNS:
            self._sheet.outside += 1
            return True
        self._cell = _OpenCell(attributes, is_covered)
        self._body.push()
        return False

    def _end_cell(self) -> None:
        lines = self._body.pop()
        cell, self._cell = self._cell, None
        if cell is None or self._row is None or self._sheet is None:
            return
        column = self._row.column
        count = max(1, whole_number(cell.attributes.get("table:number-columns-repeated"), 1))
        self._row.column += count
        kind = cell.attributes.get("office:value-type", "string")
        text = "\n".join(lines).strip()
        if not text and kind != "string":
            value = next((cell.attributes[key] for key in _VALUES if key in cell.attributes), "")
            text = general(value)
        shown = GridCell(text, kind == "string") if text else None
        if cell.is_covered:
            shown = self._covering(column)
            count = 1
        if shown is None:
            return
        self._remember_span(cell.attributes, column, shown)
        self._sheet.shortened += max(0, count - _MOST_REPEATED)
        self._repeats.spend(len(shown.text) * min(count, _MOST_REPEATED))
        for place in range(column, min(column + min(count, _MOST_REPEATED), _MOST_COLUMNS)):
            if not self._sheet.hidden_columns[place]:
                self._row.cells[place] = shown

    def _covering(self, column: int) -> GridCell | None:
        """What a cell above shows in this one, which it covers."""
        assert self._sheet is not None
        last, cell = self._sheet.above.get(column, (0, None))
        if cell is None or self._sheet.number + 1 > last:
            return None
        return GridCell(cell.text, cell.is_text, cell.columns, 1, repeated=True)

    def _remember_span(self, attributes: Attributes, column: int, cell: GridCell) -> None:
        assert self._sheet is not None
        if cell.repeated or not _SPANS & attributes.keys():
            return
        cell.columns = max(1, whole_number(attributes.get("table:number-columns-spanned"), 1))
        cell.rows = max(1, whole_number(attributes.get("table:number-rows-spanned"), 1))
        if cell.rows > 1 and len(cell.text) <= _LONGEST_REPEATED:
            self._sheet.above[column] = (self._sheet.number + cell.rows, cell)

    def _end_row(self) -> None:
        row, self._row = self._row, None
        sheet = self._sheet
        if row is None or sheet is None:
            return
        first = sheet.number + 1
        sheet.number += row.repeated
        if not row.cells:
            return
        if row.is_hidden:
            sheet.hidden_rows += row.repeated
            return
        sheet.shortened += max(0, row.repeated - _MOST_REPEATED)
        for number in range(first, first + min(row.repeated, _MOST_REPEATED)):
            self._add(sheet, sheet.grid.add(Row(number, row.cells)))

    def _start_box(self, _: Attributes) -> None:
        self._body.push()

    def _end_box(self) -> None:
        text = "\n".join(self._body.pop())
        if text and self._sheet is not None:
            self._sheet.boxes.append(text)

    def _add(self, sheet: _Sheet, rows: Iterator[RowText]) -> None:
        for row in rows:
            self._done.extend(sheet.text.add(row))


def _skip(_: Attributes) -> bool:
    return True
