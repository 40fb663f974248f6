"""A splitter that cuts at lines and nothing else, for tests of what surrounds splitting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from inglenook.types import ChunkText, Locator, Section

__all__ = ["FakeSplitter"]


class FakeSplitter:
    """Implements `protocols.Splitter`; halves what does not fit."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        del options

    def split(
        self, section: Section, max_tokens: int, count: Callable[[Sequence[str]], list[int]]
    ) -> Iterator[ChunkText]:
        waiting = [(0, len(section.text))]
        while waiting:
            start, end = waiting.pop()
            part = section.text[start:end]
            start += len(part) - len(part.lstrip())
            end -= len(part) - len(part.rstrip())
            if start >= end:
                continue
            if end - start == 1 or count([section.text[start:end]])[0] <= max_tokens:
                yield _chunk(section, start, end)
                continue
            middle = (start + end) // 2
            cut = section.text.find("\n", middle, end)
            cut = middle if cut < 0 else cut
            waiting += [(cut, end), (start, cut)]


def _chunk(section: Section, start: int, end: int) -> ChunkText:
    place = section.locator
    if place.kind == "line" and isinstance(place.value, int):
        place = Locator("line", place.value + section.text.count("\n", 0, start))
    return ChunkText(
        section.text[start:end],
        section.start + start,
        section.start + end,
        place,
        section.headings,
    )
