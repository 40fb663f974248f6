"""Where the readers of running documents put what they have read."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Lines", "Sink"]


class Sink(Protocol):
    """Takes blocks in reading order."""

    def heading(self, level: int, title: str) -> None: ...

    def paragraph(self, text: str, *, tight: bool = False) -> None: ...


class Lines:
    """A sink that keeps the lines of a cell, text box or note."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def heading(self, level: int, title: str) -> None:
        del level
        self.lines.append(title)

    def paragraph(self, text: str, *, tight: bool = False) -> None:
        del tight
        self.lines.append(text)
