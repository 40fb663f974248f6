"""The loader `markdown`: sections by ATX and setext headings, outside fences and front matter.

The text stays as written, so that quotes stand in the file letter for letter. Headings follow
CommonMark 0.31, sections 4.2 and 4.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from inglenook.types import CancelToken, LoadRequest, Notice, Section
from inglenook_text.decoding import read_text
from inglenook_text.sections import Heading, sections_by_heading

__all__ = ["MarkdownLoader", "headings_of"]

_FENCE = re.compile(r"[ ]{0,3}(?P<fence>`{3,}|~{3,})(?P<info>.*)")
_ATX = re.compile(r"[ ]{0,3}(?P<marks>#{1,6})(?:[ \t]+(?P<title>.*))?\Z")
_SETEXT = re.compile(r"[ ]{0,3}(?:=+|-+)[ \t]*\Z")
_NOT_A_PARAGRAPH = re.compile(r"[ ]{4}|\t|[ ]{0,3}(?:[-*+>|]|\d+[.)][ \t]|#{1,6}[ \t])")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_EMPHASIS = re.compile(r"(?<!\\)[*`]+|\\(?=[^\w\s])")
_LONGEST_TITLE = 200


class MarkdownLoader:
    """Implements `protocols.Loader`. The file is one place; a section says its line."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each heading; see `decoding.read_text` for what is raised."""
        decoded = read_text(request)
        yield from decoded.notices
        yield from sections_by_heading(decoded.text, headings_of(decoded.text), cancel)


def headings_of(text: str) -> Iterator[Heading]:
    """The headings of a Markdown text, in order."""
    fence = ""
    paragraph: list[tuple[int, str]] = []
    for start, end in _lines(text, _after_front_matter(text)):
        line = text[start:end]
        fence, fenced = _fence_after(line, fence)
        if not fenced and (atx := _ATX.match(line)):
            yield Heading(start, end, len(atx["marks"]), _title(atx["title"] or ""))
            paragraph = []
        elif not fenced and len(paragraph) == 1 and _SETEXT.match(line):
            first, title = paragraph[0]
            yield Heading(first, end, 1 if "=" in line else 2, _title(title))
            paragraph = []
        elif fenced or not line.strip() or (not paragraph and _NOT_A_PARAGRAPH.match(line)):
            paragraph = []
        else:
            paragraph.append((start, line))


def _lines(text: str, start: int) -> Iterator[tuple[int, int]]:
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, end
        start = end + 1


def _fence_after(line: str, fence: str) -> tuple[str, bool]:
    """The fence that is open after this line, and whether the line belongs to a fenced block."""
    match = _FENCE.match(line)
    if not fence:
        opens = match and not (match["fence"][0] == "`" and "`" in match["info"])
        return (match["fence"], True) if match and opens else ("", False)
    closes = match and match["fence"].startswith(fence) and not match["info"].strip()
    return ("" if closes else fence), True


def _after_front_matter(text: str) -> int:
    if not text.startswith("---\n"):
        return 0
    end = text.find("\n---\n", 3)
    return 0 if end < 0 else end + len("\n---\n")


def _title(raw: str) -> str:
    title = re.sub(r"(?:^|[ \t]+)#+[ \t]*\Z", "", raw.strip()[:_LONGEST_TITLE])
    return " ".join(unescape(_EMPHASIS.sub("", _LINK.sub(r"\1", title))).split())
