"""The loader `text`: plain text, with the headings that writers of plain text make by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.types import CancelToken, LoadRequest, Notice, Section
from inglenook_text.decoding import read_text
from inglenook_text.sections import Heading, sections_by_heading

__all__ = ["TextLoader"]

_ALONE = re.compile(r"(?:\A|\n[ \t]*\n)(?P<line>[^\n]{2,80})\n(?:(?P<rule>={3,}|-{3,})[ \t]*\n)?")
_NUMBERED = re.compile(r"(?P<number>\d{1,3}(?:\.\d{1,3})*)\.?[ \t]+(?P<title>\S.*)")
_LETTERS = re.compile(r"[^\W\d_]")


class TextLoader:
    """Implements `protocols.Loader`. The file is one place; a section says its line."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def load(self, request: LoadRequest, cancel: CancelToken) -> Iterator[Section | Notice]:
        """Yield a section for each heading; see `decoding.read_text` for what is raised."""
        decoded = read_text(request)
        yield from decoded.notices
        yield from sections_by_heading(decoded.text, _headings(decoded.text), cancel)


def _headings(text: str) -> Iterator[Heading]:
    """Lines that stand alone and are numbered, underlined or in capitals."""
    position = 0
    while match := _ALONE.search(text, position):
        # The blank line below a heading is also the one above the next: look at it again.
        position = match.end() - 1
        line = match["line"].strip()
        level = _level(line, match["rule"])
        alone = text[match.end() : match.end() + 1] in ("\n", "") or match["rule"]
        if level and alone:
            yield Heading(match.start("line"), match.end(), level, _title(line))


def _level(line: str, rule: str | None) -> int:
    """1 for the outermost; 0 for a line that is no heading."""
    if not line or line[-1] in ".,;:" or not _LETTERS.search(line):
        return 0
    if rule:
        return 1 if rule[0] == "=" else 2
    numbered = _NUMBERED.fullmatch(line)
    if numbered and (numbered["title"][0].isupper() or not numbered["title"].isascii()):
        return 1 + numbered["number"].count(".")
    return 1 if line.isupper() else 0


def _title(line: str) -> str:
    return " ".join(line.split())
