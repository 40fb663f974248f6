"""What both loaders do with an open PDF: its pages in order, and what was wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from inglenook.errors import Cancelled
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, PartFile, Section
from inglenook_pdf.page_text import is_garbled
from inglenook_pdf.refusals import (
    broken,
    needs_recognition,
    too_many_characters,
    too_many_pages,
)

__all__ = ["Document", "OutlineUnreadable", "PageGarbled", "PageUnreadable", "read_pages"]

_MOST_PAGES = 100_000
_MOST_UNREADABLE_TOLD = 100


class OutlineUnreadable(Exception):
    """The outline is damaged; the pages can be read all the same."""


class PageUnreadable(Exception):
    """One page is damaged."""


class PageGarbled(Exception):
    """The fonts of one page do not say which characters they show."""


class Document(Protocol):
    """An open PDF file, whichever library opened it."""

    @property
    def page_count(self) -> int:
        """How many pages it says that it has."""

    def headings(self) -> Mapping[int, tuple[str, ...]]:
        """The headings of each page, from 1. Raises `OutlineUnreadable`."""

    def text(self, number: int, most_characters: int) -> str:
        """The repaired text of a page, from 1; "" if it has none.

        What is longer than `most_characters` may be cut there: it is refused anyhow. Raises
        `PageUnreadable`, `PageGarbled`.
        """

    def attachments(self, request: LoadRequest) -> Iterator[PartFile | Notice]:
        """The files inside the file."""


def read_pages(
    document: Document, request: LoadRequest, cancel: CancelToken
) -> Iterator[Section | PartFile | Notice]:
    """Yield a section for each page with text, a notice for each other one, then attachments.

    Raises `LoadError`: broken, too large, no text: needs OCR; `Cancelled`.
    """
    page_count = document.page_count
    if page_count > _MOST_PAGES:
        raise too_many_pages(request.name, page_count, _MOST_PAGES)
    headings: Mapping[int, tuple[str, ...]] = {}
    try:
        headings = document.headings()
    except OutlineUnreadable as error:
        yield Notice("outline-unreadable", f"the bookmarks could not be read: {error}")
    characters, texts, garbled, unreadable, parts = 0, 0, 0, 0, 0
    for number in _wanted(request, page_count):
        if cancel.cancelled:
            raise Cancelled
        try:
            text = document.text(number, request.max_characters - characters + 1)
            if is_garbled(text):
                raise PageGarbled
        except PageUnreadable as error:
            unreadable += 1
            if unreadable <= _MOST_UNREADABLE_TOLD:
                yield Notice("page-unreadable", f"page {number}: could not be read: {error}")
            continue
        except PageGarbled:
            garbled += 1
            yield Notice(
                "garbled-text",
                f"page {number}: left out, its fonts do not say which letters they show",
                page=number,
            )
            continue
        if not text:
            yield Notice("page-without-text", f"page {number}: no text", page=number)
            continue
        characters += len(text)
        if characters > request.max_characters:
            raise too_many_characters(request)
        texts += 1
        yield Section(text, Locator("page", number), headings.get(number, ()))
    if unreadable > _MOST_UNREADABLE_TOLD:
        more = unreadable - _MOST_UNREADABLE_TOLD
        yield Notice("page-unreadable", f"{more:,} more pages could not be read")
    for part in document.attachments(request):
        parts += isinstance(part, PartFile)
        yield part
    if texts or parts:
        return
    if not page_count:
        raise broken(request.name, "it has no pages")
    if unreadable:
        raise broken(request.name, f"none of its {page_count:,} page(s) could be read")
    raise needs_recognition(request.name, page_count, garbled=garbled > 0)


def _wanted(request: LoadRequest, page_count: int) -> Iterator[int]:
    if not request.pages:
        yield from range(1, page_count + 1)
        return
    yield from sorted(number for number in set(request.pages) if 1 <= number <= page_count)
