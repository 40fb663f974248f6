"""Puts the shapes of a slide into the order in which people read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

__all__ = ["Box", "Placed", "in_reading_order"]

_MOST_SHAPES = 2_000

Box = tuple[float, float, float, float]
"""Left, top, width and height, in any unit."""


class Placed(Protocol):
    """What stands somewhere; `box` is None where nobody says where."""

    @property
    def box(self) -> Box | None: ...


_Shape = TypeVar("_Shape", bound=Placed)


def in_reading_order(shapes: Sequence[_Shape], *, from_right: bool = False) -> list[_Shape]:
    """From top to bottom; what stands side by side column by column.

    A shape whose place is not known stays behind the one that it follows in the file.
    """
    units: list[tuple[Box, list[_Shape]]] = []
    first: list[_Shape] = []
    for shape in shapes:
        if shape.box is not None:
            units.append((shape.box, [shape]))
        elif units:
            units[-1][1].append(shape)
        else:
            first.append(shape)
    units.sort(key=lambda unit: (unit[0][1], unit[0][0]))
    if len(units) <= _MOST_SHAPES:
        units = [unit for row in _rows(units) for unit in _by_column(row, from_right=from_right)]
    return first + [shape for _, members in units for shape in members]


_Unit = tuple[Box, list[_Shape]]


def _rows(units: Sequence[_Unit[_Shape]]) -> list[list[_Unit[_Shape]]]:
    """Shapes whose middle is beside the topmost shape of a row are in that row."""
    rows: list[list[_Unit[_Shape]]] = []
    bottom = 0.0
    for unit in units:
        _, top, _, height = unit[0]
        if rows and top + height / 2 < bottom:
            rows[-1].append(unit)
        else:
            rows.append([unit])
            bottom = top + height
    return rows


def _by_column(row: Sequence[_Unit[_Shape]], *, from_right: bool) -> list[_Unit[_Shape]]:
    columns: list[list[_Unit[_Shape]]] = []
    for unit in row:
        fitting: Callable[[list[_Unit[_Shape]]], bool] = lambda column, box=unit[0]: _overlap(  # type: ignore[misc]  # noqa: E731
            column[0][0], box
        )
        column = next(filter(fitting, columns), None)
        if column is None:
            columns.append([unit])
        else:
            column.append(unit)
    if from_right:
        columns.sort(key=lambda column: -(column[0][0][0] + column[0][0][2]))
    else:
        columns.sort(key=lambda column: column[0][0][0])
    return [unit for column in columns for unit in column]


def _overlap(one: Box, other: Box) -> bool:
    """Whether half of the narrower one is above or below the other one."""
    shared = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    return shared > 0 and shared >= min(one[2], other[2]) / 2
