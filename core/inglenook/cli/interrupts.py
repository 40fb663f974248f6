"""What Ctrl-C does while something runs: the first one asks it to stop, the next one ends nook."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from inglenook.types import CancelToken

if TYPE_CHECKING:
    from inglenook.cli.terminal import Terminal

__all__ = ["INTERRUPTED", "Interrupt", "end_at_once", "stopped_by_interrupt"]

INTERRUPTED = 130


class Interrupt:
    """What stopped something: the number of a signal, 0 for none."""

    signal_number = 0

    @property
    def asked_to_terminate(self) -> bool:
        return self.signal_number == signal.SIGTERM


@contextmanager
def stopped_by_interrupt(cancel: CancelToken, *, terminate: bool = False) -> Iterator[Interrupt]:
    """In this block the first Ctrl-C cancels the token; a second one raises as usual.

    Args:
        cancel: What is cancelled.
        terminate: The signal to terminate does the same.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if cancel.cancelled:
            signal.default_int_handler(number, frame)
        interrupt.signal_number = number
        # Not in this thread: it may be the one that holds the token's lock right now.
        threading.Thread(target=cancel.cancel, daemon=True).start()

    numbers = (signal.SIGINT, signal.SIGTERM) if terminate else (signal.SIGINT,)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_at_once(terminal: Terminal) -> None:
    """End this process now, whatever its threads are doing.

    The usual way would unload libraries under a thread that is in the middle of one. What is on
    disk bears it: it bears a kill at any moment.
    """
    terminal.status("")
    terminal.error("Stopped.")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)
