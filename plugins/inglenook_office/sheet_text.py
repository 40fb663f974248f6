"""Makes sections of the rows of one sheet; the sheet is the place that their offsets count in."""

from __future__ import annotations

from collections.abc import Iterator

from inglenook.types import Locator, Section
from inglenook_office.flow import Budget
from inglenook_office.grid import RowText

__all__ = ["SheetText"]

_LONGEST_SECTION = 4_000


class SheetText:
    """Takes rows; a section is a run of rows of one table, of a few thousand characters."""

    def __init__(self, sheet: str, budget: Budget) -> None:
        self._place = Locator("sheet", sheet)
        self._sheet = sheet
        self._budget = budget
        self._title = ""
        self._pieces: list[str] = []
        self._size = 0
        self._start = 0

    def add(self, row: RowText) -> Iterator[Section]:
        """Add a row; yields the section before it if that ends here."""
        text = row.text.strip()
        if not text:
            return
        self._budget.spend(len(text))
        if row.title != self._title or self._size + len(text) > _LONGEST_SECTION:
            yield from self.end()
            self._title = row.title
        if self._pieces:
            self._pieces.append("\n" if row.tight else "\n\n")
            self._size += 2
        self._pieces.append(text)
        self._size += len(text)

    def end(self) -> Iterator[Section]:
        """Yield the section that is open."""
        if self._pieces:
            text = "".join(self._pieces)
            has_title = self._title not in ("", self._sheet)
            headings = (self._sheet, self._title) if has_title else (self._sheet,)
            yield Section(text, self._place, headings, self._start)
            self._start += len(text) + 2
        self._pieces, self._size = [], 0
