"""What a part's library can compute on: one report for each device, or kind of device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DeviceKind = Literal["cpu", "gpu", "npu"]


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """Whether a library can compute on a device, and why not.

    Args:
        kind: As DEVICE names it.
        usable: Whether the part computes there if it is asked to.
        name: What the library calls the device; "" where it knows none of this kind.
        backend: What of the library reaches it, such as `CUDA`; "" where it has nothing.
        reason: Why it is not usable, or what else there is to know, in one line.
        memory_bytes: The device's own memory; 0 if unknown or shared with the processor.
    """

    kind: DeviceKind
    usable: bool
    name: str = ""
    backend: str = ""
    reason: str = ""
    memory_bytes: int = 0
