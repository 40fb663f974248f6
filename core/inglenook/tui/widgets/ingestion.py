"""The line that says how far reading an assistant's documents is."""

from __future__ import annotations

from collections.abc import Iterator

from textual.containers import Vertical
from textual.widget import Widget

from inglenook.tui.foreign_text import shown
from inglenook.tui.widgets.line import Line
from inglenook.tui.wording import progress_line, report_line, source_line
from inglenook.types import (
    IngestEvent,
    IngestPlan,
    IngestProgress,
    IngestReport,
    Notice,
    SourceResult,
)

__all__ = ["IngestionView"]

MOST_REMARKS = 5


class IngestionView(Vertical):
    """Shows the events of one ingestion; problems stay visible, at most a handful of them."""

    def __init__(self) -> None:
        super().__init__()
        self._progress = Line("Reading documents …", "progress")
        self._remarks: list[str] = []

    def compose(self) -> Iterator[Widget]:
        yield self._progress

    def show(self, event: IngestEvent) -> None:
        """Bring the next event onto the screen."""
        match event:
            case IngestPlan(to_read=to_read):
                self._progress.update(shown(f"Reading documents · {to_read} to read"))
            case IngestProgress():
                self._progress.update(shown(progress_line(event)))
            case SourceResult(outcome="failed" | "quarantined"):
                self._remark("✗ " + source_line(event))
            case SourceResult(name=name, notices=notices):
                for notice in notices:
                    self._remark(f"• {name}: {notice.message}")
            case Notice(message=message):
                self._remark("• " + message)
            case IngestReport():
                self._progress.update(shown(report_line(event)))
                more = len(self._remarks) - MOST_REMARKS
                if more > 0:
                    self.mount(Line(f"… and {more} more; `nook ingest` lists them all.", "notice"))

    def end(self) -> None:
        """It ends without a report; the remarks stay."""
        self._progress.display = False

    def _remark(self, text: str) -> None:
        self._remarks.append(text)
        if len(self._remarks) <= MOST_REMARKS:
            self.mount(Line(text, "error" if text.startswith("✗") else "notice"))
