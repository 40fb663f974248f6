"""Reads the cells of a spreadsheet as the tables that a person sees in them.

Rows come one by one. Rows without a gap are a block; empty columns part a block into tables that
stand side by side; each table may have titles and a header. A row of a table with a header reads
as `header: value` lines, any other as `a | b | c`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

__all__ = ["Grid", "GridCell", "Row", "RowText", "column_name"]

_SAMPLE_ROWS = 200
_SAMPLE_CELLS = 20_000
_MOST_TABLES = 16
_MOST_COLUMNS = 16_384
_MOST_HEADER_ROWS = 4
_LONGEST_NAME = 120
_LONGEST_TITLE = 150
_VALUE = re.compile(r"[\s$€£₪%+(-]*\d[\d\s.,:/%+)TZ-]*\Z")
_YEAR = re.compile(r"(?:19|20|21)\d\d\Z")


@dataclass(slots=True)
class GridCell:
    """A cell as it is shown.

    Args:
        text: What it shows.
        is_text: Whether it holds text, not a number, a date or a truth value.
        columns: How many columns it covers.
        rows: How many rows it covers.
        repeated: Whether it covers this row from above.
    """

    text: str
    is_text: bool = True
    columns: int = 1
    rows: int = 1
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number, from 1, and its cells by column, from 0; blank ones are left out."""

    number: int
    cells: Mapping[int, GridCell]


@dataclass(frozen=True, slots=True)
class RowText:
    """A row as text; `title` is its table's, `tight` says that it stands right under the last."""

    text: str
    title: str = ""
    tight: bool = False


@dataclass(slots=True)
class _Table:
    """A table: its columns, from `low` to `high`, and the names of those that have one."""

    low: int
    high: int
    names: dict[int, str] = field(default_factory=dict)
    title: str = ""


class Grid:
    """Makes text of rows that are given in order.

    Args:
        headers: The rows that the document itself calls headers, by number: first, last column.
    """

    def __init__(self, headers: Mapping[int, tuple[int, int]] | None = None) -> None:
        self._headers = headers or {}
        self._sample: list[Row] = []
        self._sample_cells = 0
        self._tables: list[_Table] | None = None
        self._last_number = 0
        self._low, self._high = 0, -1
        self._before: _Table | None = None

    def add(self, row: Row) -> Iterator[RowText]:
        """Take the next row that is not blank, and yield what is settled by it."""
        low, high = min(row.cells), max(row.cells)
        is_apart = low > self._high or high < self._low
        if row.number > self._last_number + 1 or is_apart:
            yield from self.end()
            self._low, self._high = low, high
        self._last_number = row.number
        self._low, self._high = min(low, self._low), max(high, self._high)
        if self._tables is None:
            self._sample.append(row)
            self._sample_cells += len(row.cells)
            if len(self._sample) >= _SAMPLE_ROWS or self._sample_cells >= _SAMPLE_CELLS:
                yield from self._settle()
        else:
            for table, cells in _parted(row, self._tables):
                yield _text_of(table, cells)

    def end(self) -> Iterator[RowText]:
        """Yield what is left of the block."""
        if self._tables is None and self._sample:
            yield from self._settle()
        if self._tables:
            self._before = self._tables[0] if len(self._tables) == 1 else None
        self._tables = None

    def _settle(self) -> Iterator[RowText]:
        """Find the tables in the rows so far, and yield those rows."""
        sample, self._sample, self._sample_cells = self._sample, [], 0
        self._tables = _tables_in(sample)
        for table in self._tables:
            yield from self._read(table, _part_of(sample, table))

    def _read(self, table: _Table, rows: Sequence[Row]) -> Iterator[RowText]:
        begin = self._header_row(rows)
        for row in rows[: begin if begin is not None else _titles(rows)]:
            text = " | ".join(cell.text for cell in row.cells.values())
            table.title = table.title or (text if len(text) <= _LONGEST_TITLE else "")
            yield RowText(text, table.title)
        if begin is None:
            begin = end = _titles(rows)
            if self._goes_on(table, rows[begin:]):
                assert self._before is not None
                table.names = self._before.names
                table.title = table.title or self._before.title
        else:
            end = begin + _header_height(rows[begin:])
            table.names = _names(rows[begin:end])
        if end == len(rows) > begin:
            yield RowText(" | ".join(table.names.values()), table.title)
        for row in rows[end:]:
            yield _text_of(table, row.cells)

    def _header_row(self, rows: Sequence[Row]) -> int | None:
        """The place of the header among the rows; None if there is none."""
        for place, row in enumerate(rows):
            stated = self._headers.get(row.number)
            if stated and any(stated[0] <= column <= stated[1] for column in row.cells):
                return place
        place = _titles(rows)
        return place if _is_header(rows[place:]) else None

    def _goes_on(self, table: _Table, rows: Sequence[Row]) -> bool:
        """Whether this is more of the table before, behind a gap."""
        before = self._before
        return (
            before is not None
            and bool(before.names)
            and bool(rows)
            and len(rows[0].cells) > 1
            and before.low <= table.low
            and table.high <= before.high
        )


