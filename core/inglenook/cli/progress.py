"""A progress bar on stderr, for people only; notes are written above it."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from inglenook.cli.columns import shortened
from inglenook.cli.terminal import Terminal, safe_text

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

__all__ = ["Progress"]

_BAR = 20
_NUMBERS = 18
_LABEL = 40
_LEAST_LABEL = 8


class Progress:
    """Shows how far something is, where stderr is a terminal; elsewhere nothing is drawn.

    Args:
        terminal: Where notes go.
        unit: `bytes`, or "" for plain numbers.
    """

    def __init__(self, terminal: Terminal, *, unit: str = "") -> None:
        self._terminal = terminal
        self._unit = unit
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._said: set[str] = set()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, what: str, done: int, total: int, detail: str = "") -> None:
        """Show that `what` is at `done` of `total`; 0 of 0 is unknown.

        Args:
            detail: What else there is to say of it, such as its speed.
        """
        if not self._terminal.shows_progress:
            return
        bar = self._started()
        # The numbers matter more than the name, which gets what they leave.
        room = bar.console.width - _BAR - _NUMBERS - len(detail)
        label = shortened(safe_text(what), min(_LABEL, room)) if room >= _LEAST_LABEL else ""
        if self._task is None:
            self._task = bar.add_task("", total=total or None, what=label, detail=detail)
        bar.update(self._task, completed=done, total=total or None, what=label, detail=detail)

    def note(self, text: str) -> None:
        """Write a line above the bar, once."""
        if text in self._said:
            return
        self._said.add(text)
        if self._bar is not None and not self._terminal.quiet:
            self._bar.console.print(safe_text(text), markup=False, highlight=False)
        else:
            self._terminal.note(text)

    def _started(self) -> Bar:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn
            from rich.progress import Progress as Bar

            numbers: Any = DownloadColumn() if self._unit == "bytes" else MofNCompleteColumn()
            # Names of files may look like markup; they are shown as they are.
            detail = TextColumn("{task.fields[detail]}", markup=False)
            label = TextColumn("{task.fields[what]}", markup=False)
            console = Console(file=sys.stderr)
            line = (BarColumn(_BAR), numbers, detail, label)
            self._bar = Bar(*line, console=console, transient=True)
            self._bar.start()
        return self._bar
