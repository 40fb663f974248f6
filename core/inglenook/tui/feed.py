"""The bridge from engine threads to the screen: a queue that the screen empties a few times a
second, so that a fast model costs no more redraws than a slow one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from inglenook.tui.session import SessionEvent
from inglenook.types import TextDelta, ThinkingDelta

__all__ = ["EventFeed", "FeedEvent", "JobEnded"]


@dataclass(frozen=True, slots=True)
class JobEnded:
    """The engine's thread has nothing more to say."""


FeedEvent = SessionEvent | JobEnded


class EventFeed:
    """Events in order; any thread may put, the screen drains."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[FeedEvent] = []

    def put(self, event: FeedEvent) -> None:
        with self._lock:
            self._events.append(event)

    def drain(self) -> list[FeedEvent]:
        """What came since the last call; pieces of text that follow each other are joined."""
        with self._lock:
            events, self._events = self._events, []
        return list(_joined(events))


def _joined(events: Iterable[FeedEvent]) -> Iterator[FeedEvent]:
    for kind, run in groupby(events, key=type):
        if kind is TextDelta:
            yield TextDelta("".join(event.text for event in run if isinstance(event, TextDelta)))
        elif kind is ThinkingDelta:
            said = (event.text for event in run if isinstance(event, ThinkingDelta))
            yield ThinkingDelta("".join(said))
        else:
            yield from run
