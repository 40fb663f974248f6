"""The splitter `sentences`: packs whole sentences into chunks and ends them at good places."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from inglenook.types import ChunkText, Locator, Section
from inglenook_sentences.boundaries import Break, Unit, units_of
from inglenook_sentences.pieces import Count, Piece, costs, halves, measure

__all__ = ["SentenceSplitter"]

_DEFAULT_MAX_TOKENS = 180
_LEAST_FILL = 0.5


class SentenceSplitter:
    """Implements `protocols.Splitter`."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._max_tokens = int(options.get("max_tokens") or _DEFAULT_MAX_TOKENS)
        self._overlap_tokens = int(options.get("overlap_tokens") or 0)

    def split(self, section: Section, max_tokens: int, count: Count) -> Iterator[ChunkText]:
        """Yield the chunks; a limit below the tokens of one character cannot be kept."""
        limit = max(1, min(max_tokens, self._max_tokens))
        text = section.text
        pieces = measure(text, units_of(text), limit, count)
        packed = _pack(pieces, limit, min(self._overlap_tokens, limit // 2))
        lines = _LineCounter(section)
        spans = list(_fitting(text, list(packed), limit, count))
        for (start, end), following in zip(spans, [*spans, (len(text), 0)][1:], strict=True):
            if following[0] <= start:
                continue  # The end of a halved chunk, which the next one repeats and more.
            yield ChunkText(
                text=text[start:end],
                start=section.start + start,
                end=section.start + end,
                locator=lines.locator_at(start),
                headings=section.headings,
            )


def _pack(pieces: Sequence[Piece], limit: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Yield offsets of chunks, as full as good places to end them allow."""
    sums = [0, *accumulate(piece.cost for piece in pieces)]
    first, fresh = 0, 0
    while fresh < len(pieces):
        cut = _cut_after(pieces, sums, first, fresh, limit)
        yield pieces[first].start, pieces[cut - 1].end
        first, fresh = _overlapped(pieces, sums, cut, first, limit, overlap), cut


def _cut_after(
    pieces: Sequence[Piece], sums: Sequence[int], first: int, fresh: int, limit: int
) -> int:
    """The index of the first piece that the chunk from `first` does not hold."""
    furthest = max(fresh + 1, bisect_right(sums, sums[first] + limit) - 1)
    if furthest >= len(pieces):
        return len(pieces)
    rest = sums[-1] - sums[first]
    if rest <= 2 * limit:
        # The last two chunks share what is left, so that the last one is not a scrap.
        nearest = bisect_left(sums, sums[-1] - limit)
        wanted = sums[first] + rest / 2
    else:
        nearest = bisect_left(sums, sums[first] + limit * _LEAST_FILL)
        wanted = sums[first] + limit
    candidates = range(min(max(fresh + 1, nearest), furthest), furthest + 1)
    return max(candidates, key=lambda cut: (pieces[cut].before, -abs(sums[cut] - wanted)))


def _overlapped(
    pieces: Sequence[Piece], sums: Sequence[int], cut: int, first: int, limit: int, overlap: int
) -> int:
    """Where the next chunk begins: `cut`, or some sentences of the same paragraph before it."""
    if not overlap or cut >= len(pieces):
        return cut
    begin = cut
    while (
        begin - 1 > first
        and pieces[begin].before <= Break.SENTENCE
        and sums[cut] - sums[begin - 1] <= overlap
        and sums[cut + 1] - sums[begin - 1] <= limit
    ):
        begin -= 1
    return begin


def _fitting(
    text: str, chunks: Sequence[tuple[int, int]], limit: int, count: Count
) -> Iterator[tuple[int, int]]:
    """Halve the chunks whose joined text costs more than their pieces did apart.

    That happens with tokenizers for which blanks and line ends are tokens.
    """
    found = costs([text[start:end] for start, end in chunks], count)
    for (start, end), cost in zip(chunks, found, strict=True):
        if cost <= limit or end - start == 1:
            yield start, end
        else:
            parts = halves(text, Unit(start, end, Break.INSIDE))
            yield from _fitting(text, [(part.start, part.end) for part in parts], limit, count)


class _LineCounter:
    """Turns offsets into locators, counting the lines only once."""

    def __init__(self, section: Section) -> None:
        self._section = section
        self._offset = 0
        self._lines = 0

    def locator_at(self, offset: int) -> Locator:
        place = self._section.locator
        if place.kind != "line" or not isinstance(place.value, int):
            return place
        if offset < self._offset:
            self._offset, self._lines = 0, 0
        self._lines += self._section.text.count("\n", self._offset, offset)
        self._offset = offset
        return replace(place, value=place.value + self._lines)
