"""What the binary formats of workbooks, .xls and .xlsb, have in common: numbers and rows of cells.

Sources: [MS-XLS] and [MS-XLSB], both 2.5 (`RkNumber`, `BErr`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from inglenook_office.grid import GridCell, Row
from inglenook_office.merged import MergedCells
from inglenook_office.number_formats import general, shown
from inglenook_office.visible_text import visible

__all__ = ["CellLooks", "RowCollector", "error_shown", "rk_number"]

_MOST_COLUMNS = 16_384
_ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?",
    0x24: "#NUM!", 0x2A: "#N/A", 0x2B: "#GETTING_DATA",
}  # fmt: skip


def error_shown(code: int) -> str:
    return _ERRORS.get(code, "#ERROR!")


def rk_number(packed: int) -> float:
    """A number in four bytes: 30 bits of it, as a whole number or as the top of a double."""
    if packed & 2:
        number = float((packed >> 2) - (1 << 30 if packed & 0x80000000 else 0))
    else:
        number = float(struct.unpack("<d", struct.pack("<II", 0, packed & 0xFFFFFFFC))[0])
    return number / 100 if packed & 1 else number


@dataclass(frozen=True, slots=True)
class CellLooks:
    """How numbers are shown: the format code of each style, and from which day on dates count."""

    codes: Sequence[str] = ()
    from_1904: bool = False

    def number(self, value: float, style: int) -> GridCell:
        code = self.codes[style] if 0 <= style < len(self.codes) else "General"
        text = repr(value)
        text = general(text) if code == "General" else shown(text, code, self.from_1904)
        return GridCell(text, is_text=False)


class RowCollector:
    """Puts cells together to rows, and leaves out what is hidden.

    Attributes:
        hidden_rows: How many hidden rows with text were left out.
        hidden_cells: How many cells in hidden columns were left out.

    Args:
        merges: Merged cells: first row, first column, last row, last column.
        comments: Comments by row and column; those that are told are taken out.
        is_filtered: Whether a filter hides rows; what it hides is read.
    """

    def __init__(
        self,
        merges: Sequence[tuple[int, int, int, int]],
        comments: dict[tuple[int, int], str],
        *,
        is_filtered: bool,
    ) -> None:
        self.hidden_rows = 0
        self.hidden_cells = 0
        self._merged = MergedCells(merges)
        self._comments = comments
        self._is_filtered = is_filtered
        self._hidden_rows: set[int] = set()
        self._hidden_columns = bytearray(_MOST_COLUMNS)
        self._number = 0
        self._cells: dict[int, GridCell] = {}
        self._done: list[Row] = []

    def hide_row(self, number: int, *, outline: int) -> None:
        """A row, from 1, is hidden; a folded group is no secret."""
        if not (self._is_filtered or outline):
            self._hidden_rows.add(number)

    def hide_columns(self, first: int, last: int, *, outline: int) -> None:
        """Columns, from 0, are hidden."""
        first, last = min(first, _MOST_COLUMNS), min(last + 1, _MOST_COLUMNS)
        if not outline and first < last:
            self._hidden_columns[first:last] = bytes([1]) * (last - first)

    def text(self, number: int, column: int, text: str) -> None:
        self.add(number, column, GridCell(visible(text).strip()))

    def add(self, number: int, column: int, cell: GridCell) -> None:
        """Take the next cell; rows count from 1, columns from 0."""
        if number != self._number:
            self.end_row()
            self._number = number
        comment = self._comments.pop((number, column), "") if self._comments else ""
        if comment:
            cell.text = f"{cell.text} {comment}".strip()
        if cell.text and column < _MOST_COLUMNS:
            self._cells[column] = cell

    def end_row(self) -> None:
        """The row is complete."""
        cells, self._cells = self._cells, {}
        if not cells:
            return
        if self._number in self._hidden_rows:
            self.hidden_rows += 1
            return
        seen = {column: cell for column, cell in cells.items() if not self._hidden_columns[column]}
        self.hidden_cells += len(cells) - len(seen)
        seen = self._merged.filled(self._number, seen)
        if seen:
            self._done.append(Row(self._number, seen))

    def take(self) -> list[Row]:
        """The rows that are complete and were not taken yet."""
        done, self._done = self._done, []
        return done
