"""The loader `xlsx`: workbooks, each sheet a place, its rows as `header: value` lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section
from inglenook_office.ole import OLE_MAGIC, container_of
from inglenook_office.outcome import misnamed
from inglenook_office.package import Package, file_head, opened_package
from inglenook_office.relations import main_part
from inglenook_office.xlsb_workbook import BinaryWorkbookReader
from inglenook_office.xlsx_workbook import WorkbookReader

__all__ = ["XlsxLoader"]

_XML, _BINARY = "xl/workbook.xml", "xl/workbook.bin"


class XlsxLoader:
    """Implements `protocols.Loader`, for workbooks in XML and for binary ones (.xlsb)."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield a section for each run of rows.

        Raises `LoadError`: unreadable, broken, unsupported, encrypted, too large, no text.
        """
        if file_head(request).startswith(OLE_MAGIC) and container_of(request) is not None:
            from inglenook_office.xls_loader import XlsLoader

            yield from XlsLoader(self._options).load(request, cancel)
            return
        with opened_package(request) as package:
            yield from _reader(package, request, cancel).read()


def _reader(package: Package, request: LoadRequest, cancel: CancelToken) -> WorkbookReader:
    part = main_part(package, _BINARY if _BINARY in package else _XML, cancel)
    if part not in package:
        raise misnamed(package, "an Excel workbook")
    if part.endswith(".bin"):
        return BinaryWorkbookReader(package, part, request, cancel)
    return WorkbookReader(package, part, request, cancel)
