"""Text that grows while it is read, drawn as several small pieces so that adding stays cheap."""

from __future__ import annotations

from collections.abc import Iterator

from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from inglenook.tui.foreign_text import plain_text

__all__ = ["GrowingText"]

PIECE_CHARACTERS = 1_000
"""A piece is closed at the first line end past this; only the open one is laid out again."""


class GrowingText(Vertical):
    """Shows all that was appended, character for character (control characters apart)."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[str] = []
        self._open = ""
        self._widget = _piece(Content())
        self._widget.display = False

    def compose(self) -> Iterator[Static]:
        yield self._widget

    @property
    def text(self) -> str:
        """What is shown."""
        return "\n".join((*self._pieces, self._open))

    def append(self, text: str) -> None:
        """Add text at the end."""
        self._open += plain_text(text)
        pieces = list(_cut(self._open))
        for piece in pieces[:-1]:
            self._widget.update(Content(piece))
            self._widget.display = True
            self._pieces.append(piece)
            self._widget = _piece(Content())
            self.mount(self._widget)
        self._open = pieces[-1]
        self._widget.update(Content(self._open))
        self._widget.display = bool(self._open)

    def replace(self, content: Content) -> None:
        """Show this instead, with its styles."""
        lines = content.split("\n", allow_blank=True)
        pieces: list[Content] = []
        first = 0
        for piece in _cut(content.plain):
            end = first + piece.count("\n") + 1
            pieces.append(Content("\n").join(lines[first:end]))
            first = end
        self._pieces = [piece.plain for piece in pieces[:-1]]
        self._open = pieces[-1].plain
        with self.app.batch_update():
            self.remove_children()
            widgets = [_piece(piece) for piece in pieces]
            self._widget = widgets[-1]
            self.mount(*widgets)


def _piece(content: Content) -> Static:
    return Static(content, markup=False)


def _cut(text: str) -> Iterator[str]:
    """Pieces that give the text again when they are joined with line ends."""
    start = 0
    while (end := text.find("\n", start + PIECE_CHARACTERS)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]
