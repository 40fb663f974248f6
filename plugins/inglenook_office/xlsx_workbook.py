"""Reads workbooks: the cells of each sheet, then the boxes, charts and pictures that lie on it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator

from inglenook.errors import Cancelled
from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section
from inglenook_office.charts import PartTexts, chart_titles, diagram_lines
from inglenook_office.embedded import embedded_parts
from inglenook_office.flow import Budget
from inglenook_office.grid import Grid, RowText, column_name
from inglenook_office.outcome import damaged_notice, hidden_sheet, sheet_notices, without_text
from inglenook_office.package import Package
from inglenook_office.pptx_shapes import ShapeReader
from inglenook_office.relations import Relations, relations_of
from inglenook_office.sheet_text import SheetText
from inglenook_office.slide_order import in_reading_order
from inglenook_office.xlsx_parts import (
    SheetEntry,
    Workbook,
    comments_of,
    formats_of,
    people_of,
    read_tail,
    shared_strings,
    table_headers,
    workbook_of,
)
from inglenook_office.xlsx_sheet import SheetReader, WorkbookTexts
from inglenook_office.xml_events import DamagedXmlError

__all__ = ["WorkbookReader"]

_MOST_ELEMENTS = 16_000_000


class WorkbookReader:
    """Reads a workbook whose parts are XML; see `xlsb_workbook` for binary ones."""

    def __init__(
        self, package: Package, part: str, request: LoadRequest, cancel: CancelToken
    ) -> None:
        self._package = package
        self._request = request
        self._cancel = cancel
        self._part = part
        self._relations = relations_of(package, self._part, cancel)
        self._text_budget = Budget(request)
        self._read_budget = Budget(request)
        self._notices: list[Notice] = []
        self._shared = WorkbookTexts()
        self._people: dict[str, str] = {}
        self._has_pictures = False
        self._part_texts = PartTexts(package, cancel)

    def read(self) -> Iterator[Section | PartFile | Notice]:
        if self._package.damage:
            self._notices.append(damaged_notice(self._package.damage))
        self._package.meter.elements_left = _MOST_ELEMENTS
        workbook = self._read_workbook()
        self._read_shared(workbook)
        found = False
        for sheet in workbook.sheets:
            if self._cancel.cancelled:
                raise Cancelled
            if sheet.is_hidden:
                self._notices.append(hidden_sheet(sheet.name))
                continue
            for part in self._read_sheet(sheet):
                found = found or isinstance(part, Section)
                yield part
        if not found:
            raise without_text(self._request.name, self._notices, has_pictures=self._has_pictures)
        yield from self._notices

    def _read_workbook(self) -> Workbook:
        try:
            return workbook_of(self._package, self._part, self._cancel)
        except DamagedXmlError as error:
            self._notices.append(damaged_notice(str(error)))
            return self._workbook_by_parts()

    def _workbook_by_parts(self) -> Workbook:
        """The sheets by the names of their parts, where the list of them is lost."""
        parts = sorted(name for name in self._package if name.startswith("xl/worksheets/sheet"))
        return Workbook([SheetEntry(posixpath.basename(name)[:-4], name, False) for name in parts])

    def _read_shared(self, workbook: Workbook) -> None:
        strings: list[str] = []
        formats: list[str] = []
        for part in self._relations.of_kind("sharedStrings"):
            self._try(
                lambda part=part: shared_strings(  # type: ignore[misc]
                    self._package, part, self._read_budget, self._cancel, strings
                )
            )
        for part in self._relations.of_kind("styles"):
            self._try(
                lambda part=part: formats_of(self._package, part, self._cancel, formats)  # type: ignore[misc]
            )
        self._shared = WorkbookTexts(strings, formats, workbook.from_1904)
        parts = self._relations.of_kind("person")
        self._people = people_of(self._package, parts, self._cancel)

    def _read_sheet(self, sheet: SheetEntry) -> Iterator[Section | PartFile | Notice]:
        part = self._relations.target(sheet.relation) or sheet.relation
        relations = relations_of(self._package, part, self._cancel)
        text = SheetText(sheet.name, self._text_budget)
        if self._relations.kind(sheet.relation) not in ("chartsheet", "dialogsheet"):
            yield from self._read_cells(sheet, part, relations, text)
        for drawing in relations.of_kind("drawing"):
            for block in self._drawing(drawing):
                yield from text.add(RowText(block))
        yield from text.end()
        yield from embedded_parts(self._package, relations.of_kind("package"))

    def _read_cells(
        self, sheet: SheetEntry, part: str, relations: Relations, text: SheetText
    ) -> Iterator[Section]:
        tail = read_tail(self._package, part)
        headers, is_filtered = table_headers(
            self._package, relations.of_kind("table"), self._cancel
        )
        tail.is_filtered = tail.is_filtered or is_filtered
        comments = comments_of(
            self._package,
            relations.of_kind("comments"),
            relations.of_kind("threadedComment"),
            self._people,
            self._read_budget,
            self._cancel,
        )
        reader = SheetReader(self._shared, tail, comments, self._read_budget)
        grid = Grid(headers)
        try:
            for _ in self._package.read(
                part, reader.handlers, self._cancel, max_elements=_MOST_ELEMENTS
            ):
                for row in reader.take():
                    for line in grid.add(row):
                        yield from text.add(line)
        except DamagedXmlError as error:
            self._notices.append(damaged_notice(f"sheet {sheet.name}: {error}"))
        for row in reader.take():
            for line in grid.add(row):
                yield from text.add(line)
        for line in grid.end():
            yield from text.add(line)
        for (number, column), comment in sorted(comments.items()):
            yield from text.add(RowText(f"{column_name(column)}{number}: {comment}"))
        self._tell(sheet, reader)

    def _tell(self, sheet: SheetEntry, reader: SheetReader) -> None:
        self._notices += sheet_notices(
            sheet.name,
            hidden_rows=reader.hidden_rows,
            hidden_cells=reader.hidden_cells,
            texts_missing=reader.texts_missing,
        )
        if reader.cells_outside:
            self._notices.append(
                Notice(
                    "cells-left-out",
                    f"sheet {sheet.name}: {reader.cells_outside:,} cell(s) beyond the last column"
                    " that a sheet can have were left out",
                )
            )
        if reader.uncomputed:
            self._notices.append(
                Notice(
                    "formulas-without-values",
                    f"sheet {sheet.name}: {reader.uncomputed} formula(s) have no stored result",
                )
            )

    def _drawing(self, part: str) -> list[str]:
        """The texts of the boxes, charts and pictures that lie on the sheet."""
        relations = relations_of(self._package, part, self._cancel)

        reader = ShapeReader(
            self._read_budget,
            self._part_texts.behind(relations, chart_titles),
            self._part_texts.behind(relations, diagram_lines),
        )
        self._try(lambda: self._package.read_whole(part, reader.handlers, self._cancel))
        self._has_pictures = self._has_pictures or reader.pictures > 0
        return [shape.text for shape in in_reading_order(reader.shapes()) if shape.text]

    def _try(self, read: Callable[[], None]) -> None:
        try:
            read()
        except DamagedXmlError as error:
            self._notices.append(damaged_notice(str(error)))
