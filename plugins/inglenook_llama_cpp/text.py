"""Bytes of tokens into text that may be shown: whole characters, and nothing of a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Iterable

__all__ = ["TextStream"]


class TextStream:
    """Feed it the bytes of each token; it gives what is certain to belong to the answer."""

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stop_string = ""

    def feed(self, data: bytes) -> str:
        """The text that can be shown now. After a stop string, `stop_string` is set."""
        text = self._held + self._decoder.decode(data)
        found = [(text.find(stop), stop) for stop in self._stops if stop in text]
        if found:
            end, self.stop_string = min(found)
            self._held = ""
            return text[:end]
        held = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def finish(self) -> str:
        """What was held back and turned out to be no stop string. Half a character is dropped."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` could be the beginning of `stop`."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
