"""A flag that stops long work, and what a user should know that is no error."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass


class CancelToken:
    """A flag that asks long work to stop, or to pause for a while. Thread-safe.

    A pickled token keeps only its `id`: the other process makes a token of its own, and whoever
    owns the connection passes the cancel on.
    """

    def __init__(self, id: str = "") -> None:
        self.id = id or uuid.uuid4().hex
        self._event = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._lock = threading.Lock()
        self._hooks: list[Callable[[], None]] = []

    def cancel(self) -> None:
        with self._lock:
            self._event.set()
            self._running.set()
            hooks, self._hooks = self._hooks, []
        for hook in hooks:
            hook()

    def on_cancel(self, hook: Callable[[], None]) -> Callable[[], None]:
        """Call `hook` once, from the cancelling thread, at once if it is too late already.

        Who waits in a blocking call needs it. Returns what takes the hook away again.
        """
        with self._lock:
            if not self._event.is_set():
                self._hooks.append(hook)
                return lambda: self._forget(hook)
        hook()
        return lambda: None

    def _forget(self, hook: Callable[[], None]) -> None:
        with self._lock:
            if hook in self._hooks:
                self._hooks.remove(hook)

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def pause(self) -> None:
        """Ask the work to wait at the next place where it can; a cancelled one is not paused."""
        with self._lock:
            if not self._event.is_set():
                self._running.clear()

    def resume(self) -> None:
        """Let it go on."""
        self._running.set()

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    def wait_while_paused(self) -> None:
        """Return at once, or when the work is resumed or cancelled."""
        self._running.wait()

    def wait(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s`; whether the token was cancelled."""
        return self._event.wait(timeout_s)

    def __reduce__(self) -> tuple[type[CancelToken], tuple[str]]:
        return (CancelToken, (self.id,))


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the user should know and that is not an error.

    Args:
        code: A stable word for machines, such as `page-without-text`.
        message: One line for people.
        page: The page that it is about, from 1; 0 for none. A loader sets it with
            `page-without-text` and `garbled-text`, so that a loader that recognises pictures of
            text can be asked for that page.
    """

    code: str
    message: str
    page: int = 0
