"""Measures the units of a text in tokens and cuts those that no chunk could hold."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from inglenook_sentences.boundaries import Break, Unit

__all__ = ["Count", "Piece", "costs", "halves", "measure"]

Count = Callable[[Sequence[str]], list[int]]

_TEXTS_AT_ONCE = 512
_CHARACTERS_PER_TOKEN = 12
_JOINERS = "\u200d\ufe0e\ufe0f"


@dataclass(frozen=True, slots=True)
class Piece:
    """A unit, or a part of one, with its cost: what chunks are put together from."""

    start: int
    end: int
    before: Break
    cost: int


def measure(text: str, units: Iterable[Unit], limit: int, count: Count) -> list[Piece]:
    """The pieces of a text in order, none of more than `limit` tokens.

    A unit over the limit is halved at a line end or a blank near its middle, and inside a word
    where it has none, until it fits. A single character is never cut.
    """
    longest = max(1, limit * _CHARACTERS_PER_TOKEN)
    slices = [part for unit in units for part in _shortened(text, unit, longest)]
    pieces: list[Piece] = []
    while slices:
        found = costs([text[unit.start : unit.end] for unit in slices], count)
        measured = [
            Piece(unit.start, unit.end, unit.before, cost)
            for unit, cost in zip(slices, found, strict=True)
        ]
        pieces.extend(piece for piece in measured if _fits(piece, limit))
        slices = [
            half
            for piece in measured
            if not _fits(piece, limit)
            for half in halves(text, Unit(piece.start, piece.end, piece.before))
        ]
    pieces.sort(key=lambda piece: piece.start)
    return pieces


def halves(text: str, unit: Unit) -> tuple[Unit, Unit]:
    """Cut a unit of two characters or more near its middle."""
    middle = (unit.start + unit.end) // 2
    quarter = (unit.end - unit.start) // 4
    cut = _best_cut(text, middle, unit.start + quarter, unit.end - quarter)
    if not unit.start < cut < unit.end:
        cut = max(unit.start + 1, middle)
    return _cut(text, unit, cut)


def _cut(text: str, unit: Unit, cut: int) -> tuple[Unit, Unit]:
    end, start = cut, cut
    while text[end - 1].isspace():
        end -= 1
    while text[start].isspace():
        start += 1
    return Unit(unit.start, end, unit.before), Unit(start, unit.end, Break.INSIDE)


def _best_cut(text: str, middle: int, low: int, high: int) -> int:
    """The line end, else the blank, nearest to the middle, else the middle itself."""
    for blank in ("\n", " "):
        before, after = text.rfind(blank, low, middle), text.find(blank, middle, high)
        found = [cut for cut in (before, after) if cut >= 0]
        if found:
            return min(found, key=lambda cut: abs(cut - middle))
    cut = middle
    while cut < high and (unicodedata.combining(text[cut]) or text[cut] in _JOINERS):
        cut += 1
    return cut


def _shortened(text: str, unit: Unit, longest: int) -> Iterator[Unit]:
    """Cut a unit that is hopelessly long by characters, before any tokens are counted."""
    while unit.end - unit.start > longest:
        ceiling = unit.start + longest
        cut = _best_cut(text, ceiling - 1, unit.start + longest // 2, ceiling)
        head, unit = _cut(text, unit, cut)
        yield head
    yield unit


def costs(texts: Sequence[str], count: Count) -> Iterator[int]:
    """The tokens of each text, or what its length counts for if that is more.

    Some tokenizers see one unknown token in a word of any length; a chunk must stay readable.
    """
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        window = texts[first : first + _TEXTS_AT_ONCE]
        for text, tokens in zip(window, count(window), strict=True):
            yield max(tokens, -(-len(text) // _CHARACTERS_PER_TOKEN))


def _fits(piece: Piece, limit: int) -> bool:
    return piece.cost <= limit or piece.end - piece.start == 1
