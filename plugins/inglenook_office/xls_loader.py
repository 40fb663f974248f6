"""The loader `xls`: workbooks of Excel 95 to 2003, each sheet a place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.errors import Cancelled, LoadError
from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section
from inglenook_office.flow import Budget
from inglenook_office.grid import Grid, RowText, column_name
from inglenook_office.ole import OLE_MAGIC, container_of, decrypted_old, stream_of
from inglenook_office.outcome import damaged_notice, hidden_sheet, sheet_notices, without_text
from inglenook_office.package import file_head
from inglenook_office.sheet_text import SheetText
from inglenook_office.xls_workbook import OldSheet, OldWorkbook, SheetPlace, has_password
from inglenook_office.xlsx_loader import XlsxLoader

__all__ = ["XlsLoader"]

_STREAMS = ("Workbook", "Book")


class XlsLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield a section for each run of rows.

        Raises `LoadError`: unreadable, broken, encrypted, too large, no text.
        """
        is_old = file_head(request).startswith(OLE_MAGIC)
        container = container_of(request) if is_old else None
        if container is None:
            yield from XlsxLoader(self._options).load(request, cancel)
            return
        stream = stream_of(container, _STREAMS, request)
        if has_password(stream):
            stream = stream_of(decrypted_old(container, request), _STREAMS, request)
        yield from _read(stream, request, cancel)


def _read(stream: bytes, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
    try:
        workbook = OldWorkbook(stream, Budget(request))
    except ValueError as error:
        raise LoadError(
            f"{request.name} is damaged or not an Excel workbook: {error}.",
            reason="broken",
            hint="Open it in the program that made it and save it again.",
        ) from error
    notices: list[Notice] = []
    if workbook.texts_lost:
        notices.append(damaged_notice("its list of texts ends too early"))
    budget, read_budget, found = Budget(request), Budget(request), False
    for place in workbook.sheets:
        if cancel.cancelled:
            raise Cancelled
        if place.is_hidden:
            notices.append(hidden_sheet(place.name))
            continue
        sheet = OldSheet(stream, place, workbook, read_budget)
        for section in _sections(sheet, place, SheetText(place.name, budget), cancel):
            found = True
            yield section
        notices += sheet_notices(
            place.name,
            hidden_rows=sheet.rows.hidden_rows,
            hidden_cells=sheet.rows.hidden_cells,
            texts_missing=sheet.texts_missing,
        )
        if sheet.is_cut_off:
            notices.append(damaged_notice(f"sheet {place.name}: it ends too early"))
    if not found:
        raise without_text(request.name, notices, has_pictures=False)
    yield from notices


def _sections(
    sheet: OldSheet, place: SheetPlace, text: SheetText, cancel: CancelToken
) -> Iterator[Section]:
    grid = Grid()
    if place.is_worksheet:
        for _ in sheet.read():
            if cancel.cancelled:
                raise Cancelled
            for row in sheet.rows.take():
                for line in grid.add(row):
                    yield from text.add(line)
    for line in grid.end():
        yield from text.add(line)
    for (number, column), comment in sorted(sheet.comments.items()):
        yield from text.add(RowText(f"{column_name(column)}{number}: {comment}"))
    for box in sheet.boxes:
        yield from text.add(RowText(box))
    yield from text.end()
