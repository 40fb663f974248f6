"""How the machine and the devices of `nook devices` look in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from inglenook.cli.columns import megabytes, wrapped
from inglenook.cli.terminal import visible

if TYPE_CHECKING:
    from inglenook.models.device_probe import PartDevices
    from inglenook.models.machine import Machine
    from inglenook.types import DeviceReport

__all__ = ["devices_text", "machine_lines"]

_INDENT = "  "
_LABEL = 11
_HEADS = {"runtime": "Runtimes", "embedder": "Embedders", "reranker": "Rerankers"}


def machine_lines(machine: Machine, width: int | None, indent: str = "") -> Iterator[str]:
    """The machine in a few lines. `width` is the terminal's; None ends no line early."""
    name = machine.processor or "unknown"
    cores = f"{machine.cores} cores, " if machine.cores else ""
    counts = f"{cores}{machine.threads} threads, {machine.usable} usable"
    yield _line("processor", f"{visible(name)} ({machine.architecture}); {counts}", width, indent)
    if machine.features:
        yield _line("features", " ".join(machine.features), width, indent)
    memory = megabytes(machine.memory_bytes) if machine.memory_bytes else "unknown"
    if machine.available_bytes is not None:
        memory += f", {megabytes(machine.available_bytes)} available"
    yield _line("memory", memory, width, indent)
    if machine.load is not None:
        busy = "; busy" if machine.is_busy else ""
        yield _line("load", f"{machine.load:g} over the last minute{busy}", width, indent)
    yield _line("system", machine.system, width, indent)


def _line(label: str, text: str, width: int | None, indent: str = "") -> str:
    first = f"{indent}{label:{_LABEL}}"
    return wrapped(text, width, " " * len(first), first) if width else first + text


def devices_text(
    machine: Machine, parts: Sequence[PartDevices], wanted: Sequence[str], width: int | None
) -> str:
    """What there is, and what each part can use of it."""
    lines = ["This machine", *machine_lines(machine, width, _INDENT)]
    lines += _system_devices(machine, width)
    for kind, head in _HEADS.items():
        of_kind = [part for part in parts if part.kind == kind]
        if of_kind or kind == "runtime":
            lines += ["", head]
        if not of_kind and kind == "runtime":
            lines.append(f"{_INDENT}none is installed")
        for part in of_kind:
            lines += _part(part, wanted, width)
    return "\n".join(lines)


def _system_devices(machine: Machine, width: int | None) -> Iterator[str]:
    for kind in ("gpu", "npu"):
        found = [device for device in machine.devices if device.kind == kind]
        for device in found:
            problem = f": {device.problem}" if device.problem else ""
            yield _line(kind, f"{visible(device.name)} at {device.place}{problem}", width, _INDENT)
        if not found:
            none = "none that the system shows"
            text = none if machine.lists_devices else "cannot be listed on this system"
            yield _line(kind, text, width, _INDENT)


def _part(part: PartDevices, wanted: Sequence[str], width: int | None) -> Iterator[str]:
    from inglenook.models.device_probe import chosen

    versions = ", ".join(f"{name} {version}" for name, version in part.versions.items())
    yield f"{_INDENT}{visible(part.name)}{f' ({versions})' if versions else ''}"
    inner = _INDENT * 2
    if part.problem:
        yield _line("?", part.problem, width, inner)
        if part.hint:
            yield _line("", f"→ {part.hint}", width, inner)
        return
    if not part.answers:
        yield _line("?", "it does not say which devices it can use", width, inner)
        return
    for device in part.devices:
        yield _line(device.kind, _device(device), width, inner)
    if part.kind == "runtime":
        choice = chosen(part.devices, wanted)
        takes = f"{choice.device} ({choice.reason})" if choice.device else f"none: {choice.reason}"
        yield _line("DEVICE", f"{','.join(wanted)} takes {takes}", width, inner)


def _device(device: DeviceReport) -> str:
    name = visible(" ".join(text for text in (device.name, _backend(device)) if text))
    memory = megabytes(device.memory_bytes) if device.memory_bytes else ""
    told = [text for text in (name, memory, visible(device.reason)) if text]
    return ": ".join(("yes" if device.usable else "no", *([", ".join(told)] if told else [])))


def _backend(device: DeviceReport) -> str:
    if device.backend.lower() == device.kind or not device.backend:
        return ""
    return f"({device.backend})" if device.name else device.backend
