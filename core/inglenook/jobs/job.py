"""A job: one piece of long work, and the handle that every face has on it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Generic, Literal, TypeVar

from inglenook.errors import Cancelled
from inglenook.jobs.event_log import EventLog
from inglenook.types import CancelToken

__all__ = ["ENDED", "Job", "JobState", "Work"]

E = TypeVar("E")

JobState = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
Work = Callable[[CancelToken], Iterator[E]]
"""Does something, event by event. It looks at the token, and ends soon after a cancel."""

ENDED: frozenset[JobState] = frozenset(("done", "failed", "cancelled"))


class Job(Generic[E]):
    """One piece of work in a room. Thread-safe.

    Args:
        name: What people call it.
        work: Called once, in a thread of its own, when it is the job's turn.
        key: What it works on; see `JobRoom.start`.
        passing: The types of its events of which only the newest matter, such as progress.
        clock: Seconds since 1970.
        changed: Told, with no lock held, when it was paused, resumed or cancelled.

    Attributes:
        queued_at, started_at, ended_at: Seconds since 1970; None for what did not happen yet.
        latest: The newest event; None before the first.
        error: What ended it in the state `failed`.
    """

    def __init__(
        self,
        name: str,
        work: Work[E],
        *,
        key: str = "",
        passing: tuple[type, ...] = (),
        clock: Callable[[], float],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.name = name
        self.key = key
        self.queued_at = clock()
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.latest: E | None = None
        self.error: BaseException | None = None
        self._work = work
        self._clock = clock
        self._changed = changed
        self._token = CancelToken()
        self._log: EventLog[E] = EventLog(passing)
        self._lock = threading.Lock()
        self._state: JobState = "queued"
        self._ended = threading.Event()

    def __repr__(self) -> str:
        return f"<Job {self.name!r} {self.state}>"

    @property
    def state(self) -> JobState:
        """`paused` from the moment that a pause was asked for, whether it began or not."""
        with self._lock:
            paused = self._state in ("queued", "running") and self._token.paused
            return "paused" if paused else self._state

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    def observe(self, *, from_start: bool = True) -> Iterator[E]:
        """Yield its events as they come, until it has ended; raises nothing if it failed.

        Any number of observers may do so, each at its own pace. One that is slow, or late, misses
        events of the `passing` types but for the newest; it gets every other event.

        Args:
            from_start: Begin with its first event rather than with the next one.
        """
        return self._log.read(from_start=from_start)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended; whether it has."""
        return self._ended.wait(timeout_s)

    def check(self) -> None:
        """Raise what it failed with, if it did."""
        if self.error is not None:
            raise self.error

    # --- steering ---------------------------------------------------------------------------

    def pause(self) -> None:
        """Let it wait: before it begins, or at the next place where it can.

        One that has begun keeps its place among those that run, and what it holds open.
        """
        if not self.has_ended:
            self._token.pause()
            self._changed()

    def resume(self) -> None:
        """Let it go on."""
        self._token.resume()
        self._changed()

    def cancel(self) -> None:
        """Ask it to stop; it winds down by itself. One that has not begun ends at once."""
        with self._lock:
            waiting = self._state == "queued"
            if waiting:
                self._set_ended("cancelled")
        self._token.cancel()
        self._changed()

    # --- for the room -----------------------------------------------------------------------

    def run(self) -> None:
        """Do the work in this thread, unless it was cancelled before. Raises nothing."""
        with self._lock:
            if self._state != "queued":
                return
            self._state = "running"
        self.started_at = self._clock()
        try:
            self._follow(self._work(self._token))
        except Cancelled:
            self._end("cancelled")
        # The work is anything at all, and whoever waits for it must hear how it ended.
        except BaseException as error:  # noqa: BLE001
            self.fail(error)
        else:
            self._end("cancelled" if self._token.cancelled else "done")

    def fail(self, error: BaseException) -> None:
        """End it with this error."""
        self.error = error
        self._end("failed")

    def _follow(self, events: Iterator[E]) -> None:
        try:
            for event in events:
                self.latest = event
                self._log.add(event)
                self._token.wait_while_paused()
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()

    def _end(self, state: JobState) -> None:
        with self._lock:
            self._set_ended(state)

    def _set_ended(self, state: JobState) -> None:
        self.ended_at = self._clock()
        self._state = state
        self._log.close()
        self._ended.set()
