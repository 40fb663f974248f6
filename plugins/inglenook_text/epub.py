"""The loader `epub`: e-books, in reading order, a section for each heading.

The text of the whole book is one place. Chapters without headings of their own get those of the
table of contents.
"""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from inglenook.containers import measured_zip
from inglenook.errors import Cancelled, LoadError
from inglenook.types import PART_FAILED, CancelToken, LoadRequest, Locator, Notice, Section
from inglenook_text.decoding import decoded
from inglenook_text.epub_package import Book, find_book, read_member
from inglenook_text.html import PageReader, declared_encoding, page_sections

__all__ = ["EpubLoader"]

_PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".svg")


class EpubLoader:
    """Implements `protocols.Loader`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section with title and authors, then one for each heading.

        Raises `LoadError`: as `containers.measured_zip`, encrypted for copy protection, broken,
        no text: needs OCR for a book of pictures, too large.
        """
        _refuse_empty(request)
        with measured_zip(request) as archive:
            book = find_book(archive)
            yield from book.notices
            if book.sealed.intersection(book.chapters):
                raise LoadError(
                    f"{request.name} is protected against copying and cannot be read here.",
                    reason="encrypted",
                    hint="Ask its publisher for a copy without protection.",
                )
            reader = PageReader()
            reader.title = book.title
            failures = yield from _read_chapters(reader, book, archive, request, cancel)
            has_pictures = any(name.lower().endswith(_PICTURES) for name in archive.namelist())
        if reader.hidden:
            yield Notice("hidden-text", f"{reader.hidden} hidden element(s) were left out")
        title = "\n".join(filter(None, [book.title, ", ".join(book.creators)]))
        sections = page_sections(reader, len(title) + 2 if title else 0, book.language)
        first = next(sections, None)
        if first is None:
            raise _without_text(request, failures, has_pictures)
        if title:
            headings = (book.title,) if book.title else ()
            place = Locator("section", book.title) if book.title else Locator("whole", "")
            yield Section(title, place, headings, 0, book.language)
        yield first
        yield from sections


def _read_chapters(
    reader: PageReader,
    book: Book,
    archive: zipfile.ZipFile,
    request: LoadRequest,
    cancel: CancelToken,
) -> Generator[Notice, None, int]:
    """Read all chapters into the reader; gives how many could not be read."""
    characters, failures = 0, 0
    for name in book.chapters:
        if cancel.cancelled:
            raise Cancelled
        data = read_member(archive, name)
        if data is None:
            failures += 1
            yield Notice(PART_FAILED, f"{name}: broken: its bytes are damaged or too many")
            continue
        try:
            page = decoded(data, name, declared_encoding(data))
        except LoadError as error:
            failures += 1
            yield Notice(PART_FAILED, f"{name}: broken: {error.message}")
            continue
        yield from (Notice(said.code, f"{name}: {said.message}") for said in page.notices)
        characters += len(page.text)
        if characters > request.max_characters:
            raise LoadError(
                f"{request.name} has more than {request.max_characters:,} characters.",
                reason="too large",
            )
        reader.read_page(page.text, cancel, book.outlines.get(name))
    return failures


def _refuse_empty(request: LoadRequest) -> None:
    try:
        size = request.path.stat().st_size
    except OSError as error:
        raise LoadError(
            f"{request.name} cannot be read: {error.strerror or error}.", reason="unreadable"
        ) from error
    if not size:
        raise LoadError(f"{request.name} is empty (0 bytes).", reason="broken")


def _without_text(request: LoadRequest, failures: int, has_pictures: bool) -> LoadError:
    if failures:
        return LoadError(f"{request.name}: none of its pages can be read.", reason="broken")
    if has_pictures:
        return LoadError(f"{request.name} has pictures but no text.", reason="no text: needs OCR")
    return LoadError(f"{request.name} is no e-book: it holds no pages with text.", reason="broken")
