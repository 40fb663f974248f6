"""What a child process may use. Applied there, before the part is imported."""

from __future__ import annotations

import sys
from dataclasses import dataclass

__all__ = ["ProcessLimits", "apply_limits"]

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Limits of a child process; where the platform has no such limit it does not hold.

    Args:
        memory_bytes: Address space (`RLIMIT_AS`); Linux only, 0 means none.
        file_bytes: The longest file that it may write, memory files too (`RLIMIT_FSIZE`).
        open_files: Descriptors (`RLIMIT_NOFILE`).
        network: Whether it may speak to anybody. Without, it gets an empty network of its own
            where the kernel allows that (Linux).
        outlives_parent: Whether it may go on when the thread that started it has ended, also when
            that was killed. A child stuck in native code does not hear its input end (Linux).
        niceness: How far it steps back for other processes (`nice`, not on Windows).
    """

    memory_bytes: int = 0
    file_bytes: int = 0
    open_files: int = 0
    network: bool = True
    outlives_parent: bool = True
    niceness: int = 0


def apply_limits(limits: ProcessLimits) -> None:
    """Limit this process from now on."""
    if not limits.network:
        _leave_network()
    if not limits.outlives_parent:
        _end_with_parent()
    if sys.platform == "win32":
        return
    import os
    import resource

    if limits.niceness:
        os.nice(limits.niceness)
    # Darwin has RLIMIT_AS but does not keep it.
    if limits.memory_bytes and sys.platform == "linux":
        _lower(resource.RLIMIT_AS, limits.memory_bytes)
    if limits.file_bytes:
        _lower(resource.RLIMIT_FSIZE, limits.file_bytes)
    if limits.open_files:
        _lower(resource.RLIMIT_NOFILE, limits.open_files)
    # A core dump would put document text on the disk.
    _lower(resource.RLIMIT_CORE, 0)


def _lower(kind: int, value: int) -> None:
    import resource

    _, hard = resource.getrlimit(kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, allowed))


def _leave_network() -> None:
    """Enter an empty network namespace; containers may refuse it, and then nothing changes."""
    if sys.platform != "linux":
        return
    import ctypes
    import os

    # A user namespace lets an ordinary user do it; root does not need one, and would lose its
    # right to read other people's files in it.
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    ctypes.CDLL(None, use_errno=True).unshare(flags)


def _end_with_parent() -> None:
    if sys.platform != "linux":
        return
    import ctypes
    import signal

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
