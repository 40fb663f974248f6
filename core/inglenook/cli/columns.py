"""Lays rows of text out in columns, as wide as their longest cell on a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

__all__ = ["columns", "count", "megabytes", "shortened", "table_with_remarks", "wrapped"]

_GAP = "  "
_NARROW = 12


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows under their heads; cells are on one line each."""
    table = [[" ".join(cell.split()) for cell in row] for row in (head, *rows)]
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        _GAP.join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in table
    )


def table_with_remarks(
    head: Sequence[str], rows: Sequence[tuple[Sequence[str], str]], width: int | None
) -> str:
    """Rows under their heads, each with a remark of any length of which nothing is lost.

    Args:
        head: The heads of the columns; the remarks have none.
        rows: The cells of a row, and its remark.
        width: Of the terminal: remarks that do not fit go below their row, and lines end between
            words. None puts each row on one line however long it is, for programs.
    """
    if width is None:
        return columns((*head, ""), [(*cells, remark) for cells, remark in rows])
    table = [[" ".join(cell.split()) for cell in cells] for cells in (head, *(c for c, _ in rows))]
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    longest = widths.index(max(widths))
    # One name that is very long does not push all others apart.
    others = sum(widths) - widths[longest] + len(_GAP) * len(head)
    widths[longest] = min(widths[longest], max(width - others, width // 3))
    indent = " " * (widths[0] + len(_GAP) if widths[0] <= _NARROW else len(_GAP))
    lines = []
    for cells, remark in zip(table, ("", *(remark for _, remark in rows)), strict=True):
        line = _line(cells, widths)
        if remark and _width(line) + len(_GAP) + _width(remark) <= width:
            lines.append(f"{line}{_GAP}{remark}")
        else:
            below = [wrapped(remark, width, indent)] if remark else []
            lines += [line.rstrip(), *below]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True)
    )
    return _GAP.join(padded)


def wrapped(text: str, width: int, indent: str = "", first: str | None = None) -> str:
    """The text on lines that end between words and are no wider; a longer word stands alone.

    Args:
        text: On one line or several, which are joined.
        width: The most columns of a line.
        indent: What each line begins with,
        first: except for the first one.
    """
    lines: list[str] = []
    line = indent if first is None else first
    bare = True
    for word in text.split():
        if not bare and _width(line) + 1 + _width(word) > width:
            lines.append(line)
            line, bare = indent, True
        line += word if bare else f" {word}"
        bare = False
    return "\n".join([*lines, line])


def _width(text: str) -> int:
    """How many columns a terminal needs for it."""
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Cc"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shortened(text: str, limit: int) -> str:
    """On one line, with at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def count(number: int, noun: str) -> str:
    """`1 source`, `2 sources`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def megabytes(size_bytes: int) -> str:
    """A size for people."""
    if size_bytes >= 1_000_000_000:
        return f"{size_bytes / 1_000_000_000:.1f} GB"
    if size_bytes >= 1_000_000:
        return f"{size_bytes / 1_000_000:.0f} MB"
    return f"{size_bytes / 1000:.0f} kB"
