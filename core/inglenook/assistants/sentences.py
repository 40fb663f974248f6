"""Cuts text into sentences, in any of the scripts that documents come in."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["sentence_spans"]

_END = re.compile(r"[.!?…。！？؟۔]+[\"'”’»)\]]*(?=\s|$)|(?<=[。！？])|\n\s*\n|\n")
_LIST_ITEM = re.compile(r"\s*(?:[-*•]|\d+[.)])\s")
_HEADING_LENGTH = 48
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|approx|no|nos|fig|sec|art|par|dr|mr|mrs|ms|prof|st|inc|ltd|co|jan|"
    r"feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec|[a-z])|^\s*\d+)\.$",
    re.IGNORECASE,
)
_TITLE = re.compile(r"\b(?:dr|mr|mrs|ms|prof|st|no|nos|fig|sec|art|vs)\.$", re.IGNORECASE)


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each sentence, without the white space around it.

    A heading on a line of its own is a sentence too.
    """
    start = 0
    for match in _END.finditer(text):
        if match.end() == start:
            continue
        if match.group().startswith(".") and _is_abbreviation(text, start, match):
            continue
        if match.group() == "\n" and not _is_line_by_itself(text, start, match):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


def _is_line_by_itself(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether a line end comes after a heading or before a list item, not within a wrapped line."""
    line = text[start : match.start()].strip()
    is_heading = "\n" not in line and 0 < len(line) < _HEADING_LENGTH
    return is_heading or _LIST_ITEM.match(text, match.end()) is not None


def _is_abbreviation(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the full stop belongs to a word and the sentence goes on after it."""
    if match.group() != ".":
        return False
    head = text[max(start, match.start() - 12) : match.end()]
    if not _ABBREVIATION.search(head):
        return False
    following = text[match.end() :].lstrip()
    if _TITLE.search(head):
        return bool(following)
    # A single capital is an initial; other short forms end a sentence only before a capital.
    return bool(following) and (not following[0].isupper() or head[-2:-1].isupper())


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    begin = start + len(piece) - len(piece.lstrip())
    stop = start + len(piece.rstrip())
    if begin < stop:
        yield begin, stop
