"""Which bytes of a file are there: spans (begin, end), end excluded, sorted and apart."""

from __future__ import annotations

import bisect
from collections.abc import Iterable

__all__ = ["Span", "Spans"]

Span = tuple[int, int]


class Spans:
    """A set of bytes."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans: list[Span] = []
        for begin, end in spans:
            self.add(begin, end)

    def add(self, begin: int, end: int) -> None:
        """Take these bytes in. Raises `ValueError` for what is no span."""
        if not 0 <= begin <= end:
            raise ValueError(f"({begin}, {end}) is no span")
        if begin == end:
            return
        first = bisect.bisect_left(self._spans, begin, key=lambda span: span[1])
        last = bisect.bisect_right(self._spans, end, key=lambda span: span[0])
        if first < last:
            begin = min(begin, self._spans[first][0])
            end = max(end, self._spans[last - 1][1])
        self._spans[first:last] = [(begin, end)]

    def missing(self, size: int) -> tuple[Span, ...]:
        """What is not there of the first `size` bytes."""
        at, gaps = 0, []
        for begin, end in self._spans:
            if begin > at:
                gaps.append((at, min(begin, size)))
            at = max(at, end)
        if at < size:
            gaps.append((at, size))
        return tuple(gap for gap in gaps if gap[0] < gap[1])

    @property
    def total(self) -> int:
        """How many bytes are there."""
        return sum(end - begin for begin, end in tuple(self._spans))

    @property
    def all(self) -> tuple[Span, ...]:
        return tuple(self._spans)
