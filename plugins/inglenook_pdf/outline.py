"""The headings of pages, from a PDF's outline (its bookmarks)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["MOST_ENTRIES", "Entry", "page_headings"]

MOST_ENTRIES = 20_000
"""An outline may be endless or go round in circles; what follows is left out."""

_DEEPEST = 15
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A bookmark: how deep it stands (0 is outermost), and its page from 1, if it has one."""

    title: str
    level: int
    page: int | None


def page_headings(entries: Iterable[Entry], page_count: int) -> Mapping[int, tuple[str, ...]]:
    """Page number (from 1) -> titles, outermost first: what begins on it, else what goes on."""
    begins: dict[int, tuple[str, ...]] = {}
    goes_on: dict[int, tuple[str, ...]] = {}
    path: tuple[str, ...] = ()
    for entry in entries:
        level = min(entry.level, _DEEPEST)
        title = " ".join(entry.title.split())[:_LONGEST_TITLE]
        path = (*path[:level], *[""] * (level - len(path)), title)
        if entry.page is not None and title:
            begins.setdefault(entry.page, _shown(path))
            goes_on[entry.page] = _shown(path)
    headings: dict[int, tuple[str, ...]] = {}
    current: tuple[str, ...] = ()
    for number in range(1, page_count + 1):
        headings[number] = begins.get(number, current)
        current = goes_on.get(number, current)
    return headings


def _shown(path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(title for title in path if title)
