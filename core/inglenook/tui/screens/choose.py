"""The list of what can be asked; one of them is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from inglenook.tui.foreign_text import one_line, shown
from inglenook.tui.session import Choice

__all__ = ["ChooseScreen"]


class ChooseScreen(ModalScreen[str | None]):
    """Assistants first, then bare models. Gives the chosen name, or None."""

    CSS_PATH = "choose.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", id="choose.leave", tooltip="Choose nothing."),
    ]

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Vertical(id="choose") as box:
            box.border_title = "Choose an assistant"
            box.border_subtitle = "enter choose · esc back"
            yield OptionList(*self._options(), markup=False)

    def _options(self) -> Iterator[Option]:
        for index, choice in enumerate(self._choices):
            yield Option(_described(choice), id=str(index), disabled=bool(choice.problem))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index].name)

    def action_leave(self) -> None:
        self.dismiss(None)


def _described(choice: Choice) -> Content:
    name = shown(one_line(choice.name), "bold")
    if choice.problem:
        return Content.assemble(name, shown(f"\n  ✗ {choice.problem}", "$text-error"))
    about = "a model, without documents" if choice.is_model else one_line(choice.model)
    described = Content.assemble(name, shown(f"  {about}", "$text-muted"))
    if not choice.model_missing:
        return described
    pull = f"\n  its model is not here yet: nook pull {one_line(choice.model)}"
    return Content.assemble(described, shown(pull, "$text-warning"))
