"""The conversation, question by question; it follows the answer unless the user scrolled up."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.widget import Widget

from inglenook.tui.widgets.line import Line

__all__ = ["Transcript"]


class Transcript(VerticalScroll, can_focus=True):
    """A column of questions, answers and remarks."""

    def on_mount(self) -> None:
        self.anchor()

    def add(self, widget: Widget, before: Widget | None = None) -> None:
        """Put a widget at the end, or before another."""
        self.mount(widget, before=before)

    def say(self, text: str, kind: str = "remark") -> None:
        """Put a remark at the end."""
        self.add(Line(text, kind))

    def clear(self) -> None:
        """Take everything away."""
        self.remove_children()
        self.anchor()
