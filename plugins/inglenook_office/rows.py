"""Reads the tables of running documents and slides row by row, each cell with its header.

A row is one line, `header: cell | header: cell`, or `cell | cell` where there is no header; a row
with long cells has a line for each cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Cell", "TableRows", "is_header"]

_LONGEST_ON_ONE_LINE = 300
_LONGEST_HEADER = 80
_LONGEST_REPEATED = 100
_MOST_COLUMNS = 5_000
_YEAR = re.compile(r"(?:19|20|21)\d\d\Z")
_VALUE = re.compile(r"[\s$€£₪%+(-]*\d[\d\s.,:/%+)TZ-]*\Z")


@dataclass(slots=True)
class Cell:
    """A cell: its text, the column where it begins (from 0) and how many it covers.

    `continues` says that it goes on from the row above; it then has that row's text.
    """

    text: str
    column: int
    columns: int = 1
    continues: bool = False


@dataclass(slots=True)
class TableRows:
    """The rows of one table, and how many of them the document calls headers (None: unsaid)."""

    rows: list[list[Cell]] = field(default_factory=list)
    header_rows: int | None = None

    def lines(self) -> Iterator[str]:
        """The table as lines of text; rows that are blank are left out."""
        rows = [row for row in self._filled() if any(cell.text for cell in row)]
        if max((len(row) for row in rows), default=0) <= 1 and not _is_wide(rows):
            yield from (cell.text for row in rows for cell in row if cell.text)
            return
        headers = rows[: self._header_count(rows)]
        names = _names(headers)
        for row in headers:
            yield _joined([" ".join(cell.text.split()) for cell in row if not cell.continues])
        for row in rows[len(headers) :]:
            yield _line(row, names)

    def _filled(self) -> Iterator[list[Cell]]:
        """The rows, with the text of short cells in every row that they reach into."""
        above: dict[int, str] = {}
        for row in self.rows:
            for cell in row:
                if cell.continues:
                    cell.text = cell.text or above.get(cell.column, "")
                elif len(cell.text) <= _LONGEST_REPEATED:
                    above[cell.column] = cell.text
                else:
                    above.pop(cell.column, None)
            yield row

    def _header_count(self, rows: Sequence[Sequence[Cell]]) -> int:
        if len(rows) < 2:
            return 0
        count = self.header_rows
        if count is None:
            count = int(_width(rows) > 2 and _looks_like_header(rows))
        if count == 1 and len(rows) > 2 and _heads_columns(rows[0], rows[1]):
            count = 2
        return min(count, len(rows) - 1)


def is_header(texts: Sequence[str]) -> bool:
    """Whether a row looks like the header of a table: names, none twice, no value among them."""
    names = [text for text in texts if text]
    return (
        len(names) == len(texts)
        and len(set(names)) == len(names)
        and all(len(name) <= _LONGEST_HEADER and "\n\n" not in name for name in names)
        and not any(_VALUE.match(name) for name in names)
    )


def _looks_like_header(rows: Sequence[Sequence[Cell]]) -> bool:
    """Whether the first row names the columns; a year does so where no years stand below it."""
    last = rows[0][-1]
    if last.column + last.columns != _width(rows):
        return False
    years_below = {cell.column for cell in rows[1] if _YEAR.match(cell.text)}
    return is_header(
        [
            f"year {cell.text}"
            if _YEAR.match(cell.text) and cell.column not in years_below
            else cell.text
            for cell in rows[0]
        ]
    )


def _heads_columns(first: Sequence[Cell], second: Sequence[Cell]) -> bool:
    """Whether the second row names the columns that stand under wide cells of the first."""
    ends = [cell.column for cell in first[1:]] + [_MOST_COLUMNS]
    under = {
        column
        for cell, end in zip(first, ends, strict=True)
        if cell.columns > 1
        for column in range(cell.column, min(cell.column + cell.columns, end, _MOST_COLUMNS))
    }
    return bool(under) and all(
        _YEAR.match(cell.text) or not _VALUE.match(cell.text)
        if cell.column in under
        else cell.continues or not cell.text
        for cell in second
    )


def _width(rows: Sequence[Sequence[Cell]]) -> int:
    return max((row[-1].column + row[-1].columns for row in rows if row), default=0)


def _is_wide(rows: Sequence[Sequence[Cell]]) -> bool:
    """Whether rows of one cell have more than one column, as where every row is merged."""
    return any(cell.column for row in rows for cell in row)


def _names(headers: Sequence[Sequence[Cell]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for row in headers:
        ends = [cell.column for cell in row[1:]] + [_MOST_COLUMNS]
        for cell, end in zip(row, ends, strict=True):
            text = " ".join(cell.text.split())
            for column in range(cell.column, min(cell.column + cell.columns, end, _MOST_COLUMNS)):
                above = names.get(column, "")
                names[column] = above if text in ("", above) else f"{above} {text}".strip()
    return {column: name for column, name in names.items() if name}


def _line(row: Sequence[Cell], names: dict[int, str]) -> str:
    is_long = any(len(cell.text) > _LONGEST_ON_ONE_LINE for cell in row)
    parts = []
    for cell in row:
        text = cell.text if is_long else " ".join(cell.text.split())
        name = names.get(cell.column, "")
        if name and text and name != text:
            parts.append(f"{name}: {text}")
        elif not names or text:
            parts.append(text)
    return "\n".join(part for part in parts if part) if is_long else _joined(parts)


def _joined(parts: list[str]) -> str:
    """The cells on one line; blank ones at the end are left out."""
    while parts and not parts[-1]:
        parts.pop()
    return " | ".join(parts)
