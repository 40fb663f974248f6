"""The loader `pypdf`: the text layer of PDF pages, numbered from 1 as viewers count them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from inglenook.errors import LoadError
from inglenook.types import CancelToken, LoadRequest, Notice, PartFile, Section
from inglenook_pdf.extras import MOST_ANNOTATIONS, attached
from inglenook_pdf.font_tally import FontTally
from inglenook_pdf.inflation import refuse_bombs
from inglenook_pdf.outline import MOST_ENTRIES, Entry, page_headings
from inglenook_pdf.pages import OutlineUnreadable, Page, PageGarbled, PageUnreadable, read_pages
from inglenook_pdf.passwords import passwords
from inglenook_pdf.refusals import (
    broken,
    encrypted,
    missing_library,
    reason_of,
    refuse_unreadable,
)

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

__all__ = ["PdfLoader"]

_PAINTS = re.compile(rb"(?<![^\s\]>)])(?:Do|sh|EI|S|s|f\*?|F|B\*?|b\*?|Tj|TJ|'|\")(?![^\s\[<(/])")
_WITHOUT_COMMENT = ("/Link", "/Popup")


class PdfLoader:
    """Implements `protocols.Loader`. Each page is a place; offsets count in its text."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(
        self, request: LoadRequest, cancel: CancelToken
    ) -> Iterator[Section | PartFile | Notice]:
        """Yield a section for each page with text, a notice for each other one, attached files.

        Raises `LoadError`: unreadable, broken, encrypted, too large, no text: needs OCR.
        """
        yield from read_pages(_PypdfDocument(*_open(request)), request, cancel)


def _open(request: LoadRequest) -> tuple[PdfReader, int]:
    try:
        from pypdf import PdfReader
        from pypdf.errors import DependencyError, FileNotDecryptedError
    except ImportError as error:
        raise missing_library("pypdf") from error
    _silence()
    refuse_unreadable(request)
    refuse_bombs(request)
    try:
        reader = PdfReader(request.path, strict=False)
        if reader.is_encrypted and not any(map(reader.decrypt, passwords(request))):
            raise encrypted(request)
        return reader, len(reader.pages)
    except (DependencyError, FileNotDecryptedError) as error:
        raise LoadError(
            f"{request.name} is encrypted in a way that cannot be opened here"
            f" ({reason_of(error)}).",
            reason="encrypted",
            hint="For AES encryption: pip install cryptography",
        ) from error
    except LoadError:
        raise
    except Exception as error:
        # pypdf raises what a broken file happens to break: KeyError, RecursionError, ….
        raise broken(request.name, reason_of(error)) from error


class _PypdfDocument:
    """Implements `pages.Document`."""

    lines_are_whole = False

    def __init__(self, reader: PdfReader, page_count: int) -> None:
        self._reader = reader
        self.page_count = page_count

    def headings(self) -> Mapping[int, tuple[str, ...]]:
        try:
            return page_headings(islice(self._entries(), MOST_ENTRIES), self.page_count)
        except Exception as error:
            # pypdf raises what a broken outline happens to break.
            raise OutlineUnreadable(reason_of(error)) from error

    def _entries(self) -> Iterator[Entry]:
        """A nested list holds the children of the entry before it."""
        numbers = {
            page.indirect_reference.idnum: number
            for number, page in enumerate(self._reader.pages, start=1)
            if page.indirect_reference is not None
        }
        waiting: list[Iterator[Any]] = [iter(self._reader.outline)]
        while waiting:
            entry = next(waiting[-1], None)
            if entry is None:
                waiting.pop()
            elif isinstance(entry, list):
                waiting.append(iter(entry))
            else:
                page = numbers.get(getattr(entry.page, "idnum", -1))
                yield Entry(str(entry.title or ""), len(waiting) - 1, page)

    def page(self, number: int, most_characters: int) -> Page:
        del most_characters  # pypdf has limits of its own
        fonts = FontTally()
        try:
            page = self._reader.pages[number - 1]
            text = page.extract_text(visitor_text=fonts.visit)
            found = Page(text, tuple(_notes(page)), is_blank=not text and _is_blank(page))
        except Exception as error:
            # pypdf raises what a broken page happens to break; the other pages go on.
            raise PageUnreadable(reason_of(error)) from error
        if fonts.are_without_map:
            raise PageGarbled
        return found

    def remainder(self, request: LoadRequest) -> Iterator[PartFile | Notice]:
        yield from attached(self._files(), request)

    def _files(self) -> Iterator[tuple[str, bytes | None]]:
        try:
            for attachment in self._reader.attachment_list:
                yield attachment.name, attachment.content
        except Exception:  # noqa: BLE001 - see `_open`
            yield "", None


def _is_blank(page: PageObject) -> bool:
    """Whether its content paints nothing."""
    contents = page.get_contents()
    return contents is None or not _PAINTS.search(contents.get_data())


def _notes(page: PageObject) -> Iterator[str]:
    """What is filled into the form fields of a page, and the comments on it."""
    for reference in islice(page.annotations or (), MOST_ANNOTATIONS):
        annotation = reference.get_object()
        kind = annotation.get("/Subtype")
        if kind == "/Widget":
            parent = annotation.get("/Parent")
            value = annotation.get("/V") or (parent.get_object().get("/V") if parent else None)
            yield value if isinstance(value, str) and not value.startswith("/") else ""
        elif kind not in _WITHOUT_COMMENT:
            yield str(annotation.get("/Contents") or "")


def _silence() -> None:
    """Keep pypdf's warnings off the terminal: what matters becomes a notice."""
    log = logging.getLogger("pypdf")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())
