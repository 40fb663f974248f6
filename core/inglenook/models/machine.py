"""Describes the machine that models run on: processor, memory, and the devices that it shows.

Only what the system says of itself is read: no library is asked and nothing is started but, on
macOS, `sysctl`. Whether a runtime can use a device is another question (see `device_probe`).
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inglenook.models.linux_devices import SystemDevice, linux_devices, read_text

__all__ = [
    "FEATURES",
    "CpuTimes",
    "Machine",
    "SystemDevice",
    "computing_threads",
    "machine_form",
    "read_machine",
]

FEATURES = {
    "avx": "avx",
    "avx2": "avx2",
    "fma": "fma",
    "f16c": "f16c",
    "avx_vnni": "avx-vnni",
    "avx512f": "avx512",
    "avx512_vnni": "avx512-vnni",
    "avx512_bf16": "avx512-bf16",
    "avx512_fp16": "avx512-fp16",
    "amx_tile": "amx",
    "amx_int8": "amx-int8",
    "amx_bf16": "amx-bf16",
    "asimd": "neon",
    "neon": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve": "sve",
    "sve2": "sve2",
    "sme": "sme",
    "rvv": "rvv",
}
"""What Linux calls an instruction set that models profit from -> what people call it."""

_COMMAND_S = 5.0
_NO_LIMIT_BYTES = 1 << 60
_BUSY_SHARE = 0.5
_ARM_IMPLEMENTERS = {"0x41": "ARM", "0x51": "Qualcomm", "0x61": "Apple", "0xc0": "Ampere"}


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, as its system describes it. Sizes are in bytes; None is not known.

    Args:
        system: The system and its version.
        architecture: Such as `x86_64`.
        processor: The name of the processor; "" if the system does not tell.
        cores: Physical cores.
        threads: Processors that the system schedules on.
        usable: How many of those this process may use, bounds of containers counted.
        features: Instruction sets that models profit from, by the names of people.
        memory_bytes: Memory, or less where a container bounds it.
        available_bytes: What of it could be used without swapping now.
        load: Programs that wanted to run at the same time, over the last minute.
        devices: GPUs and NPUs that the system shows.
        lists_devices: Whether this system's GPUs and NPUs can be listed here at all.
    """

    system: str
    architecture: str
    processor: str
    cores: int | None
    threads: int
    usable: int
    features: tuple[str, ...]
    memory_bytes: int | None
    available_bytes: int | None
    load: float | None
    devices: tuple[SystemDevice, ...] = ()
    lists_devices: bool = True

    @property
    def is_busy(self) -> bool:
        """Whether other programs had at least half of the usable processors' time."""
        return self.load is not None and self.load >= _BUSY_SHARE * self.usable

    def has(self, kind: str) -> bool:
        """Whether the system shows a device of that kind."""
        return any(device.kind == kind for device in self.devices)


def read_machine(root: Path = Path("/")) -> Machine:
    """This machine, now. `root` is where `/proc`, `/sys` and `/dev` are (Linux)."""
    if sys.platform == "darwin":
        return _mac()
    if sys.platform == "win32":
        return _windows()
    return _linux(root)


