"""Reads .xlsb workbooks: what stands in XML in .xlsx, as binary records."""

from __future__ import annotations

from collections.abc import Iterator

from inglenook.errors import Cancelled
from inglenook.types import Section
from inglenook_office.binary_cells import CellLooks
from inglenook_office.grid import Grid, RowText, column_name
from inglenook_office.outcome import damaged_notice, sheet_notices
from inglenook_office.relations import Relations
from inglenook_office.sheet_text import SheetText
from inglenook_office.xlsb_parts import (
    BinarySheet,
    binary_comments,
    binary_formats,
    binary_texts,
    binary_workbook,
)
from inglenook_office.xlsx_parts import SheetEntry, Workbook
from inglenook_office.xlsx_workbook import WorkbookReader
from inglenook_office.xml_events import DamagedXmlError

__all__ = ["BinaryWorkbookReader"]


class BinaryWorkbookReader(WorkbookReader):
    """Boxes, charts and pictures stand in XML here too."""

    def _read_workbook(self) -> Workbook:
        try:
            return binary_workbook(self._package, self._part)
        except DamagedXmlError as error:
            self._notices.append(damaged_notice(str(error)))
            return self._workbook_by_parts()

    def _read_shared(self, workbook: Workbook) -> None:
        self._texts: list[str] = []
        codes: list[str] = []
        for part in self._relations.of_kind("sharedStrings"):
            self._try(
                lambda part=part: binary_texts(  # type: ignore[misc]
                    self._package, part, self._read_budget, self._texts
                )
            )
        for part in self._relations.of_kind("styles"):
            self._try(lambda part=part: binary_formats(self._package, part, codes))  # type: ignore[misc]
        self._looks = CellLooks(codes, workbook.from_1904)

    def _read_cells(
        self, sheet: SheetEntry, part: str, relations: Relations, text: SheetText
    ) -> Iterator[Section]:
        comments: dict[tuple[int, int], str] = {}
        for notes in relations.of_kind("comments"):
            self._try(
                lambda notes=notes: binary_comments(  # type: ignore[misc]
                    self._package, notes, self._read_budget, comments
                )
            )
        reader = BinarySheet(
            self._package, part, self._texts, self._looks, comments, self._read_budget
        )
        grid = Grid()
        try:
            for _ in reader.read():
                if self._cancel.cancelled:
                    raise Cancelled
                yield from self._rows(reader, grid, text)
        except DamagedXmlError as error:
            self._notices.append(damaged_notice(f"sheet {sheet.name}: {error}"))
        reader.rows.end_row()
        yield from self._rows(reader, grid, text)
        for line in grid.end():
            yield from text.add(line)
        for (number, column), comment in sorted(comments.items()):
            yield from text.add(RowText(f"{column_name(column)}{number}: {comment}"))
        self._notices += sheet_notices(
            sheet.name,
            hidden_rows=reader.rows.hidden_rows,
            hidden_cells=reader.rows.hidden_cells,
            texts_missing=reader.texts_missing,
        )

    def _rows(self, reader: BinarySheet, grid: Grid, text: SheetText) -> Iterator[Section]:
        for row in reader.rows.take():
            for line in grid.add(row):
                yield from text.add(line)
