"""What both loaders do with an open PDF: its pages in order, and what was wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inglenook.errors import Cancelled
from inglenook.types import CancelToken, LoadRequest, Locator, Notice, PartFile, Section
from inglenook_pdf.extras import with_notes
from inglenook_pdf.garbled import is_garbled
from inglenook_pdf.page_text import readable
from inglenook_pdf.refusals import (
    broken,
    needs_recognition,
    too_many_characters,
    too_many_pages,
)

__all__ = ["Document", "OutlineUnreadable", "Page", "PageGarbled", "PageUnreadable", "read_pages"]

_MOST_PAGES = 100_000
_MOST_UNREADABLE_TOLD = 100


class OutlineUnreadable(Exception):
    """The outline is damaged; the pages can be read all the same."""


class PageUnreadable(Exception):
    """One page is damaged."""


class PageGarbled(Exception):
    """The fonts of one page do not say which characters they show."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a library found on a page.

    Args:
        text: The text as the library gives it.
        notes: What is on the page but not in its text, such as comments.
        is_blank: Whether nothing at all is drawn on it, neither text nor pictures.
    """

    text: str
    notes: Sequence[str] = ()
    is_blank: bool = False


class Document(Protocol):
    """An open PDF file, whichever library opened it."""

    @property
    def page_count(self) -> int:
        """How many pages it says that it has."""

    @property
    def lines_are_whole(self) -> bool:
        """Whether lines of Hebrew come as they are on the page, not in pieces."""

    def headings(self) -> Mapping[int, tuple[str, ...]]:
        """The headings of each page, from 1. Raises `OutlineUnreadable`."""

    def page(self, number: int, most_characters: int) -> Page:
        """A page, from 1. Raises `PageUnreadable`, `PageGarbled`.

        Of a text that is longer than `most_characters` as much will do: it is refused anyhow.
        """

    def remainder(self, request: LoadRequest) -> Iterator[PartFile | Notice]:
        """The files inside the file, and what is to be said at its end."""


@dataclass(slots=True)
class _Tally:
    texts: int = 0
    characters: int = 0
    blank: int = 0
    garbled: int = 0
    unreadable: int = 0
    parts: int = 0


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
    tally = _Tally()
    for number in _wanted(request, page_count):
        if cancel.cancelled:
            raise Cancelled
        try:
            text = _text(document, number, request, tally)
        except PageUnreadable as error:
            tally.unreadable += 1
            if tally.unreadable <= _MOST_UNREADABLE_TOLD:
                yield _notice("page-unreadable", number, f"could not be read: {error}")
        except PageGarbled:
            tally.garbled += 1
            yield _notice(
                "garbled-text", number, "left out, its fonts hide which letters they show"
            )
        else:
            if text:
                yield Section(text, Locator("page", number), headings.get(number, ()))
            else:
                yield _notice("page-without-text", number, "no text")
    yield from _rest(document, request, tally)
    _refuse_without_text(request, page_count, tally)


def _rest(document: Document, request: LoadRequest, tally: _Tally) -> Iterator[PartFile | Notice]:
    if tally.unreadable > _MOST_UNREADABLE_TOLD:
        more = tally.unreadable - _MOST_UNREADABLE_TOLD
        yield Notice("page-unreadable", f"{more:,} more pages could not be read")
    for part in document.remainder(request):
        tally.parts += isinstance(part, PartFile)
        yield part


def _text(document: Document, number: int, request: LoadRequest, tally: _Tally) -> str:
    page = document.page(number, request.max_characters - tally.characters + 1)
    text = readable(page.text, lines_are_whole=document.lines_are_whole)
    if is_garbled(page.text, text):
        raise PageGarbled
    text = with_notes(text, page.notes)
    tally.texts += bool(text)
    tally.blank += page.is_blank and not text
    tally.characters += len(text)
    if tally.characters > request.max_characters:
        raise too_many_characters(request)
    return text


def _notice(code: str, page: int, message: str) -> Notice:
    return Notice(code, f"page {page}: {message}", page=page)


def _refuse_without_text(request: LoadRequest, page_count: int, tally: _Tally) -> None:
    if tally.texts or tally.parts:
        return
    if not page_count:
        raise broken(request.name, "it has no pages")
    if tally.unreadable:
        raise broken(request.name, f"none of its {page_count:,} page(s) could be read")
    if tally.blank == page_count:
        raise broken(request.name, f"nothing is drawn on its {page_count:,} page(s)")
    raise needs_recognition(request.name, page_count, garbled=tally.garbled > 0)


def _wanted(request: LoadRequest, page_count: int) -> Iterator[int]:
    if not request.pages:
        yield from range(1, page_count + 1)
        return
    yield from sorted(number for number in set(request.pages) if 1 <= number <= page_count)
