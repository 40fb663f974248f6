"""Where the question is written."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key
from textual.message import Message
from textual.widgets import TextArea

__all__ = ["Composer"]


class Composer(TextArea):
    """A text field of several lines; enter sends."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "enter", "send", "Send", id="composer.send", show=False, tooltip="Ask the question."
        ),
        Binding(
            "ctrl+j,shift+enter",
            "newline",
            "New line",
            id="composer.newline",
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

    def on_key(self, event: Key) -> None:
        # Before the field's own handling, which would insert a line; and not by a priority
        # binding, which would overtake characters of a quick typist that are still queued.
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            if binding.id == "composer.send":
                self.action_send()
            elif binding.id == "composer.newline":
                self.action_newline()
            else:
                continue
            event.prevent_default()
            event.stop()
            return

    def action_send(self) -> None:
        if self.text.strip():
            self.post_message(self.Sent(self.text))

    def action_newline(self) -> None:
        self.insert("\n")
