"""The events of one job, for any number of observers, however late or slow they are.

There is one log for all observers and an observer is no more than a position in it. So a slow one
costs nothing and never holds the work up: it misses events that merely say how far the work is,
of which only the newest few are kept, and no other.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Generic, TypeVar

__all__ = ["EventLog"]

E = TypeVar("E")

MOST_PASSING = 64
_AT_ONCE = 256
_POLL_S = 0.5
"""Waiting is cut into pieces: on Windows an endless wait would not notice Ctrl-C."""

_Entry = tuple[int, E]


class EventLog(Generic[E]):
    """Grows by the events that are kept; of those that pass it holds the newest `most_passing`.

    Args:
        passing: The types of events of which only the newest matter.
        most_passing: How many of those are held.
    """

    def __init__(self, passing: tuple[type, ...] = (), most_passing: int = MOST_PASSING) -> None:
        self._types = passing
        self._kept: list[_Entry[E]] = []
        self._passing: deque[_Entry[E]] = deque(maxlen=most_passing)
        self._count = 0
        self._closed = False
        self._changed = threading.Condition()

    def add(self, event: E) -> None:
        """Append an event and wake whoever waits for one."""
        with self._changed:
            self._count += 1
            where = self._passing if isinstance(event, self._types) else self._kept
            where.append((self._count, event))
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing comes any more: observers end when they have read everything."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def read(self, *, from_start: bool = True) -> Iterator[E]:
        """Yield the events in their order, and wait for more until the log is closed."""
        with self._changed:
            position = 0 if from_start else self._count
        return self._read_after(position)

    def _read_after(self, position: int) -> Iterator[E]:
        while entries := self._wait_after(position):
            for number, event in entries:
                position = number
                yield event

    def _wait_after(self, position: int) -> list[_Entry[E]]:
        """The next entries behind a position; none when the log is closed and read."""
        with self._changed:
            while self._count <= position and not self._closed:
                self._changed.wait(_POLL_S)
            # What passed and was dropped leaves gaps in the numbers, nothing else does.
            begin = bisect_right(self._kept, position, key=_number)
            kept = self._kept[begin : begin + _AT_ONCE]
            passing = (entry for entry in self._passing if entry[0] > position)
            return list(islice(merge(kept, passing, key=_number), _AT_ONCE))


def _number(entry: _Entry[E]) -> int:
    return entry[0]
