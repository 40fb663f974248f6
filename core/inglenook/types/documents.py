"""Sources as loaders and splitters see them: places, sections, chunks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

LocatorKind = Literal["page", "slide", "sheet", "section", "message", "line", "row", "whole"]


@dataclass(frozen=True, slots=True)
class Locator:
    """A place in a source, such as `Locator("page", 7)` or `Locator("sheet", "Q1")`."""

    kind: LocatorKind
    value: int | str

    def __str__(self) -> str:
        return {"whole": ""}.get(self.kind, f"{self.kind} {self.value}")


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """A file to read.

    Args:
        path: Where the bytes are.
        name: What people call it, for messages.
        media_type: What it was found to be, or "".
        max_characters: Stop with reason `too large` past this much text.
        password: Opens an encrypted file; never logged.
    """

    path: Path
    name: str
    media_type: str = ""
    max_characters: int = 50_000_000
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Section:
    """A page, slide, sheet or heading's worth of text.

    Args:
        text: The text, as a person would read it.
        locator: The place. Paged formats count from 1. A text file is one place, and its
            sections say the line where they begin.
        headings: The path of headings above it, outermost first.
        start: Where `text` begins in the text of its place: 0 for a page, the offset in the
            decoded file for a section of a text file.
        language: A BCP 47 tag if the format says so, else "".
    """

    text: str
    locator: Locator
    headings: tuple[str, ...] = ()
    start: int = 0
    language: str = ""


@dataclass(frozen=True, slots=True)
class ChunkText:
    """A unit of indexing, cut from one section: `section.text[a:b] == text`.

    `start` and `end` are offsets in the text of the place (`section.start` is added in).
    `locator` is the place, for text files the line where the chunk begins.
    """

    text: str
    start: int
    end: int
    locator: Locator
    headings: tuple[str, ...] = ()
