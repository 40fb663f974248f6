"""Where the question is written."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea

__all__ = ["Composer"]


class Composer(TextArea):
    """A text field of several lines; enter sends."""

    # Enter and its kin are caught before the field itself would insert a line.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter",
            "send",
            "Send",
            id="composer.send",
            priority=True,
            show=False,
            tooltip="Ask the question.",
        ),
        Binding(
            "ctrl+j,shift+enter",
            "newline",
            "New line",
            id="composer.newline",
            priority=True,
            show=False,
            tooltip="Go on writing on a new line.",
        ),
    ]

    class Sent(Message):
        """The user wants this asked."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self) -> None:
        super().__init__(
            id="composer",
            soft_wrap=True,
            compact=True,
            highlight_cursor_line=False,
            placeholder="Ask a question … (enter sends, ctrl+j begins a new line)",
        )

    def action_send(self) -> None:
        if self.text.strip():
            self.post_message(self.Sent(self.text))

    def action_newline(self) -> None:
        self.insert("\n")