def column_name(column: int) -> str:
    """The letters of a column, from 0: A, B, …, Z, AA."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def _text_of(table: _Table, cells: Mapping[int, GridCell]) -> RowText:
    if not table.names:
        text = " | ".join(" ".join(cell.text.split()) for _, cell in sorted(cells.items()))
        return RowText(text, table.title, tight=True)
    lines = []
    for column, cell in sorted(cells.items()):
        name = table.names.get(column) or f"column {column_name(column)}"
        lines.append(f"{name}: {cell.text}")
    return RowText("\n".join(lines), table.title)


def _tables_in(rows: Sequence[Row]) -> list[_Table]:
    """The tables that stand side by side in a block, from left to right."""
    used = sorted({column for row in rows for column in row.cells})
    tables: list[_Table] = []
    for column in used:
        if tables and column == tables[-1].high + 1:
            tables[-1].high = column
        else:
            tables.append(_Table(column, column))
    if len(tables) > _MOST_TABLES:
        return [_Table(tables[0].low, tables[-1].high)]
    merged = tables[:1]
    for table in tables[1:]:
        if _has_header(rows, merged[-1]) and _stands_alone(rows, table):
            merged.append(table)
        else:
            merged[-1] = replace(merged[-1], high=table.high)
    return merged


def _has_header(rows: Sequence[Row], table: _Table) -> bool:
    part = _part_of(rows, table)
    return table.low < table.high and _is_header(part[_titles(part) :])


def _stands_alone(rows: Sequence[Row], table: _Table) -> bool:
    """Whether these columns are a table by themselves, and not more columns of one on the left."""
    if not _has_header(rows, table):
        return False
    part = _part_of(rows, table)
    if part[0].number != rows[0].number or part[-1].number != rows[-1].number:
        return True
    labels = [row.cells[table.low] for row in part[1:] if table.low in row.cells]
    return any(cell.is_text for cell in labels)


def _part_of(rows: Sequence[Row], table: _Table) -> list[Row]:
    parts = (
        Row(row.number, {c: cell for c, cell in row.cells.items() if table.low <= c <= table.high})
        for row in rows
    )
    return [row for row in parts if row.cells]


def _parted(row: Row, tables: Sequence[_Table]) -> Iterator[tuple[_Table, Mapping[int, GridCell]]]:
    """The cells of a row by table; what is in no table belongs to the one on its left."""
    for at, table in enumerate(tables):
        end = tables[at + 1].low if at + 1 < len(tables) else None
        low = table.low if at else 0
        cells = {c: v for c, v in row.cells.items() if low <= c and (end is None or c < end)}
        if cells:
            yield table, cells


def _titles(rows: Sequence[Row]) -> int:
    """How many rows of one cell stand on top of rows of several."""
    for count, row in enumerate(rows):
        if len([cell for cell in row.cells.values() if not cell.repeated]) > 1:
            return count
    return 0


def _is_header(rows: Sequence[Row]) -> bool:
    """Whether the first of these rows names the columns."""
    if len(rows) < 2:
        return False
    cells = list(rows[0].cells.values())
    columns = {column for row in rows for column in row.cells}
    names = [cell.text for cell in cells]
    covered = sum(cell.columns for cell in cells)
    if len(cells) < 2 or 2 * covered < len(columns) or not all(map(_is_name, cells)):
        return False
    if all(not cell.is_text for cell in cells):
        return False
    body = [cell for row in rows[1:] for cell in row.cells.values()]
    if len(columns) == 2:
        return _is_list_of_values(rows[1:], max(columns))
    return len(set(names)) == len(names) or any(not cell.is_text for cell in body)


def _is_list_of_values(rows: Sequence[Row], column: int) -> bool:
    """Whether a second column holds values only; else two columns are labels and their texts."""
    cells = [row.cells[column] for row in rows if column in row.cells]
    return bool(cells) and all(not cell.is_text for cell in cells)


def _is_name(cell: GridCell) -> bool:
    if len(cell.text) > _LONGEST_NAME:
        return False
    if _YEAR.match(cell.text):
        return True
    return cell.is_text and not _VALUE.match(cell.text)


def _header_height(rows: Sequence[Row]) -> int:
    """How many rows the header has: as many as its merged cells reach over."""
    first = rows[0]
    height = max(cell.rows for cell in first.cells.values())
    if any(cell.columns > 1 for cell in first.cells.values()):
        height = max(height, 2)
    last = first.number + min(height, _MOST_HEADER_ROWS)
    count = sum(row.number < last for row in rows[:_MOST_HEADER_ROWS])
    while count > 1 and not all(map(_is_name, rows[count - 1].cells.values())):
        count -= 1
    return max(1, min(count, len(rows) - 1))


def _names(rows: Sequence[Row]) -> dict[int, str]:
    names: dict[int, str] = {}
    for row in rows:
        columns = sorted(row.cells)
        for column, end in zip(columns, [*columns[1:], _MOST_COLUMNS], strict=True):
            cell = row.cells[column]
            if cell.repeated:
                continue
            for covered in range(column, min(column + cell.columns, end)):
                above = names.get(covered, "")
                text = " ".join(cell.text.split())
                names[covered] = f"{above} {text}" if above and above != text else text
    return names
