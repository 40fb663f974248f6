"""A screen that runs jobs of the engine: one at a time, in a thread, shown a few times a second."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from textual import work
from textual.screen import Screen

from inglenook.tui.feed import EventFeed, JobEnded
from inglenook.tui.session import Job, Session, SessionEvent

__all__ = ["EngineScreen"]

FLUSHES_A_SECOND = 15


class EngineScreen(Screen[None]):
    """Subclasses say how events are shown (`show_event`) and what a job's end means (`job_ended`).

    Args:
        session: The engine.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.busy = False
        self.next_action: Callable[[], None] | None = None
        """What is done when the running job has ended."""
        self._feed = EventFeed()
        self._flush = self.set_interval(1 / FLUSHES_A_SECOND, self._drain, pause=True)

    def show_event(self, event: SessionEvent) -> None:
        """Show an event of the running job."""
        raise NotImplementedError

    def job_ended(self) -> None:
        """The running job has ended; nothing more comes from it."""
        raise NotImplementedError

    def run_job(self, job: Job) -> None:
        """Run a job in a thread. No other may be running."""
        self.busy = True
        self._flush.resume()
        self._work(job)

    def stop_job(self) -> None:
        """Ask the running job to end, and do nothing after it."""
        self.session.stop()
        self.next_action = None

    def when_free(self, action: Callable[[], None]) -> None:
        """Do it now, or as soon as the running job has been stopped."""
        if not self.busy:
            action()
            return
        self.stop_job()
        self.next_action = action

    @work(thread=True, exclusive=True, group="engine", exit_on_error=False)
    def _work(self, job: Job) -> None:
        try:
            with closing(job):
                for event in job:
                    self._feed.put(event)
        finally:
            self._feed.put(JobEnded())

    def _drain(self) -> None:
        events = self._feed.drain()
        if not events:
            return
        with self.app.batch_update():
            for event in events:
                if isinstance(event, JobEnded):
                    self._end_job()
                else:
                    self.show_event(event)

    def _end_job(self) -> None:
        self.busy = False
        self._flush.pause()
        self.job_ended()
        action, self.next_action = self.next_action, None
        if action is not None:
            action()
