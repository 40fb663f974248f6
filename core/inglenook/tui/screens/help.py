"""The keys and what they do, made from the bindings themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from inglenook.tui.foreign_text import shown

__all__ = ["HelpScreen"]


class HelpScreen(ModalScreen[None]):
    """Lists keys with what they do."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1", "leave", "Back", id="help.leave", tooltip="Back to the chat."),
    ]

    def __init__(self, bindings: Iterable[Binding]) -> None:
        super().__init__()
        self._listed = tuple(binding for binding in bindings if binding.tooltip)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help") as box:
            box.border_title = "Keys"
            box.border_subtitle = "esc back"
            yield Static(self._table(), markup=False)

    def _table(self) -> Content:
        keys: dict[str, list[str]] = {}
        for binding in self._listed:
            keys.setdefault(binding.tooltip, []).append(self.app.get_key_display(binding))
        rows = [(", ".join(dict.fromkeys(shown_keys)), text) for text, shown_keys in keys.items()]
        width = max((len(key) for key, _ in rows), default=0)
        return Content("\n").join(
            Content.assemble(shown(f"{key:<{width}}", "bold $text-accent"), f"  {text}")
            for key, text in rows
        )

    def action_leave(self) -> None:
        self.dismiss()
