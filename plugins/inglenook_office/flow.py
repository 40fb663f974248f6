"""Puts running text together: sections by heading, with offsets in the text of the document.

The text of the document is that of its sections, a blank line between them.
"""

from __future__ import annotations

from collections.abc import Iterator

from inglenook.errors import LoadError
from inglenook.types import LoadRequest, Locator, Section
from inglenook_office.visible_text import one_line

__all__ = ["Budget", "Flow"]

_LONGEST_SECTION = 50_000
_LONGEST_HEADING = 250
_MOST_PARAGRAPHS = 800_000
_MOST_RECORDS = 8_000_000


class Budget:
    """Counts characters and paragraphs. Raises `LoadError`, `too large`, past the most allowed."""

    def __init__(self, request: LoadRequest, *, most_paragraphs: int = _MOST_PARAGRAPHS) -> None:
        self._name = request.name
        self._most = self._left = request.max_characters
        self._most_paragraphs = self._paragraphs_left = most_paragraphs
        self._records_left = _MOST_RECORDS

    def spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise LoadError(
                f"{self._name} has more than {self._most:,} characters of text.",
                reason="too large",
            )

    def paragraph(self) -> None:
        """Count a paragraph, which costs time even if it is blank."""
        self._paragraphs_left -= 1
        if self._paragraphs_left < 0:
            raise LoadError(
                f"{self._name} has more than {self._most_paragraphs:,} paragraphs.",
                reason="too large",
            )

    def record(self) -> None:
        """Count a record of a binary format."""
        self._records_left -= 1
        if self._records_left < 0:
            raise LoadError(
                f"{self._name} has more than {_MOST_RECORDS:,} records.", reason="too large"
            )


class Flow:
    """Takes headings and paragraphs in reading order and makes sections of them."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._path: list[tuple[int, str]] = []
        self._untold: list[str] = []
        self._pieces: list[str] = []
        self._size = 0
        self._start = 0
        self._done: list[Section] = []

    def heading(self, level: int, title: str) -> None:
        """Begin what stands under a heading; a very long one is a paragraph."""
        title = one_line(title)
        if not title:
            return
        if len(title) > _LONGEST_HEADING:
            self.paragraph(title)
            return
        self._budget.spend(len(title))
        self._end_section()
        self._path = [entry for entry in self._path if entry[0] < level]
        self._path.append((level, title))
        self._untold.append(title)

    def leave_headings(self) -> None:
        """What follows stands under no heading."""
        self._end_section()
        if self._untold:
            self._add_section("")
        self._path = []

    def paragraph(self, text: str, *, tight: bool = False) -> None:
        """Add a paragraph; a tight one stands right under what is before it."""
        text = text.strip("\n").rstrip()
        if not text:
            return
        self._budget.spend(len(text))
        if self._size > _LONGEST_SECTION:
            self._end_section()
        if self._pieces:
            self._pieces.append("\n" if tight else "\n\n")
        self._pieces.append(text)
        self._size += len(text)

    def take(self) -> Iterator[Section]:
        """The sections that are complete and were not taken yet."""
        done, self._done = self._done, []
        return iter(done)

    def end(self) -> Iterator[Section]:
        """The sections that are left; nothing follows."""
        self._end_section()
        if self._untold:
            self._add_section("")
        return self.take()

    def _end_section(self) -> None:
        if self._pieces:
            self._add_section("".join(self._pieces))
            self._pieces = []
            self._size = 0

    def _add_section(self, body: str) -> None:
        text = "\n\n".join((*self._untold, body) if body else self._untold)
        self._untold = []
        headings = tuple(title for _, title in self._path)
        place = Locator("section", headings[-1]) if headings else Locator("whole", "")
        self._done.append(Section(text, place, headings, self._start))
        self._start += len(text) + 2
