"""The headings of pages, from a PDF's outline (its bookmarks)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdf import PdfReader

__all__ = ["OutlineUnreadable", "page_headings"]

_MOST_ENTRIES = 20_000
_LONGEST_TITLE = 200


class OutlineUnreadable(Exception):
    """The outline is damaged; the pages can be read all the same."""


def page_headings(reader: PdfReader, page_count: int) -> Mapping[int, tuple[str, ...]]:
    """Page number (from 1) -> titles, outermost first: what begins on it, else what goes on.

    Raises `OutlineUnreadable`.
    """
    begins: dict[int, tuple[str, ...]] = {}
    goes_on: dict[int, tuple[str, ...]] = {}
    try:
        for page, path in _entries(reader):
            begins.setdefault(page, path)
            goes_on[page] = path
    except Exception as error:
        # pypdf raises what a broken outline happens to break.
        raise OutlineUnreadable(str(error) or type(error).__name__) from error
    headings: dict[int, tuple[str, ...]] = {}
    current: tuple[str, ...] = ()
    for number in range(1, page_count + 1):
        headings[number] = begins.get(number, current)
        current = goes_on.get(number, current)
    return headings


def _entries(reader: PdfReader) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(page, path of titles) for each entry, in order. A nested list holds an entry's children."""
    numbers = _page_numbers(reader)
    waiting: list[tuple[Iterator[Any], tuple[str, ...]]] = [(iter(reader.outline), ())]
    last: tuple[str, ...] = ()
    for _ in range(_MOST_ENTRIES):
        while waiting:
            entries, parents = waiting[-1]
            entry = next(entries, None)
            if entry is not None:
                break
            waiting.pop()
        else:
            return
        if isinstance(entry, list):
            waiting.append((iter(entry), last))
            continue
        last = (*parents, " ".join(str(entry.title or "").split())[:_LONGEST_TITLE])
        target = getattr(entry.page, "idnum", None)
        if target in numbers and last[-1]:
            yield numbers[target], last


def _page_numbers(reader: PdfReader) -> dict[Any, int]:
    return {
        page.indirect_reference.idnum: number
        for number, page in enumerate(reader.pages, start=1)
        if page.indirect_reference is not None
    }
