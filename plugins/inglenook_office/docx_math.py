"""Writes the formulas of Word documents on one line: x^2, (a+b)/2, √(x). ECMA-376-1, 22.1."""

from __future__ import annotations

from collections.abc import Callable

from inglenook_office.xml_events import Attributes

__all__ = ["MathText"]


class MathText:
    """Handlers for Office Math; `m:t` is text like `w:t`.

    Args:
        pieces: The pieces of the open paragraph.
    """

    def __init__(self, pieces: Callable[[], list[str]]) -> None:
        self._pieces = pieces
        self._in_text = False
        self._from: list[int] = []
        self._brackets: list[list[str]] = []
        self.starts: dict[str, Callable[[Attributes], bool | None]] = {
            "m:sup": lambda _: self._begin("^"),
            "m:sub": lambda _: self._begin("_"),
            "m:num": lambda _: self._begin(""),
            "m:den": lambda _: self._begin("/"),
            "m:rad": lambda _: self._begin("√"),
            "m:deg": lambda _: self._begin(""),
            "m:chr": self._operator,
            "m:d": self._open_brackets,
            "m:begChr": self._set_opening,
            "m:endChr": self._set_closing,
        }
        self.ends: dict[str, Callable[[], None]] = {
            **dict.fromkeys(("m:sup", "m:sub", "m:num", "m:den", "m:rad"), self._end),
            "m:deg": self._end_degree,
            "m:d": self._close_brackets,
            "m:oMathPara": self._end_line,
        }

    def _begin(self, mark: str) -> None:
        pieces = self._pieces()
        if mark:
            pieces.append(mark)
        self._from.append(len(pieces))

    def _end(self) -> None:
        """Put brackets around what is more than one sign or word."""
        if not self._from:
            return
        pieces, begin = self._pieces(), self._from.pop()
        inner = "".join(pieces[begin:])
        if len(inner.strip()) > 1 and not inner.strip().isalnum():
            pieces[begin:] = [f"({inner.strip()})"]
        elif not inner and pieces and pieces[-1] in ("^", "_"):
            pieces.pop()

    def _end_degree(self) -> None:
        if self._from:
            pieces, begin = self._pieces(), self._from.pop()
            degree = "".join(pieces[begin:])
            pieces[begin:] = [f"[{degree}]"] if degree else []

    def _operator(self, attributes: Attributes) -> None:
        self._pieces().append(attributes.get("m:val", ""))

    def _open_brackets(self, _: Attributes) -> None:
        pieces = self._pieces()
        self._brackets.append(["(", ")", str(len(pieces))])
        pieces.append("(")

    def _set_opening(self, attributes: Attributes) -> None:
        if self._brackets:
            pieces, place = self._pieces(), int(self._brackets[-1][2])
            if place < len(pieces):
                pieces[place] = attributes.get("m:val", "")

    def _set_closing(self, attributes: Attributes) -> None:
        if self._brackets:
            self._brackets[-1][1] = attributes.get("m:val", "")

    def _close_brackets(self) -> None:
        if self._brackets:
            self._pieces().append(self._brackets.pop()[1])

    def _end_line(self) -> None:
        self._pieces().append(" ")
