"""The room where jobs run: how many at once, one at a time for each thing, none after the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from inglenook.errors import UnknownNameError, UserError
from inglenook.jobs.job import Job, Work

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["JobRoom"]

E = TypeVar("E")


class JobRoom:
    """Starts jobs and knows them. Thread-safe. Close it, or use it in a `with` block.

    Args:
        at_once: How many jobs run at the same time; others wait their turn in order.
        remembered: How many jobs that have ended are still listed; older ones are forgotten.
        clock: Seconds since 1970.
    """

    def __init__(
        self, at_once: int = 2, *, remembered: int = 20, clock: Callable[[], float] = time.time
    ) -> None:
        self._at_once = at_once
        self._remembered = remembered
        self._clock = clock
        self._lock = threading.RLock()
        self._jobs: dict[str, Job[Any]] = {}
        self._waiting: list[Job[Any]] = []
        self._threads: dict[str, threading.Thread] = {}
        self._closed = False

    def start(
        self, name: str, work: Work[E], *, key: str = "", passing: tuple[type, ...] = ()
    ) -> Job[E]:
        """Begin some work, now or when it is its turn.

        Args:
            name: What people call it.
            work: Gets a token and yields events, in a thread of the room.
            key: What it works on: of jobs with the same key only one may be under way. "" is none.
            passing: The types of its events of which only the newest matter, such as progress.

        Raises `UserError` if a job with that key is under way: it may have been started with
        other wishes, so it is not taken for this one. `under_way` gives it to who wants to join.
        """
        with self._lock:
            if self._closed:
                raise UserError(f"{name} cannot begin: the program is ending.")
            if key and self.under_way(key) is not None:
                raise UserError(
                    f"{name} is under way already.", hint="Wait until it is done, or cancel it."
                )
            job = Job(name, work, key=key, passing=passing, clock=self._clock, changed=self._go_on)
            self._jobs[job.id] = job
            self._waiting.append(job)
        self._go_on()
        return job

    # --- finding ----------------------------------------------------------------------------

    def jobs(self) -> tuple[Job[Any], ...]:
        """Those that wait, run, or ended not long ago, in the order in which they were started."""
        with self._lock:
            return tuple(self._jobs.values())

    def job(self, id: str) -> Job[Any]:
        """The job with this id. Raises `UnknownNameError`."""
        with self._lock:
            job = self._jobs.get(id)
        if job is None:
            raise UnknownNameError(
                f"There is no job '{id}'.", hint="It may have ended long ago; list the jobs."
            )
        return job

    def under_way(self, key: str) -> Job[Any] | None:
        """The job with this key that has not ended."""
        with self._lock:
            jobs = (job for job in self._jobs.values() if job.key == key and not job.has_ended)
            return next(jobs, None)

    # --- steering ---------------------------------------------------------------------------

    def pause(self, id: str) -> None:
        """See `Job.pause`; this and the following raise `UnknownNameError`."""
        self.job(id).pause()

    def resume(self, id: str) -> None:
        """See `Job.resume`."""
        self.job(id).resume()

    def cancel(self, id: str) -> None:
        """See `Job.cancel`."""
        self.job(id).cancel()

    def wait(self, id: str, timeout_s: float | None = None) -> bool:
        """See `Job.wait`."""
        return self.job(id).wait(timeout_s)

    # --- running ----------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Begin as many of those that wait as there is room for."""
        with self._lock:
            room = 0 if self._closed else self._at_once
            for job in tuple(self._waiting):
                if job.has_ended:
                    self._waiting.remove(job)
                elif len(self._threads) < room and job.state == "queued":
                    self._waiting.remove(job)
                    self._begin(job)
            self._forget()

    def _begin(self, job: Job[Any]) -> None:
        # A daemon: work that does not stop must not keep the program from ending.
        thread = threading.Thread(
            target=self._run, args=(job,), name=f"inglenook-job-{job.id[:8]}", daemon=True
        )
        self._threads[job.id] = thread
        try:
            thread.start()
        except RuntimeError as error:  # The system gives us no more threads.
            del self._threads[job.id]
            job.fail(error)

    def _run(self, job: Job[Any]) -> None:
        job.run()
        with self._lock:
            del self._threads[job.id]
        self._go_on()

    def _forget(self) -> None:
        ended = [job for job in self._jobs.values() if job.has_ended]
        for job in ended[: max(0, len(ended) - self._remembered)]:
            del self._jobs[job.id]

    # --- the end ----------------------------------------------------------------------------

    def close(self, timeout_s: float | None = None) -> bool:
        """Start nothing more, cancel every job, and wait until all have ended; whether they have.

        Args:
            timeout_s: How long to wait at most; None waits as long as it takes.
        """
        with self._lock:
            self._closed = True
            jobs, threads = self.jobs(), tuple(self._threads.values())
        for job in jobs:
            if not job.has_ended:
                job.cancel()
        until = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(None if until is None else max(0.0, until - time.monotonic()))
        return all(job.has_ended for job in jobs)

    def __enter__(self) -> JobRoom:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
