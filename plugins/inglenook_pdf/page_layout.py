"""Puts the lines of a page together: blank lines where paragraphs part, strays where they belong.

The order of the file is kept, which knows columns and tables better than places do. One thing it
gets wrong is a heading that was drawn with the column above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

__all__ = ["TextLine", "laid_out"]

# In distances of lines, or heights of the font.
_PARAGRAPH_GAP = 1.35
_LEAST_GAP = 1.5
_MOST_GAP = 4.0
_NEAR = 1.6
_FARTHER = 1.3
_ALIGNED = 1.0
_SAME_LINE = 0.5
_BLANK = 0.2


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of a page with its place; the unit is that of the page, heights grow upward.

    Args:
        text: What it says.
        left: Where it begins.
        right: Where it ends.
        baseline: How high it stands.
        height: The height of its font; 0 if the line is turned.
    """

    text: str
    left: float
    right: float
    baseline: float
    height: float


def laid_out(lines: Sequence[TextLine]) -> str:
    """The text of a page."""
    lines = [line for line in lines if line.text.strip()]
    if not lines:
        return ""
    lines = _with_strays_put_back(_with_pieces_joined(lines))
    distance = _usual_distance(lines)
    parts = [lines[0].text]
    for above, line in pairwise(lines):
        parts.append("\n\n" if _part(above, line, distance) else "\n")
        parts.append(line.text)
    return "".join(parts)


def _with_pieces_joined(lines: Sequence[TextLine]) -> list[TextLine]:
    """Join what goes on right behind a line at about its height, as after a raised number."""
    joined = [lines[0]]
    for line in lines[1:]:
        before = joined[-1]
        height = max(before.height, line.height)
        gap = line.left - before.right
        goes_on = abs(before.baseline - line.baseline) < _SAME_LINE * height
        if goes_on and -_BLANK * height < gap < _ALIGNED * height:
            of_numbers = before.text[-1:].isdigit() and line.text[:1].isdigit()
            blank = " " if of_numbers or gap > _BLANK * height else ""
            text = f"{before.text.rstrip()}{blank}{line.text.lstrip()}"
            joined[-1] = replace(before, text=text, right=line.right)
        else:
            joined.append(line)
    return joined


def _usual_distance(lines: Sequence[TextLine]) -> float:
    gaps = [
        above.baseline - line.baseline
        for above, line in pairwise(lines)
        if 0.5 * above.height < above.baseline - line.baseline < _MOST_GAP * above.height
    ]
    return median(gaps) if gaps else 0.0


def _part(above: TextLine, line: TextLine, distance: float) -> bool:
    """Whether there is more than the usual distance between two lines."""
    gap = above.baseline - line.baseline
    is_wide = gap > _LEAST_GAP * max(above.height, line.height)
    return is_wide and gap > _PARAGRAPH_GAP * distance > 0


def _with_strays_put_back(lines: list[TextLine]) -> list[TextLine]:
    """Move a line down to the one right under it if what the file has in between stands above both.

    Only a line that stands nearer to that one than to the line before it, as a heading does.
    """
    ordered = list(lines)
    jumps = [
        place
        for place in range(1, len(lines) - 2)
        if lines[place + 1].baseline > lines[place].baseline + lines[place].height
    ]
    for place in jumps:
        stray, before = lines[place], lines[place - 1]
        under = _first_below(lines, place)
        if under is None or under <= place + 1 or not stray.height:
            continue
        gap = stray.baseline - lines[under].baseline
        if gap < _NEAR * stray.height and before.baseline - stray.baseline > _FARTHER * gap:
            ordered.remove(stray)
            ordered.insert(ordered.index(lines[under]), stray)
    return ordered


def _first_below(lines: Sequence[TextLine], place: int) -> int | None:
    """The first line after `place` that stands lower, if it begins right under that one."""
    stray = lines[place]
    for under in range(place + 1, len(lines)):
        if lines[under].baseline < stray.baseline:
            is_aligned = abs(lines[under].left - stray.left) < _ALIGNED * stray.height
            return under if is_aligned else None
    return None
