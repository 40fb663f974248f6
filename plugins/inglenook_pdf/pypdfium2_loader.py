"""The loader `pypdfium2`: the text layer of PDF pages as PDFium, the reader of Chromium, sees it.

PDFium is C++ and keeps one state a process: pages are opened one at a time and closed at once.
Should it die of a file, the engine restarts its process and asks the next loader.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section
from inglenook_pdf.extras import (
    MOST_ANNOTATIONS,
    attached,
    found_by_search_notice,
    unmapped_notice,
    xfa_notice,
)
from inglenook_pdf.inflation import refuse_bombs
from inglenook_pdf.outline import MOST_ENTRIES, Entry, page_headings
from inglenook_pdf.page_search import saved_pages
from inglenook_pdf.pages import Page, PageGarbled, PageUnreadable, read_pages
from inglenook_pdf.passwords import passwords
from inglenook_pdf.pdfium_text import page_characters
from inglenook_pdf.refusals import (
    broken,
    encrypted,
    missing_library,
    reason_of,
    refuse_unreadable,
)

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

__all__ = ["PdfiumLoader"]

_CHARACTERS_FOR_ONE = 4
"""PDFium's count has blanks and line ends that the repaired text has not."""


class PdfiumLoader:
    """Implements `protocols.Loader`. Each page is a place; offsets count in its text."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield a section for each page with text, a notice for each other one, attached files.

        Raises `LoadError`: unreadable, broken, encrypted, too large, no text: needs OCR.
        """
        with _open(request) as document:
            yield from read_pages(document, request, cancel)


def _source(path: Path) -> Path | bytes:
    """The path, or the bytes of a file that has no name: the binding resolves links first."""
    return path if path.resolve().exists() else path.read_bytes()


@contextmanager
def _open(request: LoadRequest) -> Iterator[_PdfiumDocument]:
    try:
        from pypdfium2 import PdfiumError
    except ImportError as error:
        raise missing_library("pypdfium2") from error
    logging.getLogger("pypdfium2").setLevel(logging.CRITICAL)
    refuse_unreadable(request)
    refuse_bombs(request)
    try:
        pdf, found_by_search = _opened(request)
        with closing(pdf):
            pdf.init_forms()
            yield _PdfiumDocument(pdf, found_by_search=found_by_search)
    except PdfiumError as error:
        raise broken(request.name, reason_of(error)) from error


def _opened(request: LoadRequest) -> tuple[PdfDocument, bool]:
    """The document and whether its pages had to be searched for. Raises `PdfiumError`."""
    from pypdfium2 import PdfDocument, PdfiumError, raw

    for password in passwords(request):
        try:
            return PdfDocument(_source(request.path), password=password), False
        except PdfiumError as error:
            if error.err_code == raw.FPDF_ERR_PASSWORD:
                continue
            saved = saved_pages(request.path)
            if saved is None:
                raise
            return PdfDocument(saved), True
    raise encrypted(request)


class _PdfiumDocument:
    """Implements `pages.Document`."""

    def __init__(self, pdf: PdfDocument, *, found_by_search: bool) -> None:
        self._pdf = pdf
        self._found_by_search = found_by_search
        self._unmapped = 0

    @property
    def page_count(self) -> int:
        return len(self._pdf)

    lines_are_whole = True

    def headings(self) -> Mapping[int, tuple[str, ...]]:
        return page_headings(islice(self._entries(), MOST_ENTRIES), self.page_count)

    def _entries(self) -> Iterator[Entry]:
        for bookmark in self._pdf.get_toc():
            target = bookmark.get_dest()
            index = target.get_index() if target else None
            page = None if index is None else index + 1
            yield Entry(bookmark.get_title(), bookmark.level, page)

    def page(self, number: int, most_characters: int) -> Page:
        with self._page(number) as (page, notes), closing(page.get_textpage()) as textpage:
            if textpage.count_chars() > _CHARACTERS_FOR_ONE * most_characters:
                return Page("." * most_characters)
            found = page_characters(textpage)
            if found.is_garbled:
                raise PageGarbled
            self._unmapped += found.unmapped
            return Page(found.text, notes, is_blank=_is_blank(page))

    @contextmanager
    def _page(self, number: int) -> Iterator[tuple[PdfPage, list[str]]]:
        """An open page, with what its annotations show made part of it, and their comments."""
        from pypdfium2 import PdfiumError, raw

        try:
            page = self._pdf[number - 1]
            annotations = list(_annotations(page))
            if any(
                kind not in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP) for kind, _ in annotations
            ):
                raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
                page.close()
                page = self._pdf[number - 1]
        except PdfiumError as error:
            raise PageUnreadable(reason_of(error)) from error
        with closing(page):
            yield page, [contents for _, contents in annotations if contents]

    def remainder(self, request: LoadRequest) -> Iterator[PartFile | Notice]:
        from pypdfium2 import raw

        if self._pdf.get_formtype() == raw.FORMTYPE_XFA_FULL:
            yield xfa_notice()
        if self._found_by_search:
            yield found_by_search_notice(self.page_count)
        if self._unmapped:
            yield unmapped_notice(self._unmapped)
        yield from attached(self._files(), request)

    def _files(self) -> Iterator[tuple[str, bytes | None]]:
        from pypdfium2 import PdfiumError

        for index in range(self._pdf.count_attachments()):
            try:
                attachment = self._pdf.get_attachment(index)
                yield attachment.get_name(), bytes(attachment.get_data())
            except PdfiumError:
                yield "", None


def _is_blank(page: PdfPage) -> bool:
    from pypdfium2 import raw

    return bool(raw.FPDFPage_CountObjects(page) == 0)


def _annotations(page: PdfPage) -> Iterator[tuple[int, str]]:
    """(kind, comment) of each annotation; those of links and form fields are not the author's."""
    from pypdfium2 import raw

    without_comment = (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP, raw.FPDF_ANNOT_WIDGET)
    for index in range(min(raw.FPDFPage_GetAnnotCount(page), MOST_ANNOTATIONS)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            yield kind, "" if kind in without_comment else _contents(annotation)
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _contents(annotation: Any) -> str:
    from pypdfium2 import raw

    size_bytes = raw.FPDFAnnot_GetStringValue(annotation, b"Contents", None, 0)
    buffer = ctypes.create_string_buffer(size_bytes + 2)
    target = ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR))
    raw.FPDFAnnot_GetStringValue(annotation, b"Contents", target, size_bytes)
    return buffer.raw[:size_bytes].decode("utf-16-le", "replace").rstrip("\0")
