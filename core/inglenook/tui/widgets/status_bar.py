"""The bar below: assistant, model, whether anything can leave the machine, and what goes on."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from inglenook.tui.foreign_text import one_line, shown

__all__ = ["StatusBar"]


class StatusBar(Static):
    """One line that is redrawn when one of its parts changes."""

    assistant: reactive[str] = reactive("")
    model: reactive[str] = reactive("")
    remote: reactive[str] = reactive("")
    activity: reactive[str] = reactive("")

    def __init__(self) -> None:
        super().__init__(markup=False)

    def render(self) -> Content:
        badge = (
            shown(f"remote: {one_line(self.remote)}", "bold $text-error")
            if self.remote
            else shown("● offline", "$text-success")
        )
        name = shown(one_line(self.assistant) or "no assistant", "bold")
        parts = [badge, name]
        if self.activity:
            parts.append(shown(one_line(self.activity), "$text-accent"))
        if self.model and self.model != self.assistant:
            parts.append(shown(one_line(self.model), "$text-muted"))
        return shown(" · ", "dim").join(parts)
