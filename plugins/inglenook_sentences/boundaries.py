"""Finds the sentences, list items, table lines and headings of a text, with their offsets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Break", "Unit", "units_of"]


class Break(IntEnum):
    """How good a place it is to end a chunk, from the worst to the best."""

    INSIDE = 0
    SENTENCE = 1
    LINE = 2
    PARAGRAPH = 3
    HEADING = 4


@dataclass(frozen=True, slots=True)
class Unit:
    """What should stay whole: `text[start:end]`, without white space around it.

    `before` says how good it is to begin a chunk with it.
    """

    start: int
    end: int
    before: Break


_CLOSERS = r"\"'’”»)\]}›」』）】》〉"
_MARKS = ".!?…؟۔"
_MARKS_WITHOUT_BLANK = "。！？｡．।॥።։။"
_SENTENCE_END = re.compile(
    # The look-behind lets a match begin only at the first mark of a run: linear on "......".
    rf"(?<![{_MARKS}])[{_MARKS}]++[{_CLOSERS}]*+(?=\s)"
    rf"|[{_MARKS_WITHOUT_BLANK}]++[{_CLOSERS}]*+"
)
_ABBREVIATIONS = """
    mr mrs ms dr prof sr jr st mt vs etc cf al ca approx e.g i.e eg ie a.m p.m u.s u.k ph.d
    z.b d.h u.a bzw usw inkl ggf nr inc ltd co corp dept gov gen col capt lt sgt rev hon esq
    jan feb mar apr jun jul aug sep sept oct nov dec
"""
_NEVER_LAST = frozenset(_ABBREVIATIONS.split())
_NUMBER_LABELS = "no nos fig figs eq eqs p pp sec ch vol art para tab ver v"
_BEFORE_NUMBERS = frozenset(_NUMBER_LABELS.split())
_LONGEST_ABBREVIATION = 8
_OPENERS = "([{\"'“‘„«‹"

_FENCE = re.compile(r"[ ]{0,3}(?:```|~~~)")
_HEADING = re.compile(r"#{1,6}[ \t]")
_UNDERLINE = re.compile(r"(?:={3,}|-{3,})[ \t]*\Z")
_ITEM = re.compile(
    r"[ \t]*(?:[-*+•‣◦▪–][ \t]|\(?(?:\d{1,3}|[A-Za-z])[.)][ \t]|\d{1,3}(?:\.\d{1,3})+\.?[ \t])"
)
_CODE = re.compile(r"(?:[ ]{4}|\t)[ \t]*\S")
_LONGEST_TITLE = 80


def units_of(text: str) -> Iterator[Unit]:
    """Yield the units of a text in order; together they hold all that is not white space."""
    for block in _Blocks(text).read():
        yield from _sentences(text, block)


class _Blocks:
    """Reads lines into blocks that read on: paragraphs, headings, items, table and code lines."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._start = -1
        self._end = -1
        self._before = Break.PARAGRAPH
        self._lines = 0
        self._next = Break.PARAGRAPH
        self._stands_alone = False
        self._fenced = False

    def read(self) -> Iterator[Unit]:
        for start, end in _lines(self._text):
            line = self._text[start:end]
            if not line.strip():
                yield from self._end_paragraph()
            elif self._is_underline(line):
                self._end, self._before = end, Break.HEADING
                yield from self._end_block(after=Break.INSIDE)
            else:
                yield from self._read_line(line, start, end)
        yield from self._end_block(after=Break.PARAGRAPH)

    def _read_line(self, line: str, start: int, end: int) -> Iterator[Unit]:
        kind = self._kind(line)
        alone = kind is Break.LINE and not _ITEM.match(line)
        if self._start >= 0 and kind is Break.INSIDE and not self._stands_alone:
            self._end = end
            self._lines += 1
            return
        yield from self._end_block(after=Break.LINE)
        self._start, self._end, self._lines = start, end, 1
        # After a heading nothing is a good place to begin, not even a paragraph.
        glued = self._next is Break.INSIDE and kind is not Break.HEADING
        self._before = Break.INSIDE if glued else max(kind, self._next)
        self._stands_alone = alone
        if kind is Break.HEADING:
            yield from self._end_block(after=Break.INSIDE)

    def _kind(self, line: str) -> Break:
        if _FENCE.match(line):
            self._fenced = not self._fenced
            return Break.LINE
        if self._fenced:
            return Break.LINE
        if _HEADING.match(line):
            return Break.HEADING
        if _ITEM.match(line) or _CODE.match(line) or _is_table_line(line):
            return Break.LINE
        return Break.INSIDE

    def _is_underline(self, line: str) -> bool:
        return self._lines == 1 and self._start >= 0 and _UNDERLINE.match(line) is not None

    def _end_paragraph(self) -> Iterator[Unit]:
        if self._start < 0:
            if self._next is not Break.INSIDE:
                self._next = Break.PARAGRAPH
        elif self._before >= Break.PARAGRAPH and self._is_title():
            self._before = Break.HEADING
            yield from self._end_block(after=Break.INSIDE)
        else:
            yield from self._end_block(after=Break.PARAGRAPH)

    def _is_title(self) -> bool:
        line = self._text[self._start : self._end].strip()
        return (
            self._lines == 1
            and not self._fenced
            and not self._stands_alone
            and len(line) <= _LONGEST_TITLE
            and line[-1].isalnum()
        )

    def _end_block(self, *, after: Break) -> Iterator[Unit]:
        if self._start < 0:
            return
        block = _trimmed(self._text, self._start, self._end, self._before)
        self._start, self._lines, self._stands_alone = -1, 0, False
        self._next = after
        yield block


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, end
        start = end + 1


def _is_table_line(line: str) -> bool:
    return " | " in line or line.startswith("|") or "\t" in line.strip()


def _trimmed(text: str, start: int, end: int, before: Break) -> Unit:
    while text[start].isspace():
        start += 1
    while text[end - 1].isspace():
        end -= 1
    return Unit(start, end, before)


def _sentences(text: str, block: Unit) -> Iterator[Unit]:
    start, before = block.start, block.before
    for match in _SENTENCE_END.finditer(text, block.start, block.end):
        if match.end() < block.end and _ends_sentence(text, block, match):
            yield _trimmed(text, start, match.end(), before)
            start, before = match.end(), Break.SENTENCE
    yield _trimmed(text, start, block.end, before)


def _ends_sentence(text: str, block: Unit, match: re.Match[str]) -> bool:
    if match[0][0] in _MARKS_WITHOUT_BLANK:
        return True
    follows = match.end()
    while text[follows].isspace():
        follows += 1
    if text[follows].islower():
        return False
    if match[0] != ".":
        return True
    label = text[block.start : match.start()] if match.start() - block.start <= 4 else ""
    if label and label.strip(_OPENERS).isalnum() and _ITEM.match(text, block.start):
        return False
    word = _word_before(text, block.start, match.start())
    if word in _NEVER_LAST or (len(word) == 1 and word.isascii() and word.isalpha()):
        return False
    return not (word in _BEFORE_NUMBERS and text[follows].isdigit())


def _word_before(text: str, floor: int, end: int) -> str:
    window = text[max(floor, end - _LONGEST_ABBREVIATION) : end].split()
    return window[-1].lstrip(_OPENERS).lower() if window else ""
