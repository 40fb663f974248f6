"""What Ctrl-C does while something runs: the first one asks it to stop, the next one ends nook."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from inglenook.types import CancelToken

__all__ = ["stopped_by_interrupt"]


@contextmanager
def stopped_by_interrupt(cancel: CancelToken) -> Iterator[None]:
    """In this block the first Ctrl-C cancels the token; a second one raises as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if cancel.cancelled:
            signal.default_int_handler(number, frame)
        # Not in this thread: it may be the one that holds the token's lock right now.
        threading.Thread(target=cancel.cancel, daemon=True).start()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
