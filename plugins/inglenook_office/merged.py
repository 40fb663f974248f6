"""Merged cells of spreadsheets: the text of one cell, shown over several columns or rows."""

from __future__ import annotations

from collections.abc import Sequence

from inglenook_office.grid import GridCell

__all__ = ["MergedCells"]

_MOST_OPEN = 64
_LONGEST_REPEATED = 100


class MergedCells:
    """Takes the rows of a sheet in order.

    Args:
        areas: First row, first column, last row, last column of each.
    """

    def __init__(self, areas: Sequence[tuple[int, int, int, int]]) -> None:
        self._waiting = sorted(areas, reverse=True)
        self._open: list[tuple[int, int, GridCell]] = []

    def filled(self, number: int, cells: dict[int, GridCell]) -> dict[int, GridCell]:
        """The cells of a row, with the short texts that cells above show in it too."""
        if not (self._waiting or self._open):
            return cells
        covered: dict[int, GridCell] = {}
        if self._open and cells:
            self._open = [entry for entry in self._open if entry[0] >= number]
            for _, column, cell in self._open:
                if column not in cells:
                    covered[column] = GridCell(cell.text, cell.is_text, cell.columns, 1, True)
        while self._waiting and self._waiting[-1][0] <= number:
            top, left, bottom, right = self._waiting.pop()
            origin = cells.get(left)
            if top != number or origin is None:
                continue
            origin.columns = max(1, right - left + 1)
            origin.rows = max(1, bottom - top + 1)
            if bottom > top and len(origin.text) <= _LONGEST_REPEATED:
                self._open = [*self._open[-_MOST_OPEN:], (bottom, left, origin)]
        return dict(sorted({**cells, **covered}.items())) if covered else cells
