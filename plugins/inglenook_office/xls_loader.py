"""The loader `xls`: binary Excel workbooks, old ones (.xls) and new ones (.xlsb).

The library reads values, not how they look: a share of 0.05 is told as 0.05, not as 5%.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from inglenook.errors import Cancelled, LoadError, MissingDependencyError
from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section
from inglenook_office.biff import has_password, sheet_extent, workbook_extents
from inglenook_office.flow import Budget
from inglenook_office.grid import Grid, GridCell, Row
from inglenook_office.merged import MergedCells
from inglenook_office.number_formats import general
from inglenook_office.ole import OLE_MAGIC, container_of, decrypted_old, stream_of
from inglenook_office.outcome import damaged_notice, without_text
from inglenook_office.package import Package, file_head, opened_package
from inglenook_office.sheet_text import SheetText
from inglenook_office.visible_text import one_line, visible
from inglenook_office.xlsx_loader import XlsxLoader
from inglenook_office.xml_events import DamagedXmlError

__all__ = ["XlsLoader"]

_ROWS_BETWEEN_CHECKS = 1_000
_STREAMS = ("Workbook", "Book")


class XlsLoader:
    """Implements `protocols.Loader`. Each sheet is a place."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield a section for each run of rows.

        Raises `LoadError`: unreadable, broken, unsupported, encrypted, too large, no text.
        """
        notices: list[Notice] = []
        is_old = file_head(request).startswith(OLE_MAGIC)
        data = container_of(request) if is_old else None
        if data is None:
            yield from self._load_package(request, cancel, notices)
            return
        stream = stream_of(data, _STREAMS, request)
        if has_password(stream):
            data = decrypted_old(data, request)
            stream = stream_of(data, _STREAMS, request)
        notices += _look_over(stream, request)
        yield from _read(data, request, cancel, notices)

    def _load_package(
        self, request: LoadRequest, cancel: CancelToken, notices: list[Notice]
    ) -> Iterator[Section | PartFile | Notice]:
        """Read a zip file: a binary workbook, or one that should have been called .xlsx."""
        with opened_package(request) as package:
            is_binary = "xl/workbook.bin" in package
            if is_binary:
                notices += _look_over_parts(package)
                source = package.source
                data = source.getvalue() if isinstance(source, io.BytesIO) else source.read_bytes()
        if is_binary:
            yield from _read(data, request, cancel, notices)
        else:
            yield from XlsxLoader(self._options).load(request, cancel)


def _look_over(stream: bytes, request: LoadRequest) -> list[Notice]:
    """Refuse what would not fit into memory; say what will not be read."""
    has_boxes = False
    try:
        for extent in workbook_extents(stream):
            extent.refuse_too_large(request.name)
            has_boxes = has_boxes or extent.has_boxes
    except ValueError as error:
        raise _broken(request, error) from error
    return [_not_read()] if has_boxes else []


def _look_over_parts(package: Package) -> list[Notice]:
    for part in package:
        if part.startswith("xl/worksheets/") and part.endswith(".bin"):
            try:
                with package.opened(part) as stream:
                    sheet_extent(stream).refuse_too_large(package.name)
            except DamagedXmlError:
                continue
    has_boxes = any(part.startswith(("xl/comments", "xl/drawings/")) for part in package)
    return [_not_read()] if has_boxes else []


def _not_read() -> Notice:
    return Notice(
        "parts-not-read",
        "comments, text boxes and charts of a binary workbook were not read; save it as .xlsx",
    )


def _read(
    data: bytes, request: LoadRequest, cancel: CancelToken, notices: list[Notice]
) -> Iterator[Section | Notice]:
    calamine = _library()
    budget = Budget(request)
    found = False
    try:
        workbook = _tried(lambda: calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)))
        entries = _tried(lambda: list(enumerate(workbook.sheets_metadata)))
    except _DamagedError as error:
        raise _broken(request, error) from error
    for place, entry in entries:
        if cancel.cancelled:
            raise Cancelled
        name = one_line(entry.name) or f"Sheet{place + 1}"
        if entry.visible != calamine.SheetVisibleEnum.Visible:
            notices.append(Notice("hidden-sheet", f"sheet {name} is hidden and was left out"))
            continue
        try:
            for section in _sections(workbook, place, SheetText(name, budget), cancel):
                found = True
                yield section
        except _DamagedError as error:
            notices.append(damaged_notice(f"sheet {name}: {error}"))
    if not found:
        raise without_text(request.name, notices, has_pictures=False)
    yield from notices


class _DamagedError(Exception):
    """The library cannot read this."""


def _tried(read: Callable[[], Any]) -> Any:
    """What the library returns. Raises `_DamagedError` for whatever a damaged file breaks in it.

    The library is written in Rust; its panics are no `Exception`.
    """
    try:
        return read()
    except Exception as error:
        raise _DamagedError(type(error).__name__) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise _DamagedError(type(error).__name__) from error


def _sections(workbook: Any, place: int, text: SheetText, cancel: CancelToken) -> Iterator[Section]:
    grid = Grid()
    sheet = _tried(lambda: workbook.get_sheet_by_index(place))
    ranges = _tried(lambda: sheet.merged_cell_ranges) or ()
    merged = MergedCells([(a[0] + 1, a[1], b[0] + 1, b[1]) for a, b in ranges])
    rows = iter(_tried(sheet.iter_rows))
    number = 0
    while (values := _tried(lambda: next(rows, None))) is not None:
        number += 1
        if not number % _ROWS_BETWEEN_CHECKS and cancel.cancelled:
            raise Cancelled
        cells = merged.filled(number, _cells(values))
        if cells:
            for line in grid.add(Row(number, cells)):
                yield from text.add(line)
    for line in grid.end():
        yield from text.add(line)
    yield from text.end()


def _cells(values: Sequence[object]) -> dict[int, GridCell]:
    cells = ((column, value) for column, value in enumerate(values) if value not in ("", None))
    shown = ((column, _shown(value), isinstance(value, str)) for column, value in cells)
    return {column: GridCell(text, is_text) for column, text, is_text in shown if text}


def _shown(value: object) -> str:
    if isinstance(value, str):
        return visible(value).strip()
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        text = value.strftime("%Y-%m-%d %H:%M:%S")
        return text.removesuffix(" 00:00:00").removesuffix(":00") if " " in text else text
    if isinstance(value, datetime.timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    if isinstance(value, int | float):
        return general(repr(value))
    return str(value)


def _broken(request: LoadRequest, error: Exception) -> LoadError:
    return LoadError(
        f"{request.name} is damaged or not an Excel workbook ({error}).",
        reason="broken",
        hint="Open it in the program that made it and save it again.",
    )


def _library() -> Any:
    try:
        import python_calamine
    except ImportError as error:
        raise MissingDependencyError(
            "Reading .xls and .xlsb files needs the library python-calamine, which is not"
            " installed.",
            hint="Install it: pip install 'inglenook[office]'",
        ) from error
    return python_calamine
