"""What a person sees while documents are read: how far it is, how fast, how long it will take."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from inglenook.cli.columns import count, wrapped
from inglenook.cli.progress import Progress
from inglenook.cli.terminal import Terminal, visible
from inglenook.types import (
    EMPTY,
    PART_FAILED,
    IngestEvent,
    IngestPlan,
    IngestProgress,
    Notice,
    SourceResult,
)

__all__ = ["ReadingProgress"]

MOST_NOTES = 20
"""How many notes a person is shown; a file or a pipe gets them all."""

_MOST_EMPTY = 5
_WINDOW_S = 10.0
_LEAST_S = 3.0


class ReadingProgress:
    """Shows the events of an ingestion on stderr.

    Args:
        terminal: Where it is shown.
        verbose: Show every note.
    """

    def __init__(self, terminal: Terminal, *, verbose: bool = False) -> None:
        self._progress = Progress(terminal)
        self._terminal = terminal
        self._most_notes = MOST_NOTES if terminal.err_is_terminal and not verbose else None
        self._notes = 0
        self._empty: list[str] = []
        self._speed = _Speed()

    def __enter__(self) -> ReadingProgress:
        self._terminal.status("Looking at the documents…")
        self._progress.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._terminal.status("")
        self._progress.__exit__(kind, error, trace)
        self._say_what_is_empty()
        hidden = self._notes - self._most_notes if self._most_notes is not None else 0
        if hidden > 0:
            self._terminal.note(f"… and {count(hidden, 'more note')}; --verbose shows all.")

    def show(self, event: IngestEvent) -> None:
        """Bring the next event onto the screen."""
        self._terminal.status("")
        if isinstance(event, IngestPlan):
            if event.to_read:
                self._progress.show("reading", 0, event.to_read)
        elif isinstance(event, IngestProgress):
            detail = " · ".join(self._speed.details(event))
            self._progress.show(visible(event.name), event.done, event.total, detail)
        elif isinstance(event, SourceResult):
            # What is as it was has been said before; parts that failed are in the table.
            for notice in event.notices if event.outcome != "unchanged" else ():
                if notice.code == EMPTY:
                    self._empty.append(event.name)
                elif notice.code != PART_FAILED:
                    self._note(f"{event.name}: {notice.message}")
        elif isinstance(event, Notice):
            self._note(event.message)

    def say(self, text: str) -> None:
        """Write a line that is not the document's."""
        self._terminal.status("")
        self._progress.note(text)

    def _say_what_is_empty(self) -> None:
        """One note for all: folders of programs are full of files that hold nothing."""
        most = len(self._empty) if self._most_notes is None else _MOST_EMPTY
        if self._empty:
            more = len(self._empty) - most
            tail = f" and {more:,} more" if more > 0 else ""
            number = count(len(self._empty), "document")
            self._progress.note(
                self._fitted(
                    f"Nothing to read in {number}: {', '.join(sorted(self._empty)[:most])}{tail}"
                )
            )

    def _note(self, text: str) -> None:
        self._notes += 1
        if self._most_notes is None or self._notes <= self._most_notes:
            self._progress.note(self._fitted(text))

    def _fitted(self, text: str) -> str:
        """Fit to be shown: on a terminal no word is broken at the end of a line."""
        width = self._terminal.err_columns
        return visible(text) if width is None else wrapped(visible(text), width, "  ", "")


class _Speed:
    """How fast it goes, over the last seconds, and how long it will take."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque([(0.0, 0)])

    def details(self, event: IngestProgress) -> list[str]:
        """`41 chunks/s`, `3 failed`, `about 2 min left`; what is not known is left out."""
        self._seen.append((event.seconds, event.chunks))
        while len(self._seen) > 2 and event.seconds - self._seen[1][0] >= _WINDOW_S:
            self._seen.popleft()
        (since, chunks_then) = self._seen[0]
        seconds, chunks = event.seconds - since, event.chunks - chunks_then
        details = []
        if seconds > 0 and chunks > 0:
            details.append(f"{chunks / seconds:,.0f} chunks/s")
        if event.failed:
            details.append(f"{event.failed:,} failed")
        left = _seconds_left(event)
        if left is not None:
            details.append(f"about {_duration(left)} left")
        return details


def _seconds_left(event: IngestProgress) -> float | None:
    """By the bytes that are left to read; None while that would be a guess."""
    if event.seconds < _LEAST_S or not 0 < event.bytes_done < event.bytes_total:
        return None
    return event.seconds * (event.bytes_total - event.bytes_done) / event.bytes_done


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
