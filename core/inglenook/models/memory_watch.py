"""Finds the most memory that a process and those it started have held."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

__all__ = ["MemoryWatch"]

LOOK_S = 1.0
"""How often new processes are looked for; a shorter-lived one may be missed."""

_COMMAND_S = 5.0


class MemoryWatch:
    """Watches a process and its descendants while a `with` block runs.

    `peak_bytes` then is the sum of the most resident memory of each, mapped files counted: on Linux
    as the kernel keeps it (`VmHWM`), elsewhere the largest of what was seen every `LOOK_S`. It is
    None where nothing can be seen (Windows).
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peaks: dict[int, int] = {}
        self._largest = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="inglenook-memory", daemon=True)
        self.peak_bytes: int | None = None

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(_COMMAND_S)
        self._look()
        self.peak_bytes = self._largest or None

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        if sys.platform == "linux":
            for pid in (self._pid, *_descendants(self._pid, _linux_parents())):
                self._peaks[pid] = max(self._peaks.get(pid, 0), _linux_peak(pid))
            self._largest = sum(self._peaks.values())
        elif sys.platform != "win32":
            table = _listed()
            tree = (self._pid, *_descendants(self._pid, {p: row[0] for p, row in table.items()}))
            now = sum(table[pid][1] for pid in tree if pid in table)
            self._largest = max(self._largest, now)


def _descendants(pid: int, parents: dict[int, int]) -> list[int]:
    """Those that it started, and those that these started. `parents` is pid -> pid."""
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one and child != one]
    return found[1:]


def _linux_parents() -> dict[int, int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # The name of the program, in brackets, may hold anything (proc(5)).
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
    return parents


def _linux_peak(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _listed() -> dict[int, tuple[int, int]]:
    """Process -> (its parent, its resident bytes), as `ps` lists them."""
    command = ["/bin/ps", "-axo", "pid=,ppid=,rss="]
    found = {}
    with suppress(OSError, subprocess.TimeoutExpired, ValueError):
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_COMMAND_S
        )
        for line in done.stdout.splitlines():
            pid, parent, kilobytes = map(int, line.split())
            found[pid] = (parent, kilobytes * 1024)
    return found
