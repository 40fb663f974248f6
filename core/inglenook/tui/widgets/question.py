"""What the user asked."""

from __future__ import annotations

from textual.widgets import Static

from inglenook.tui.foreign_text import shown

__all__ = ["Question"]


class Question(Static):
    """A question in the transcript. With the class `waiting` it has not been asked yet."""

    def __init__(self, text: str) -> None:
        super().__init__(shown(text), markup=False)
        self.question = text
