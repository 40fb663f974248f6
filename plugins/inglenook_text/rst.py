"""The loader `rst`: reStructuredText, sections by underlined titles.

The text stays as written, so that quotes stand in the file letter for letter. Which line under (and
over) a title means which level is what the file does first, as docutils has it ("Sections" in the
reStructuredText specification).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.types import CancelToken, LoadRequest, Notice, Section
from inglenook_text.decoding import read_text
from inglenook_text.sections import Heading, sections_by_heading

__all__ = ["RstLoader"]

_RULE = re.compile(r"([!-/:-@\[-`{-~])\1*[ \t]*")
_SHORTEST_RULE = 4
_MARKUP = re.compile(r"``|(?<!\\)[*`|]|:[a-zA-Z][\w:.-]{0,40}:(?=`)|\\(?=\S)")
_TARGET = re.compile(r"[ \t]*<[^<>]{1,500}>(?=`)")
_LONGEST_TITLE = 200


class RstLoader:
    """Implements `protocols.Loader`. The file is one place; a section says its line."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each title; see `decoding.read_text` for what is raised."""
        decoded = read_text(request)
        yield from decoded.notices
        yield from sections_by_heading(decoded.text, _headings(decoded.text), cancel)


def _headings(text: str) -> Iterator[Heading]:
    lines = text.split("\n")
    styles: list[tuple[str, bool]] = []
    start, last = 0, -1
    starts = []
    for line in lines:
        starts.append(start)
        start += len(line) + 1
    for index in range(1, len(lines)):
        if index - 1 <= last or not _is_title(lines, index):
            continue
        over = _is_overlined(lines, index)
        first = index - 2 if over else index - 1
        if not over and first > 0 and lines[first - 1].strip():
            continue
        style = (lines[index][0], over)
        if style not in styles:
            styles.append(style)
        last = index
        end = starts[index] + len(lines[index])
        yield Heading(starts[first], end, styles.index(style) + 1, _title(lines[index - 1]))


def _is_title(lines: list[str], index: int) -> bool:
    """Whether the line at `index` underlines the one above it."""
    title, rule = lines[index - 1].rstrip(), lines[index].rstrip()
    if not title.strip() or not _RULE.fullmatch(rule) or _RULE.fullmatch(title):
        return False
    if title[0].isspace() and not _is_overlined(lines, index):
        return False
    return len(rule) >= min(len(title), _SHORTEST_RULE)


def _is_overlined(lines: list[str], index: int) -> bool:
    return index >= 2 and lines[index - 2].rstrip() == lines[index].rstrip()


def _title(line: str) -> str:
    plain = _MARKUP.sub("", _TARGET.sub("", line))
    return " ".join(plain.split())[:_LONGEST_TITLE]
