"""Sources as loaders and splitters see them: places, sections, parts, chunks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

LocatorKind = Literal[
    "page", "slide", "sheet", "section", "message", "line", "row", "cell", "whole"
]


@dataclass(frozen=True, slots=True)
class Locator:
    """A place in a source, such as `Locator("page", 7)` or `Locator("sheet", "Q1")`.

    `member` is the path of the part that holds the place, where the source is an archive or a
    message with attachments: `reports/q1.pdf`, or `mail.eml/q1.pdf` for a part of a part. The
    engine sets it; loaders leave it empty.
    """

    kind: LocatorKind
    value: int | str
    member: str = ""

    def __str__(self) -> str:
        place = "" if self.kind == "whole" else f"{self.kind} {self.value}"
        return ", ".join(part for part in (self.member, place) if part)


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """A file to read.

    Args:
        path: Where the bytes are. For a part of an archive this is a temporary place without an
            extension: what kind of file it is, `name` says.
        name: What people call it, for messages; its extension is the file's.
        media_type: What it was found to be, or "".
        max_characters: Stop with reason `too large` past this much text.
        password: Opens an encrypted file; never logged.
        pages: Read only these pages, from 1; empty means all. Only loaders with the capability
            `recognises` are asked for single pages.
        max_members: The most members of an archive, or parts of a message.
        max_inflated_bytes: The most bytes that an archive may hold when inflated.
    """

    path: Path
    name: str
    media_type: str = ""
    max_characters: int = 50_000_000
    password: str | None = field(default=None, repr=False)
    pages: tuple[int, ...] = ()
    max_members: int = 10_000
    max_inflated_bytes: int = 500_000_000

    @property
    def extension(self) -> str:
        """The extension of `name`, lower case and with its dot; "" if there is none."""
        return Path(self.name).suffix.lower()


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
class PartFile:
    """A file inside the file: a member of an archive, an attachment of a message.

    The engine reads it with the loader for its name, counts and limits how deep parts are nested,
    and puts its name into the locators of its sections.

    Args:
        name: Its path inside, with `/` between folders; its extension picks the loader.
        data: Its bytes.
    """

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChunkText:
    """A unit of indexing, cut from one section: `section.text[a:b] == text`.

    `start` and `end` are offsets in the text of the place (`section.start` is added in).
    `locator` is the place, for text files the line where the chunk begins. `gap` is the white space
    between the chunk before, of the same section, and this one; the engine sets it.
    """

    text: str
    start: int
    end: int
    locator: Locator
    headings: tuple[str, ...] = ()
    gap: str = ""
