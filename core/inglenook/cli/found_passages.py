"""Shows found passages: where, which scores, why, and the text with the matching words marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from inglenook.cli.terminal import visible

if TYPE_CHECKING:
    from inglenook.types import Passage

__all__ = ["MATCH", "PLACE", "pieces"]

PLACE = "bold"
MATCH = "match"
FAINT = "faint"

_TEXT = 360
_BEFORE = 80

Piece = tuple[str, str]
"""Text, and its style or ""."""


def pieces(found: Sequence[Passage]) -> Iterator[Piece]:
    """All passages, with a blank line between two; every text is on one line and harmless."""
    for number, passage in enumerate(found, 1):
        if number > 1:
            yield "\n\n", ""
        yield from _passage(number, passage)


def _passage(number: int, passage: Passage) -> Iterator[Piece]:
    place = f"{passage.source}, {passage.locator}".rstrip(", ")
    yield f"{number}. {visible(place)}", PLACE
    if passage.headings:
        yield f" › {_plain(' › '.join(passage.headings))}", ""
    yield f"\n   {_scores(passage)}", FAINT
    if passage.explanation is not None:
        yield f"\n   {_plain(passage.explanation.why)}", FAINT
    if passage.also:
        yield f"\n   nearly the same: {visible(', '.join(passage.also))}", FAINT
    yield "\n   ", ""
    yield from _excerpt(passage)


def _scores(passage: Passage) -> str:
    sides = (("words", passage.lexical), ("vector", passage.vector), ("rerank", passage.rerank))
    told = [f"{name} {score:.2f}" for name, score in sides if score is not None]
    return (
        f"score {passage.score:.2f} ({', '.join(told)})" if told else f"score {passage.score:.2f}"
    )


def _excerpt(passage: Passage) -> Iterator[Piece]:
    """As much of the text as is shown, from where the matches are, with them marked."""
    text = passage.text
    spans = passage.explanation.highlights if passage.explanation else ()
    start, end = _window(text, spans)
    yield ("…" if start else ""), ""
    at = start
    for from_, to in spans:
        first, last = max(from_, start), min(to, end)
        if first >= last:
            continue
        yield _plain(text[at:first]), ""
        yield _plain(text[first:last]), MATCH
        at = last
    yield _plain(text[at:end]).rstrip(), ""
    yield ("…" if end < len(text.rstrip()) else ""), ""


def _window(text: str, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The stretch of the text with the most matches; it begins and ends between words."""
    if len(text) <= _TEXT:
        return 0, len(text)
    starts = [max(0, first - _BEFORE) for first, _ in spans] or [0]
    inside = {s: sum(s <= a and b <= s + _TEXT for a, b in spans) for s in starts}
    start = max(starts, key=lambda s: (inside[s], -s))
    start = min(start, len(text) - _TEXT)
    if start:
        blank = text.find(" ", start, start + 40)
        start = blank + 1 if blank >= 0 else start
    end = min(len(text), start + _TEXT)
    if end < len(text):
        blank = text.rfind(" ", end - 40, end)
        end = blank if blank > start else end
    return start, end


def _plain(text: str) -> str:
    """On one line, with control characters as symbols: also where a program reads it."""
    return visible(re.sub(r"\s+", " ", text))
