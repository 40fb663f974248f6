"""Lists the GPUs and NPUs that Linux shows, and what keeps this user from them.

The buses say what is plugged in; `/dev` says whether a driver serves it and who may open it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SystemDevice", "linux_devices", "read_text"]

_LONGEST_BYTES = 1 << 20
_DISPLAY_CLASS = "0x03"
_ACCELERATOR_CLASS = "0x12"
_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel", "0x106b": "Apple"}
_ONLY_SHOWS = {
    "0x1234": "QEMU",
    "0x1af4": "virtio",
    "0x1b36": "QXL",
    "0x15ad": "VMware",
    "0x1414": "Hyper-V",
    "0x1a03": "ASPEED",
    "0x102b": "Matrox",
}
"""Makers of display adapters that compute nothing."""


@dataclass(frozen=True, slots=True)
class SystemDevice:
    """A device that the system shows.

    Args:
        kind: `gpu` or `npu`.
        name: As the system names it.
        place: Where it was found: a file of `/dev`, or an address of a bus.
        problem: What keeps a library of this user from it; "" for nothing that can be seen.
    """

    kind: str
    name: str
    place: str
    problem: str = ""


def linux_devices(root: Path) -> Iterator[SystemDevice]:
    """All of them, on every bus. `root` is where `/proc`, `/sys` and `/dev` are."""
    seen: set[str] = set()
    for device in (*_on_pci(root), *_on_other_buses(root)):
        if device.place not in seen:
            seen.add(device.place)
            yield device


def read_text(path: Path) -> str:
    """The text of a small file of the system; "" if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


# --- PCI ------------------------------------------------------------------------------------------


def _on_pci(root: Path) -> Iterator[SystemDevice]:
    for folder in _listed(root / "sys/bus/pci/devices"):
        kind = read_text(folder / "class").strip()
        vendor = read_text(folder / "vendor").strip().lower()
        if kind.startswith(_DISPLAY_CLASS) and vendor not in _ONLY_SHOWS:
            yield _pci_gpu(root, folder, vendor)
        elif kind.startswith(_ACCELERATOR_CLASS):
            files = [f"/dev/accel/{entry.name}" for entry in _listed(folder / "accel")]
            name = f"{_VENDORS.get(vendor, vendor)} accelerator {_model(folder)}".strip()
            place = files[0] if files else folder.name
            yield SystemDevice("npu", name, place, _problem(root, files, "its driver is missing"))


def _pci_gpu(root: Path, folder: Path, vendor: str) -> SystemDevice:
    maker = _VENDORS.get(vendor, vendor)
    name = f"{maker} GPU {_model(folder)}".strip()
    if maker == "NVIDIA":
        said = read_text(root / "proc/driver/nvidia/gpus" / folder.name / "information")
        facts = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
        name = facts.get("Model", name).strip()
        # One made device file stands for each GPU; without one, CUDA finds nothing.
        files = [f"/dev/nvidia{facts.get('Device Minor', '0').strip()}"]
        missing = "NVIDIA's driver is not loaded"
    else:
        files = [f"/dev/dri/{e.name}" for e in _listed(folder / "drm") if e.name[:6] == "render"]
        missing = "no driver offers it for computing"
        if maker == "AMD":
            files = [*files, "/dev/kfd"] if files else []
    return SystemDevice("gpu", name, folder.name, _problem(root, files, missing))


def _model(folder: Path) -> str:
    """What tells devices of one maker apart, where no database of names is at hand."""
    number = read_text(folder / "device").strip().removeprefix("0x")
    return f"({number})" if number else ""


# --- other buses ----------------------------------------------------------------------------------


def _on_other_buses(root: Path) -> Iterator[SystemDevice]:
    """Devices of chips that have no PCI, and GPUs that a container was given."""
    for entry in _listed(root / "sys/class/accel"):
        if "pci" not in os.path.realpath(entry):
            file = f"/dev/accel/{entry.name}"
            yield SystemDevice("npu", f"accelerator ({_driver(entry)})", file, _shut(root, file))
    for entry in _listed(root / "sys/class/drm"):
        if entry.name.startswith("render") and "pci" not in os.path.realpath(entry):
            file = f"/dev/dri/{entry.name}"
            yield SystemDevice("gpu", f"GPU ({_driver(entry)})", file, _shut(root, file))
    if not _listed(root / "sys/bus/pci/devices"):
        for entry in _listed(root / "dev"):
            if entry.name.removeprefix("nvidia").isdigit() and entry.name.startswith("nvidia"):
                file = f"/dev/{entry.name}"
                yield SystemDevice("gpu", "NVIDIA GPU", file, _shut(root, file))
    if (root / "dev/dxg").exists():
        yield SystemDevice("gpu", "the GPU of Windows", "/dev/dxg", _shut(root, "/dev/dxg"))


def _driver(entry: Path) -> str:
    link = entry / "device/driver"
    return Path(os.path.realpath(link)).name if link.exists() else "unknown driver"


def _problem(root: Path, files: list[str], missing: str) -> str:
    if not files or not (root / files[0].lstrip("/")).exists():
        return f"{missing} ({files[0]} is not there)" if files else missing
    return next((problem for file in files if (problem := _shut(root, file))), "")


def _shut(root: Path, file: str) -> str:
    """Why this user cannot open a file of `/dev`; "" if nothing keeps them from it."""
    path = root / file.lstrip("/")
    if not path.exists():
        return f"{file} is not there"
    if os.access(path, os.R_OK | os.W_OK):
        return ""
    return f"you may not open {file}{_group(path)}"


def _group(path: Path) -> str:
    try:
        return f"; it is for the group {path.group()}"
    except (OSError, KeyError, NotImplementedError):
        return ""


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
