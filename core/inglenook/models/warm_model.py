"""A model that is loaded, or being loaded, and who uses it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from inglenook.models.memory_room import resident_bytes
from inglenook.models.wanted_model import WantedModel
from inglenook.models.worker import RuntimeWorker
from inglenook.types import RuntimeInfo

__all__ = ["WarmModel", "WarmRow"]


@dataclass(frozen=True, slots=True)
class WarmRow:
    """What there is to see of a model that is loaded.

    Args:
        model: Its name.
        runtime: What runs it.
        device: Where it runs; "" while it is being loaded.
        state: `loading`, `ready`, or `leaving` if it goes when its last request is done.
        memory_bytes: What its process holds now; 0 if that is not known.
        context_length: Tokens of prompt and answer together.
        slots: Requests that it answers at a time.
        busy: How many it answers now.
        waiting: How many wait for it.
        kept_s: Seconds until it goes if nobody uses it; None for ever, or while it is in use.
        worker_pid: The process that it runs in; None if that ended.
    """

    model: str
    runtime: str
    device: str
    state: str
    memory_bytes: int
    context_length: int
    slots: int
    busy: int
    waiting: int
    kept_s: float | None
    worker_pid: int | None


class WarmModel:
    """One loaded model. Whoever changes it holds the lock of its pool.

    Attributes:
        info: What it says of itself; None while it is being loaded.
        busy: Slots that are in use.
        pins: Uses that need no slot, such as counting tokens.
        leaving: It gets no new requests and goes after its last one.
        stopped: Somebody ended it by force.
    """

    def __init__(self, wanted: WantedModel) -> None:
        self.wanted = wanted
        self.worker = RuntimeWorker(wanted.load, wanted.files, wanted.options, wanted.log)
        self.info: RuntimeInfo | None = None
        self.busy = 0
        self.pins = 0
        self.leaving = False
        self.stopped = False
        self.used = time.monotonic()

    @property
    def slots(self) -> int:
        return max(1, self.info.slots if self.info else self.wanted.options.slots)

    @property
    def idle(self) -> bool:
        """Whether it is ready and nobody uses it."""
        return self.info is not None and not self.busy and not self.pins

    @property
    def context_length(self) -> int:
        return self.info.context_length if self.info else self.wanted.context_length

    def held_bytes(self) -> int:
        """What it takes: as measured, or as far as is known while it is being loaded."""
        return max(self.wanted.needed_bytes, resident_bytes(self.worker.pid))

    def serves(self, wanted: WantedModel) -> bool:
        """Whether it will do for somebody who wants that one, with as much context or less."""
        if self.leaving or self.wanted.identity != wanted.identity:
            return False
        if wanted.context_length <= self.wanted.context_length:
            return True
        # More than the model was trained for would not be opened anew either.
        info = self.info
        return info is not None and 0 < info.trained_context_length <= info.context_length

    def is_outgrown_by(self, wanted: WantedModel) -> bool:
        """Whether it is the same model with too small a context."""
        return self.wanted.identity == wanted.identity and not self.serves(wanted)

    def row(self, waiting: int, keep_alive_s: float) -> WarmRow:
        """What there is to see of it now."""
        kept: float | None = None
        if self.idle and keep_alive_s >= 0:
            kept = max(0.0, self.used + keep_alive_s - time.monotonic())
        state = "loading" if self.info is None else "leaving" if self.leaving else "ready"
        return WarmRow(
            model=self.wanted.files.reference,
            runtime=self.wanted.runtime,
            device=self.info.device if self.info else "",
            state=state,
            memory_bytes=resident_bytes(self.worker.pid),
            context_length=self.context_length,
            slots=self.slots,
            busy=self.busy,
            waiting=waiting,
            kept_s=kept,
            worker_pid=self.worker.pid,
        )
