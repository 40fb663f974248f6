"""The loader `csv`: tables as separated values, a section for each row.

A row reads as `header: value` lines. Each row is a place of its own; rows count from 1 as a
spreadsheet shows them, the header included.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, Section
from inglenook_text.decoding import read_text

__all__ = ["TableLoader"]

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50
_SAMPLE_CHARACTERS = 20_000
_MOST_TITLE_ROWS = 10
_END = "\x00end\x00"
_SEPARATOR_LINE = re.compile(r"sep=(.)[,;\t]*", re.IGNORECASE)
_VALUE = re.compile(r"[\s$€£₪%+-]*\d[\d\s.,:/%+TZ-]*\Z")


class TableLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each row that is not blank.

        Raises `LoadError`: as `decoding.read_text`, and broken for cells that cannot be told apart.
        """
        decoded = read_text(request)
        yield from decoded.notices
        table = _Table(decoded.text, request)
        header: Sequence[str] | None = None
        first_number, width, ragged, data_rows = 0, 0, 0, 0
        for number, row in table.rows():
            if cancel.cancelled:
                raise Cancelled
            if not width and _is_title(row, table.width) and number <= _MOST_TITLE_ROWS:
                yield Section(" | ".join(filter(None, row)), Locator("row", number))
                continue
            if not width:
                first_number, width = number, len(row)
                header = row if _is_header(row) else None
                if header is not None:
                    continue
            ragged += len(row) != width
            data_rows += 1
            yield Section(_as_text(row, header or ()), Locator("row", number))
        if header is not None and not data_rows:
            yield Section(" | ".join(filter(None, header)), Locator("row", first_number))
        if table.open_quote:
            yield Notice("open-quote", f"line {table.open_quote}: a quote begins that never ends")
        if ragged:
            yield Notice(
                "ragged-rows", f"{ragged} row(s) have another number of cells than the first"
            )


class _Table:
    """The rows of a text.

    `width` is how many cells most of them have; `open_quote` the line of a quote that never ends,
    from which on quotes count as any other character; 0 for none.
    """

    def __init__(self, text: str, request: LoadRequest) -> None:
        self._name = request.name
        self._lines = text.split("\n")
        self._skipped = 0
        self.open_quote = 0
        csv.field_size_limit(max(csv.field_size_limit(), request.max_characters))
        named = _SEPARATOR_LINE.fullmatch(self._lines[0])
        if named:
            # Excel's way to say what parts the cells; it shows the line to nobody.
            self._skipped = 1
            self._delimiter, self.width = named[1], 0
        else:
            self._delimiter, self.width = _delimiter(text)

    def rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Each row that is not blank, with its number."""
        lines = [f"{line}\n" for line in self._lines[self._skipped :]]
        reader = csv.reader([*lines, _END], delimiter=self._delimiter)
        number, begins = self._skipped, 0
        try:
            for row in reader:
                if _END in row[-1:]:
                    break
                if row and row[-1].endswith(_END):
                    self.open_quote = begins + self._skipped + 1
                    yield from self._unquoted(lines[begins:], number)
                    break
                number += 1
                begins = reader.line_num
                yield from _stripped(number, row)
        except csv.Error as error:
            raise LoadError(
                f"{self._name} cannot be read as a table: line {reader.line_num}, {error}.",
                reason="broken",
            ) from error

    def _unquoted(self, lines: list[str], number: int) -> Iterator[tuple[int, Sequence[str]]]:
        reader = csv.reader(lines, delimiter=self._delimiter, quoting=csv.QUOTE_NONE)
        for count, row in enumerate(reader, start=number + 1):
            yield from _stripped(count, [cell.strip().strip('"') for cell in row])


def _stripped(number: int, row: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    cells = [cell.strip() for cell in row]
    if any(cells):
        yield number, cells


def _delimiter(text: str) -> tuple[str, int]:
    """The delimiter that gives most lines the same number of cells, and that number."""
    sample = text[:_SAMPLE_CHARACTERS].split("\n")[:_SAMPLE_LINES]

    def score(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(row) for row in csv.reader(sample, delimiter=delimiter) if row)
        widths.pop(1, None)
        width, lines = widths.most_common(1)[0] if widths else (1, 0)
        return lines, width

    best = max(_DELIMITERS, key=score)
    return best, score(best)[1]


def _is_title(row: Sequence[str], width: int) -> bool:
    """Whether a row above the table stands alone in a table of several columns."""
    return width > 2 and sum(map(bool, row)) == 1


def _is_header(row: Sequence[str]) -> bool:
    names = [cell for cell in row if cell]
    return len(set(names)) == len(names) and not any(_VALUE.match(name) for name in names)


def _as_text(row: Sequence[str], header: Sequence[str]) -> str:
    lines = []
    for index, cell in enumerate(row):
        if cell:
            name = header[index] if index < len(header) and header[index] else f"column {index + 1}"
            lines.append(f"{name}: {cell}")
    return "\n".join(lines)