def computing_threads(root: Path = Path("/")) -> int:
    """How many threads may compute at the same time without slowing each other.

    That is one for each physical core that this process may use, and no more than a container may
    have of the processors. `root` is where `/proc` and `/sys` are (Linux).
    """
    if not hasattr(os, "sched_getaffinity"):
        return max(1, (os.cpu_count() or 2) // 2)
    folder = root / "sys/devices/system/cpu"
    allowed = os.sched_getaffinity(0)
    said = (read_text(folder / f"cpu{n}/topology/thread_siblings_list") for n in allowed)
    cores = len({text.strip() or str(n) for n, text in zip(allowed, said, strict=True)})
    quota, period = _cpu_quota(root)
    return max(1, min(cores, quota // period)) if quota and period else cores


def machine_form(machine: Machine) -> dict[str, Any]:
    """A machine, for machines."""
    return {
        "system": machine.system,
        "architecture": machine.architecture,
        "processor": machine.processor,
        "cores": machine.cores,
        "threads": machine.threads,
        "usable": machine.usable,
        "features": list(machine.features),
        "memory_bytes": machine.memory_bytes,
        "available_bytes": machine.available_bytes,
        "load": machine.load,
        "devices": [
            {"kind": d.kind, "name": d.name, "place": d.place, "problem": d.problem}
            for d in machine.devices
        ],
        "lists_devices": machine.lists_devices,
    }


# --- Linux ----------------------------------------------------------------------------------------


def _linux(root: Path) -> Machine:
    said = _first_values(read_text(root / "proc/cpuinfo"))
    flags = set((said.get("flags") or said.get("Features") or "").split())
    memory = _meminfo(root)
    total, available = memory.get("MemTotal"), memory.get("MemAvailable")
    limit, used = _memory_limit(root)
    if limit is not None and total is not None and limit < total:
        # What a container's files take of its memory is given back when it is needed.
        total, available = limit, min(available or limit, max(0, limit - (used or 0)))
    return Machine(
        system=f"Linux {platform.release()}",
        architecture=platform.machine(),
        processor=_processor(said, root),
        cores=_physical_cores(root),
        threads=os.cpu_count() or 1,
        usable=_usable(root),
        features=tuple(dict.fromkeys(n for flag, n in FEATURES.items() if flag in flags)),
        memory_bytes=total,
        available_bytes=available,
        load=_load(),
        devices=tuple(linux_devices(root)),
    )


def _processor(said: dict[str, str], root: Path) -> str:
    name = said.get("model name") or said.get("Model") or said.get("cpu model")
    if not name:
        name = read_text(root / "proc/device-tree/model").strip("\0 \n")
    if not name and "CPU implementer" in said:
        maker = _ARM_IMPLEMENTERS.get(said["CPU implementer"], said["CPU implementer"])
        name = f"{maker} part {said.get('CPU part', '')}".strip()
    return " ".join(name.split())


def _first_values(text: str) -> dict[str, str]:
    """The first value of each `key : value`."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found


def _meminfo(root: Path) -> dict[str, int]:
    found = {}
    for key, value in _first_values(read_text(root / "proc/meminfo")).items():
        with suppress(ValueError, IndexError):
            found[key] = int(value.split()[0]) * 1024
    return found


def _physical_cores(root: Path) -> int | None:
    folders = (root / "sys/devices/system/cpu").glob("cpu[0-9]*")
    siblings = {read_text(folder / "topology/thread_siblings_list").strip() for folder in folders}
    siblings.discard("")
    return len(siblings) or None


def _usable(root: Path) -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    allowed = allowed or os.cpu_count() or 1
    quota, period = _cpu_quota(root)
    if quota and period:
        allowed = max(1, min(allowed, -(-quota // period)))
    return allowed


def _cpu_quota(root: Path) -> tuple[int, int]:
    """Microseconds of processor time in a period of so many; 0 and 0 for no bound."""
    both = read_text(root / "sys/fs/cgroup/cpu.max").split()
    if not both:
        folder = root / "sys/fs/cgroup/cpu"
        both = [read_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    numbers = [_number(text) for text in both]
    return (numbers[0] or 0, numbers[1] or 0) if len(numbers) == 2 else (0, 0)


def _memory_limit(root: Path) -> tuple[int | None, int | None]:
    """The bound of a container's memory and what is used of it (cgroup version 2, then 1)."""
    for limit, used in (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "")):
        bound = _number(read_text(root / "sys/fs/cgroup" / limit).strip())
        if bound is not None and 0 < bound < _NO_LIMIT_BYTES:
            now = read_text(root / "sys/fs/cgroup" / (used or "memory/memory.usage_in_bytes"))
            return bound, _number(now.strip())
    return None, None


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Processor seconds since the machine started: all, those in use, and those of this process.

    `own` counts ended children too. None of it is known where there is no `/proc/stat`.
    """

    whole: float
    busy: float
    own: float

    @classmethod
    def now(cls, root: Path = Path("/")) -> CpuTimes | None:
        """Read them."""
        fields = read_text(root / "proc/stat").partition("\n")[0].split()
        if len(fields) < 6 or fields[0] != "cpu":
            return None
        tick = os.sysconf("SC_CLK_TCK")
        # user nice system idle iowait irq softirq steal; guests are in `user` already (proc(5)).
        ticks = [int(field) for field in fields[1:9]]
        idle = ticks[3] + ticks[4]
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return cls(sum(ticks) / tick, (sum(ticks) - idle) / tick, own)

    def others_since(self, before: CpuTimes) -> float:
        """The share of all processors that other programs had since then, 0 to 1."""
        whole = self.whole - before.whole
        others = (self.busy - before.busy) - (self.own - before.own)
        return min(1.0, max(0.0, others / whole)) if whole > 0 else 0.0


# --- elsewhere ------------------------------------------------------------------------------------


def _mac() -> Machine:
    chip = _sysctl("machdep.cpu.brand_string")
    own = platform.machine() == "arm64"
    words = f"{_sysctl('machdep.cpu.features')} {_sysctl('machdep.cpu.leaf7_features')}".lower()
    features = tuple(n for n in ("avx", "avx2", "avx512") if any(w[:6] == n for w in words.split()))
    made = (
        SystemDevice("gpu", f"{chip} GPU", "part of the chip"),
        SystemDevice("npu", f"{chip} Neural Engine", "part of the chip"),
    )
    threads = os.cpu_count() or 1
    return Machine(
        system=f"macOS {platform.mac_ver()[0]}",
        architecture=platform.machine(),
        processor=chip or platform.processor(),
        cores=_number(_sysctl("hw.physicalcpu")),
        threads=threads,
        usable=threads,
        features=("neon", "dotprod") if own else features,
        memory_bytes=_number(_sysctl("hw.memsize")),
        available_bytes=None,
        load=_load(),
        devices=made if own and chip else (),
        lists_devices=own,
    )


def _sysctl(name: str) -> str:
    try:
        done = subprocess.run(
            ["/usr/sbin/sysctl", "-n", name],
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _windows() -> Machine:
    total, available = _windows_memory()
    threads = os.cpu_count() or 1
    return Machine(
        system=f"Windows {platform.version()}",
        architecture=platform.machine(),
        processor=platform.processor(),
        cores=None,
        threads=threads,
        usable=threads,
        features=(),
        memory_bytes=total,
        available_bytes=available,
        load=None,
        lists_devices=False,
    )


def _windows_memory() -> tuple[int | None, int | None]:
    """All memory and what of it is free (`GlobalMemoryStatusEx`)."""
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "a", "b", "c", "d", "e")),
        )

    status = Status()
    status.length = ctypes.sizeof(status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - it is there on Windows only
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None, None
    return int(status.total), int(status.free)
