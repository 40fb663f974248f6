"""Makes sections of a text that is one place: slices with their line and their headings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inglenook.errors import Cancelled
from inglenook.types import CancelToken, Locator, Section

__all__ = ["Heading", "sections_by_heading", "spans"]

_MOST_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading whose line begins at `start` and whose next line begins at `end`."""

    start: int
    end: int
    level: int
    title: str


def sections_by_heading(
    text: str, headings: Iterable[Heading], cancel: CancelToken
) -> Iterator[Section]:
    """Yield `text[a:b]` for each heading and what stands below it, in order and without a gap.

    A heading with nothing below it goes on into the next section; a very long section is cut at
    blank lines.
    """
    lines = _Lines(text)
    for start, end, path in spans(text, headings, []):
        for first, last in _windows(text, start, end):
            if cancel.cancelled:
                raise Cancelled
            yield Section(text[first:last], Locator("line", lines.number(first)), path, first)


def spans(
    text: str, headings: Iterable[Heading], path: list[Heading]
) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Where each heading and what stands below it begins and ends, with its path of titles.

    `path` holds the headings in force before the text, and after it those at its end.
    """
    start, body = 0, 0
    for heading in headings:
        if text[body : heading.start].strip():
            yield start, heading.start, tuple(entry.title for entry in path)
            start = heading.start
        path[:] = [entry for entry in path if entry.level < heading.level]
        path.append(heading)
        body = heading.end
    yield start, len(text), tuple(entry.title for entry in path)


def _windows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > _MOST_CHARACTERS:
        cut = _good_cut(text, start + _MOST_CHARACTERS // 2, start + _MOST_CHARACTERS)
        yield from _trimmed(text, start, cut)
        start = cut
    yield from _trimmed(text, start, end)


def _good_cut(text: str, low: int, high: int) -> int:
    for mark in ("\n\n", "\n", " "):
        found = text.rfind(mark, low, high)
        if found >= 0:
            return found
    return high


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    part = text[start:end]
    if part.strip():
        yield start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())


class _Lines:
    """Counts lines from 1, each only once, for offsets that grow."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._offset = 0
        self._line = 1

    def number(self, offset: int) -> int:
        self._line += self._text.count("\n", self._offset, offset)
        self._offset = offset
        return self._line
