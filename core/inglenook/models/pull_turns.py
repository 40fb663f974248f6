"""One pull of a model at a time: the next one waits, and then finds what the first has left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from inglenook.models.pull_events import PullEvent, Stopper
from inglenook.models.workbench import Workbench
from inglenook.types import CancelToken, Notice

__all__ = ["in_turn"]

_WAIT_S = 0.2


def in_turn(
    bench: Workbench, name: str, cancel: CancelToken, work: Callable[[], Iterator[PullEvent]]
) -> Iterator[PullEvent]:
    """Do the work as the only one at this bench. Raises `Cancelled` while it waits."""
    told, stop = False, Stopper(cancel)
    while True:
        with bench.held() as mine:
            if mine:
                yield from work()
                return
        if not told:
            told = True
            yield Notice("waiting", f"Another pull of {name} is running; waiting for it.")
        cancel.wait(_WAIT_S)
        stop()
