"""Ends a stream of text at the first stop string, for runtimes whose library does not do it well.

What may become a stop string is held back, so that nothing of one is ever shown; nothing that
turned out to be none is lost.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["StopStrings"]


class StopStrings:
    """Feed it pieces of text; it gives what is certain to belong to the answer."""

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.found = ""
        """The stop string that ended the text, or ""."""

    def feed(self, piece: str) -> str:
        """The text that can be shown now."""
        if not self._stops:
            return piece
        text = self._held + piece
        ends = [(text.find(stop), stop) for stop in self._stops if stop in text]
        if ends:
            end, self.found = min(ends)
            self._held = ""
            return text[:end]
        held = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def finish(self) -> str:
        """What was held back and turned out to be no stop string."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` could be the beginning of `stop`."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
