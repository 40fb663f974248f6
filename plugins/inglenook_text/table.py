"""The loader `csv`: tables as separated values, a section for each row.

A row reads as `header: value` lines. Each row is a place of its own; rows count from 1 as a
spreadsheet shows them, the header included.
"""

from __future__ import annotations

import csv
import io
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
_VALUE = re.compile(r"[\s$€£₪%+-]*\d[\d\s.,:/%+TZ-]*\Z")


class TableLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each row that is not blank.

        Raises `LoadError`: as `decoding.read_text`, and broken for quotes that never end.
        """
        decoded = read_text(request)
        yield from decoded.notices
        rows = _rows(decoded.text, _delimiter(decoded.text), request)
        first = next(rows)
        header = first[1] if _is_header(first[1]) else None
        if header is None:
            yield Section(_as_text(first[1], ()), Locator("row", first[0]))
        ragged, data_rows = 0, 0
        for number, row in rows:
            if cancel.cancelled:
                raise Cancelled
            ragged += len(row) != len(first[1])
            data_rows += 1
            yield Section(_as_text(row, header or ()), Locator("row", number))
        if header is not None and not data_rows:
            yield Section(" | ".join(filter(None, header)), Locator("row", first[0]))
        if ragged:
            yield Notice(
                "ragged-rows", f"{ragged} row(s) have another number of cells than the first"
            )


def _rows(text: str, delimiter: str, request: LoadRequest) -> Iterator[tuple[int, Sequence[str]]]:
    csv.field_size_limit(max(csv.field_size_limit(), request.max_characters))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for number, row in enumerate(reader, start=1):
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield number, cells
    except csv.Error as error:
        raise LoadError(
            f"{request.name} cannot be read as a table: line {reader.line_num}, {error}.",
            reason="broken",
        ) from error


def _delimiter(text: str) -> str:
    """The delimiter that gives most lines the same number of cells, and the most cells."""
    sample = text[:_SAMPLE_CHARACTERS].split("\n")[:_SAMPLE_LINES]

    def score(delimiter: str) -> tuple[int, int]:
        widths = Counter(len(row) for row in csv.reader(sample, delimiter=delimiter) if row)
        widths.pop(1, None)
        width, lines = widths.most_common(1)[0] if widths else (1, 0)
        return lines, width

    return max(_DELIMITERS, key=score)


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
