"""Lines of Hebrew and Arabic from glyphs and their places on the page.

What a PDF shows from left to right is turned into the order in which it is read: the reverse of
the Unicode Bidirectional Algorithm (Unicode Standard Annex 9), as far as the picture tells.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from inglenook_pdf.page_layout import TextLine
from inglenook_pdf.right_to_left import has_right_to_left

__all__ = ["Glyph", "lines_in_reading_order"]

# In heights of the font.
_SAME_LINE = 0.5
_SAME_BASELINE = 0.1
_GAP_BETWEEN_WORDS = 0.1
_GAP_BESIDE_SIGNS = 0.17
_GAP_WITHIN_WORDS = 0.5

_LINES_BACK = 8
_MOST_SIGNS = 4
_BEHIND_NUMBERS = "%٪‰°"
_SENTENCE_MARKS = ".,;:!?،؛؟"

_POINTED = re.compile("[\u05b0-\u05c7]")
_BRACKETS = "()[]{}"
_KINDS = {
    "R": "R",
    "AL": "R",
    "NSM": "R",
    "L": "L",
    "EN": "number",
    "AN": "number",
    "CS": "separator",
    "ES": "separator",
    "ET": "terminator",
}


@dataclass(frozen=True, slots=True)
class Glyph:
    """One glyph with the characters that it stands for; never a blank.

    Args:
        text: Its characters, in reading order.
        origin: Where it begins on its baseline, which orders the glyphs.
        left: The left edge of its box, along the baseline.
        right: The right edge.
        baseline: How high its baseline stands, seen upright.
        size: The height of the font, in the unit of the places.
        angle: How its baseline is turned, in whole degrees.
        word: A number that differs where the file puts a blank between glyphs.
    """

    text: str
    origin: float
    left: float
    right: float
    baseline: float
    size: float
    angle: int
    word: int

    @property
    def is_mark(self) -> bool:
        """Whether it belongs to the letter over, under or in which it stands."""
        return unicodedata.category(self.text[0]) == "Mn"


@dataclass(slots=True)
class _Cluster:
    """A letter with its marks, a digit, a sign, or a blank."""

    text: str
    left: float
    right: float
    size: float
    word: int


@dataclass(slots=True)
class _Line:
    glyphs: list[Glyph]
    left: float
    right: float
    marks: list[Glyph] = field(default_factory=list)

    def add(self, glyph: Glyph) -> None:
        self.glyphs.append(glyph)
        self.left = min(self.left, glyph.left)
        self.right = max(self.right, glyph.right)

    def goes_on_with(self, glyph: Glyph) -> bool:
        last = self.glyphs[-1]
        reach = _SAME_LINE * max(last.size, glyph.size)
        return last.angle == glyph.angle and abs(last.baseline - glyph.baseline) < reach

    def distance(self, mark: Glyph) -> float:
        return min(abs(end.baseline - mark.baseline) for end in (self.glyphs[0], self.glyphs[-1]))

    def is_same_as(self, other: _Line) -> bool:
        """Whether both stand on one baseline and one lies in or beside the other."""
        mine, its = self.glyphs[0], other.glyphs[0]
        size = max(mine.size, its.size)
        if mine.angle != its.angle or abs(mine.baseline - its.baseline) > _SAME_BASELINE * size:
            return False
        return (self.left - size < other.left and other.right < self.right + size) or (
            other.left - size < self.left and self.right < other.right + size
        )

    def take(self, other: _Line) -> None:
        self.glyphs += other.glyphs
        self.marks += other.marks
        self.left = min(self.left, other.left)
        self.right = max(self.right, other.right)


def lines_in_reading_order(glyphs: Sequence[Glyph]) -> Iterator[TextLine]:
    """Yield the lines in the order of the file, each in the order in which it is read."""
    page_reads_left = _leftward_letters("".join(glyph.text for glyph in glyphs)) > 0.5
    for line in _lines(glyphs):
        first = line.glyphs[0]
        yield TextLine(
            _read(line, page_reads_left=page_reads_left),
            line.left,
            line.right,
            first.baseline,
            0.0 if first.angle else first.size,
        )


def _read(line: _Line, *, page_reads_left: bool) -> str:
    text = "".join(glyph.text for glyph in line.glyphs)
    clusters = _in_place(line)
    if page_reads_left and _may_read_left(line.glyphs):
        return _read_leftward(clusters)
    if not has_right_to_left(text):
        return "".join(cluster.text for cluster in clusters)
    if _leftward_letters(text) > 0.6:
        return _read_leftward(clusters)
    return _read_rightward(clusters)


def _may_read_left(line: Sequence[Glyph]) -> bool:
    """Whether a line of a page of Hebrew is read from its right: not if all of it is Latin.

    But a mark before the first Latin word is one behind the last, seen from the right.
    """
    kinds = {_kind(glyph.text[0]) for glyph in line}
    leftmost = min(line, key=lambda glyph: glyph.origin)
    return "R" in kinds or "L" not in kinds or leftmost.text in _SENTENCE_MARKS


def _leftward_letters(text: str) -> float:
    """The share of the letters that are read from right to left."""
    kinds = [_kind(character) for character in text]
    leftward = kinds.count("R")
    return leftward / max(leftward + kinds.count("L"), 1)


def _lines(glyphs: Sequence[Glyph]) -> list[_Line]:
    """The glyphs of each line. Marks go to the nearer one of the lines around them."""
    lines: list[_Line] = []
    marks: list[tuple[Glyph, int]] = []
    for glyph in glyphs:
        if glyph.is_mark:
            marks.append((glyph, len(lines)))
        elif lines and lines[-1].goes_on_with(glyph):
            lines[-1].add(glyph)
        else:
            lines.append(_Line([glyph], glyph.left, glyph.right))
    for mark, place in marks:
        near = lines[max(place - 1, 0) : place + 1]
        if near:
            min(near, key=lambda line: line.distance(mark)).marks.append(mark)
    return _merged(lines)


def _merged(lines: Sequence[_Line]) -> list[_Line]:
    """Put together the pieces of lines that the file draws apart, as for another font."""
    merged: list[_Line] = []
    for line in lines:
        same = next((other for other in merged[-_LINES_BACK:] if other.is_same_as(line)), None)
        if same is None:
            merged.append(line)
        else:
            same.take(line)
    return merged


def _in_place(line: _Line) -> list[_Cluster]:
    """The clusters of a line from left to right, with blanks where there are gaps."""
    letters = _sorted(line.glyphs)
    lefts = [letter.left for letter in letters]
    for mark in line.marks:
        middle = (mark.left + mark.right) / 2
        at = bisect_right(lefts, middle)
        near = letters[max(at - 2, 0) : at + 1]
        under = min(near, key=lambda letter: _outside(letter, middle))
        under.text = unicodedata.normalize("NFC", under.text + mark.text)
        under.left = min(under.left, mark.left)
        under.right = max(under.right, mark.right)
    placed = letters[:1]
    for before, cluster in pairwise(letters):
        if _is_gap(before, cluster):
            placed.append(_Cluster(" ", before.right, cluster.left, cluster.size, -1))
        placed.append(cluster)
    return placed


def _sorted(glyphs: Sequence[Glyph]) -> list[_Cluster]:
    """From left to right. Glyphs in one place keep the order that the rest of the word has."""
    rises: dict[int, int] = {}
    for before, glyph in pairwise(glyphs):
        if before.word == glyph.word:
            rise = (glyph.origin > before.origin) - (glyph.origin < before.origin)
            rises[glyph.word] = rises.get(glyph.word, 0) + rise
    keyed = [
        (glyph.origin, at if rises.get(glyph.word, 0) > 0 else -at, glyph)
        for at, glyph in enumerate(glyphs)
    ]
    keyed.sort(key=lambda entry: entry[:2])
    return [
        _Cluster(glyph.text, glyph.left, glyph.right, glyph.size, glyph.word)
        for _, _, glyph in keyed
    ]


def _outside(letter: _Cluster, place: float) -> tuple[float, float]:
    return (
        max(letter.left - place, place - letter.right, 0.0),
        abs((letter.left + letter.right) / 2 - place),
    )


def _is_gap(before: _Cluster, after: _Cluster) -> bool:
    """Whether there is a blank between neighbours; a sign may be counted to the wrong word."""
    if not (before.text[0].isalnum() and after.text[0].isalnum()):
        wide = _GAP_BESIDE_SIGNS
    elif before.word == after.word:
        wide = _GAP_WITHIN_WORDS
    else:
        is_pointed = _POINTED.search(before.text + after.text)
        wide = _GAP_BESIDE_SIGNS if is_pointed else _GAP_BETWEEN_WORDS
    return after.left - before.right > wide * max(before.size, after.size)


def _read_leftward(line: Sequence[_Cluster]) -> str:
    """Read from the right; runs of Latin words and numbers are read from their left."""
    kinds = [_kind(cluster.text[0]) for cluster in line]
    arabic = any(unicodedata.bidirectional(cluster.text[0]) == "AL" for cluster in line)
    parts: list[str] = []
    at = 0
    while at < len(line):
        end = _run_end(line, kinds, at, arabic=arabic)
        parts.append("".join(cluster.text for cluster in line[at:end]))
        at = end
    return "".join(reversed(parts))


def _read_rightward(line: Sequence[_Cluster]) -> str:
    """Read from the left; runs of Hebrew words are read from their right."""
    kinds = [_kind(cluster.text[0]) for cluster in line]
    parts: list[str] = []
    at = 0
    while at < len(line):
        if kinds[at] != "R":
            parts.append(line[at].text)
            at += 1
            continue
        end = at + 1
        for place in range(at + 1, len(line)):
            if kinds[place] == "L":
                break
            if kinds[place] == "R":
                end = place + 1
        parts.append(_read_leftward(line[at:end]))
        at = end
    return "".join(parts)


def _run_end(line: Sequence[_Cluster], kinds: list[str], start: int, *, arabic: bool) -> int:
    """Where the run that begins at `start` and is read from its left ends.

    Separators join numbers, and signs such as % join the number beside them, the latter and the
    hyphen not after Arabic letters (rules W2 to W5).
    """
    at = start
    while not arabic and at < start + _MOST_SIGNS and kinds[at : at + 1] == ["terminator"]:
        at += 1
    if at == len(line) or kinds[at] not in ("L", "number"):
        return start + 1
    end, latin = at + 1, kinds[at] == "L"
    for place in range(end, len(line)):
        kind = kinds[place]
        if kind == "R":
            break
        if kind not in ("L", "number"):
            continue
        between = kinds[end:place]
        if not (latin or kind == "L" or _joins_numbers(between, line[end:place], arabic=arabic)):
            break
        end, latin = place + 1, latin or kind == "L"
    while end < len(line) and kinds[end] == "terminator":
        if arabic and line[end].text not in _BEHIND_NUMBERS:
            break
        end += 1
    return _with_closing(line, start, end)


def _joins_numbers(kinds: Sequence[str], between: Sequence[_Cluster], *, arabic: bool) -> bool:
    if not kinds:
        return True
    if len(kinds) > 1:
        return False
    return kinds[0] == "separator" and not (arabic and between[0].text in "+-")


def _with_closing(line: Sequence[_Cluster], start: int, end: int) -> int:
    """Where the run ends with the bracket that closes one inside it: "Contoso (CC)"."""
    inside = [cluster.text for cluster in line[start:end]]
    if end < len(line) and line[end].text in _BRACKETS:
        opened = sum(inside.count(bracket) for bracket in _BRACKETS)
        if opened % 2:
            return end + 1
    return end


def _kind(character: str) -> str:
    """How a character takes part in the order: R, L, number, separator, terminator or other."""
    return _KINDS.get(unicodedata.bidirectional(character), "other")
