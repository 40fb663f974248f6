"""The loader `rtf`: Rich Text Format, with headings, lists, tables and notes."""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest, Notice, Section
from inglenook_office.flow import Budget, Flow
from inglenook_office.outcome import damaged_notice, without_text
from inglenook_office.package import file_head
from inglenook_office.rows import Cell, TableRows
from inglenook_office.rtf_reader import Paragraph, ParagraphTaker, RtfReader
from inglenook_office.rtf_tokens import PAUSE, TOKENS_BETWEEN_PAUSES, tokens

__all__ = ["RtfLoader"]

_MOST_TOKENS = 8_000_000
_SAME_EDGE_TWIPS = 40


class RtfLoader:
    """Implements `protocols.Loader`. The text is one place; sections name headings."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each heading.

        Raises `LoadError`: unreadable, broken, too large, no text.
        """
        head = file_head(request).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not head.startswith(b"{\\rtf"):
            raise LoadError(
                f"{request.name} is not an RTF file: it does not begin like one.",
                reason="broken",
                hint="Open it in the program that made it and save it again.",
            )
        size = request.path.stat().st_size
        if size > request.max_inflated_bytes:
            raise LoadError(f"{request.name} has {size:,} bytes.", reason="too large")
        with (
            request.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            yield from _read(data, request, cancel)


def _read(data: mmap.mmap, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
    if cancel.cancelled:
        raise Cancelled
    document = _Document(Flow(Budget(request)))
    reader = RtfReader(document, Budget(request), request.name)
    found = False
    is_whole = False
    pauses = 0
    for token in tokens(data, reader.known_words):
        if token is PAUSE:
            pauses += 1
            _look_up(pauses, request, cancel)
            for section in document.flow.take():
                found = True
                yield section
            continue
        reader.take(token)
        if not reader.depth:
            is_whole = True
            break
    reader.end()
    for section in document.end():
        found = True
        yield section
    notices = [] if is_whole else [damaged_notice("it is cut off before its end")]
    if not found:
        raise without_text(request.name, notices, has_pictures=reader.pictures > 0)
    yield from notices
    yield from _notices(reader)


def _look_up(pauses: int, request: LoadRequest, cancel: CancelToken) -> None:
    """Stop if that is asked for, or if there is no end to it."""
    if cancel.cancelled:
        raise Cancelled
    if pauses * TOKENS_BETWEEN_PAUSES > _MOST_TOKENS:
        raise LoadError(
            f"{request.name} has more than {_MOST_TOKENS:,} control words.", reason="too large"
        )


def _notices(reader: RtfReader) -> Iterator[Notice]:
    if reader.deleted:
        yield Notice("tracked-changes", f"{reader.deleted} tracked deletion(s) were left out")
    if reader.hidden:
        yield Notice("hidden-text", f"{reader.hidden} hidden character(s) were left out")
    if reader.replaced:
        yield Notice("invalid-bytes", f"{reader.replaced} invalid byte(s) were replaced by �")


class _Document(ParagraphTaker):
    """Puts paragraphs and tables into the flow."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._has_begun = False
        self._headers: list[str] = []
        self._footers: list[str] = []
        self._told: set[str] = set()
        self._is_in_list = False
        self._table: _Table | None = None
        self._cell_lines: list[str] = []
        self._nested_row: list[str] = []

    def end(self) -> Iterator[Section]:
        self._end_nested_row()
        self._end_table()
        self.flow.leave_headings()
        for text in (*self._headers, *self._footers):
            self.flow.paragraph(text)
        return self.flow.end()

    def paragraph(self, paragraph: Paragraph) -> None:
        if paragraph.in_table:
            self._cell_lines += _lines(paragraph)
            return
        if paragraph.text or paragraph.after:
            self._begin()
            self._end_table()
        text = paragraph.text
        if text and paragraph.level is not None:
            mark = paragraph.mark if paragraph.mark != "-" else ""
            self.flow.heading(paragraph.level, f"{mark} {text}" if mark else text)
            self._is_in_list = False
        elif text and paragraph.mark:
            item = f"{'  ' * paragraph.depth}{paragraph.mark} {text}"
            self.flow.paragraph(item, tight=self._is_in_list)
            self._is_in_list = True
        elif text:
            self.flow.paragraph(text)
            self._is_in_list = False
        for block in paragraph.after:
            self.flow.paragraph(block)
            self._is_in_list = False

    def cell(self, paragraph: Paragraph, *, nested: bool) -> None:
        if nested:
            self._nested_row.append(" ".join(_lines(paragraph)))
            return
        self._end_nested_row()
        self._cell_lines += _lines(paragraph)
        self._open_table().texts.append("\n".join(self._cell_lines))
        self._cell_lines = []

    def row(self, *, nested: bool) -> None:
        if nested:
            self._end_nested_row()
        else:
            self._open_table().end_row()

    def _end_nested_row(self) -> None:
        if self._nested_row:
            self._cell_lines.append(" | ".join(self._nested_row))
        self._nested_row = []

    def row_definition(self, word: str, number: int) -> None:
        if self._table is not None or word == "trowd":
            self._open_table().define(word, number)

    def margin(self, kind: str, text: str) -> None:
        text = "\n".join(" ".join(line.split()) for line in text.splitlines())
        if any(character.isalpha() for character in text) and text not in self._told:
            self._told.add(text)
            (self._headers if kind == "header" else self._footers).append(text)

    def _begin(self) -> None:
        """Put the headers that are known by now in front of the text."""
        if not self._has_begun:
            self._has_begun = True
            for text in self._headers:
                self.flow.paragraph(text)
            self._headers.clear()

    def _open_table(self) -> _Table:
        self._begin()
        if self._table is None:
            self._table = _Table()
        return self._table

    def _end_table(self) -> None:
        table, self._table = self._table, None
        if self._cell_lines and table is not None:
            table.texts.append("\n".join(self._cell_lines))
        elif self._cell_lines:
            self.flow.paragraph("\n".join(self._cell_lines))
        self._cell_lines = []
        if table is None:
            return
        table.end_row()
        for number, line in enumerate(table.rows().lines()):
            self.flow.paragraph(line, tight=number > 0)
        self._is_in_list = False


def _lines(paragraph: Paragraph) -> list[str]:
    text = paragraph.text
    line = f"{paragraph.mark} {text}" if paragraph.mark and text else text
    return [part for part in (line, *paragraph.after) if part]


class _Table:
    """The rows of a table. Cells say where they end; columns come from all those places."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._rows: list[tuple[list[str], list[int], set[int], set[int]]] = []
        self._edges: list[int] = []
        self._from_above: set[int] = set()
        self._from_left: set[int] = set()
        self._is_header = False
        self._header_rows = 0

    def define(self, word: str, number: int) -> None:
        place = len(self._edges)
        if word == "trowd":
            self._edges, self._from_above, self._from_left = [], set(), set()
            self._is_header = False
        elif word == "cellx":
            self._edges.append(number)
        elif word == "clvmrg":
            self._from_above.add(place)
        elif word == "clmrg":
            self._from_left.add(place)
        elif word == "trhdr":
            self._is_header = True

    def end_row(self) -> None:
        if self.texts:
            if self._is_header and self._header_rows == len(self._rows):
                self._header_rows += 1
            self._rows.append((self.texts, self._edges, self._from_above, self._from_left))
        self.texts = []

    def rows(self) -> TableRows:
        columns = _columns([edge for row in self._rows for edge in row[1]])
        found = TableRows(header_rows=self._header_rows or None)
        for texts, edges, from_above, from_left in self._rows:
            cells: list[Cell] = []
            begin = 0
            for place, text in enumerate(texts):
                fits = len(edges) == len(texts)
                end = (
                    bisect_left(columns, edges[place] - _SAME_EDGE_TWIPS) + 1 if fits else place + 1
                )
                if place not in from_left or text:
                    cells.append(Cell(text, begin, max(1, end - begin), place in from_above))
                begin = max(end, begin)
            found.rows.append(cells)
        return found


def _columns(edges: list[int]) -> list[int]:
    """The places where columns end, those that are nearly the same as one."""
    columns: list[int] = []
    for edge in sorted(set(edges)):
        if not columns or edge - columns[-1] > _SAME_EDGE_TWIPS:
            columns.append(edge)
    return columns
