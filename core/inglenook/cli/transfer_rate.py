"""How fast something comes, and how long the rest will take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

__all__ = ["TransferRate"]

_WINDOW_S = 8.0
_LEAST_S = 1.0


class TransferRate:
    """Looks at the last seconds, so that a resumed or slowed transfer is told as it is now.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._what = ""

    def at(self, what: str, done_bytes: int, total_bytes: int) -> str:
        """The rate and the time left, such as `12.3 MB/s, 2:05 left`; "" while unknown."""
        now = self._clock()
        if what != self._what or (self._seen and done_bytes < self._seen[-1][1]):
            self._what = what
            self._seen.clear()
        self._seen.append((now, done_bytes))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()
        since, before = self._seen[0]
        if now - since < _LEAST_S or done_bytes <= before:
            return ""
        rate = (done_bytes - before) / (now - since)
        said = f"{rate / 1e6:.1f} MB/s" if rate >= 1e5 else f"{rate / 1e3:.1f} kB/s"
        if total_bytes <= done_bytes:
            return said
        return f"{said}, {_duration((total_bytes - done_bytes) / rate)} left"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
