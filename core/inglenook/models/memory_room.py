"""Says whether one more model fits into the memory that models may take."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from inglenook.models.machine import Machine, read_machine

__all__ = ["MemoryRoom", "resident_bytes"]

SHARE_OF_FREE = 0.8
"""How much of what is free one more model may take; its working buffers come on top."""

SHARE_OF_ALL = 0.9
"""How much of the whole memory all models together may take where nobody said how much."""

_COMMAND_S = 2.0


class MemoryRoom:
    """The memory for models, in bytes.

    Args:
        budget_bytes: What they may take together; 0 is a share of what the machine has free.
        machine: Reads the machine as it is now.
    """

    def __init__(self, budget_bytes: int, machine: Callable[[], Machine] = read_machine) -> None:
        self._budget = budget_bytes
        self._machine = machine

    @property
    def is_stated(self) -> bool:
        """Whether somebody said how much it is."""
        return self._budget > 0

    def whole_bytes(self) -> int | None:
        """The most that one model can ever have; None if nobody knows."""
        return self._budget or self._machine().memory_bytes

    def fits(self, needed: int, held: int, freed: int, coming: int) -> bool:
        """Whether a model that needs so much can be loaded beside the others.

        Args:
            needed: What it needs.
            held: What the models take that stay, those that are being loaded too.
            freed: What those give back that would go.
            coming: What those will take that are being loaded and have not got it yet.
        """
        if self._budget:
            return held + needed <= self._budget
        machine = self._machine()
        if machine.memory_bytes is not None and held + needed > SHARE_OF_ALL * machine.memory_bytes:
            return False
        if machine.available_bytes is None:
            return True
        return needed <= SHARE_OF_FREE * (machine.available_bytes + freed - coming)


def resident_bytes(pid: int | None) -> int:
    """The memory that a process holds now, mapped files counted; 0 if that is not known."""
    if pid is None or sys.platform == "win32":
        return 0
    with suppress(OSError, ValueError, IndexError, StopIteration, subprocess.TimeoutExpired):
        status = Path(f"/proc/{pid}/status")
        if status.exists():
            lines = status.read_text().splitlines()
            return next(int(x.split()[1]) * 1024 for x in lines if x.startswith("VmRSS:"))
        done = subprocess.run(
            ["/bin/ps", "-o", "rss=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_S,
        )
        return int(done.stdout) * 1024
    return 0
