"""A few words on lines of their own: a notice, an error, a remark."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from inglenook.tui.foreign_text import shown
from inglenook.types import Failed

__all__ = ["Line", "failure_line"]


class Line(Static):
    """Plain text that is never parsed as markup.

    Args:
        text: What to say.
        kind: `notice`, `finding`, `error`, `remark`, …: the CSS class that gives its colour.
    """

    def __init__(self, text: str | Content, kind: str = "remark") -> None:
        super().__init__(shown(text) if isinstance(text, str) else text, classes=kind, markup=False)


def failure_line(failure: Failed) -> Line:
    """What went wrong and what to do next, on two lines. A stop is not an error."""
    if failure.error == "Cancelled":
        return Line("stopped", "usage")
    hint = f"\n  {failure.hint}" if failure.hint else ""
    return Line(f"✗ {failure.message}{hint}", "error")
