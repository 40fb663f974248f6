"""Asks the libraries of installed parts which devices they can use, each in a process of its own.

A driver may crash, hang or print while it is asked. The child bears that; what became of it is
told instead of an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import Cancelled, InglenookError, PluginError
from inglenook.models.library_versions import library_versions
from inglenook.processes.limits import ProcessLimits
from inglenook.processes.worker_process import WorkerGoneError, WorkerProcess, WorkerTimeoutError
from inglenook.protocols import DeviceProbe
from inglenook.types import CancelToken, DeviceReport

if TYPE_CHECKING:
    from inglenook.host import Host, Registered

__all__ = [
    "ASKED_KINDS",
    "PROBE_TIMEOUT_S",
    "Choice",
    "DeviceQuestion",
    "PartDevices",
    "chosen",
    "part_form",
    "probe_parts",
]

ASKED_KINDS = ("runtime", "embedder", "reranker")
PROBE_TIMEOUT_S = 30.0
"""How long a library may think: the first look at a GPU takes seconds."""

_AT_ONCE = 2
_KINDS = ("cpu", "gpu", "npu")


@dataclass(frozen=True, slots=True)
class Choice:
    """The device that DEVICE would choose; `device` is "" where none of those wanted is usable."""

    device: str
    reason: str


@dataclass(frozen=True, slots=True)
class PartDevices:
    """What a part's library said.

    Args:
        kind, name: Of the part.
        versions: Of its libraries, by distribution.
        answers: Whether the part says anything of devices at all.
        devices: What it said.
        problem: Why there is no answer, in a line; "" for nothing.
        hint: What to do about it.
        installed: Whether its libraries are there.
    """

    kind: str
    name: str
    versions: dict[str, str] = field(default_factory=dict)
    answers: bool = True
    devices: tuple[DeviceReport, ...] = ()
    problem: str = ""
    hint: str = ""
    installed: bool = True

    @property
    def failed(self) -> bool:
        """Whether its library is there and could not be asked."""
        return self.installed and bool(self.problem)


def part_form(part: PartDevices, wanted: Sequence[str]) -> dict[str, Any]:
    """A part and its devices, for machines. `chooses` is None for what DEVICE does not steer."""
    choice = chosen(part.devices, wanted)
    steered = part.kind == "runtime" and bool(part.devices)
    return {
        "kind": part.kind,
        "name": part.name,
        "libraries": dict(part.versions),
        "installed": part.installed,
        "answers": part.answers,
        "problem": part.problem,
        "hint": part.hint,
        "devices": [
            {
                "kind": device.kind,
                "usable": device.usable,
                "name": device.name,
                "backend": device.backend,
                "reason": device.reason,
                "memory_bytes": device.memory_bytes,
            }
            for device in part.devices
        ],
        "wanted": list(wanted),
        "chooses": {"device": choice.device, "reason": choice.reason} if steered else None,
    }


def chosen(devices: Sequence[DeviceReport], wanted: Sequence[str]) -> Choice:
    """What DEVICE with these kinds takes: the first of them that has a usable device."""
    passed: list[str] = []
    for kind in wanted:
        for device in devices:
            if device.kind == kind and device.usable:
                why = f"no {' or '.join(passed)} that it can use" if passed else "the first wanted"
                return Choice(kind, why)
        passed.append(kind)
    return Choice("", f"it can use no {' or '.join(passed)} here")


class DeviceQuestion:
    """Runs in the child: asks the class of a part, which it imports there."""

    def __init__(self, load: str) -> None:
        self._load = load

    def devices(self) -> tuple[DeviceReport, ...] | None:
        """What the class says; None if it does not say such things. Raises `PluginError`."""
        module, _, name = self._load.partition(":")
        part = getattr(import_module(module), name)
        if not isinstance(part, DeviceProbe):
            return None
        reports = tuple(part.devices())
        for report in reports:
            if not isinstance(report, DeviceReport) or report.kind not in _KINDS:
                raise PluginError(f"{self._load} did not answer with reports of devices.")
        return reports

    def close(self) -> None:
        """Nothing is held."""


def probe_parts(
    host: Host, log: Path, cancel: CancelToken, timeout_s: float = PROBE_TIMEOUT_S
) -> Iterator[PartDevices]:
    """What each installed part says, in order; runtimes come first.

    Embedders and rerankers that say nothing of devices are left out. Nothing that happens in a
    child raises here. Raises `Cancelled`.

    Args:
        host: The plugins.
        log: What native code prints goes there.
        cancel: Ends the children at once.
        timeout_s: How long each may take.
    """
    entries = [entry for kind in ASKED_KINDS for entry in host.registered(kind)]

    def ask(entry: Registered) -> PartDevices:
        return _asked(entry, log, cancel, timeout_s)

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="inglenook-devices") as pool:
        for part in pool.map(ask, entries):
            if cancel.cancelled:
                raise Cancelled
            if part.answers or part.kind == "runtime":
                yield part


def _asked(entry: Registered, log: Path, cancel: CancelToken, timeout_s: float) -> PartDevices:
    kind, name = entry.kind, entry.factory.name
    if cancel.cancelled:
        return PartDevices(kind, name)
    if entry.missing:
        return PartDevices(
            kind,
            name,
            answers=False,
            problem=f"{', '.join(entry.missing)} is not installed",
            hint=entry.install_hint,
            installed=False,
        )
    versions = library_versions(entry.factory.requires)
    try:
        devices = _in_a_child(entry.factory.load, log, cancel, timeout_s)
    except WorkerTimeoutError:
        problem = f"asking its library for devices hung; it was ended after {timeout_s:g} s"
        hint = f"Its driver may be stuck. What it printed is in {log}."
        return PartDevices(kind, name, versions, problem=problem, hint=hint)
    except WorkerGoneError as error:
        problem = f"asking its library for devices ended the process: {error.reason}"
        return PartDevices(
            kind, name, versions, problem=problem, hint=f"Its last words are in {log}."
        )
    except InglenookError as error:
        return PartDevices(kind, name, versions, problem=error.message, hint=error.hint)
    return PartDevices(kind, name, versions, answers=devices is not None, devices=devices or ())


def _in_a_child(
    load: str, log: Path, cancel: CancelToken, timeout_s: float
) -> tuple[DeviceReport, ...] | None:
    child = WorkerProcess(
        f"{__name__}:{DeviceQuestion.__name__}",
        (load,),
        log,
        limits=ProcessLimits(outlives_parent=False),
    )
    forget: Callable[[], None] = cancel.on_cancel(child.kill)
    try:
        answer: tuple[DeviceReport, ...] | None = child.call_within(timeout_s, "devices")
        return answer
    finally:
        forget()
        # Not `close`, which asks first: a library that hung would not hear it.
        child.kill()
        child.close()
