"""What this build of llama.cpp can compute on, in its own words."""

from __future__ import annotations

import re
from typing import Any

from inglenook.types import DeviceReport

__all__ = ["device_reports"]

_BACKENDS = re.compile(r"(?:^|\| )([A-Za-z][A-Za-z0-9]*) : ")
_OF_PROCESSORS = frozenset(("CPU", "BLAS", "AMX"))


def device_reports(native: Any) -> tuple[DeviceReport, ...]:
    """The processor, the GPUs, and why there are none. `native` is the module `xllamacpp`."""
    reports = [DeviceReport("cpu", True, _processor(native), "CPU")]
    for device in native.get_device_info():
        if "GPU" in str(device["type"]):
            backend = str(device["name"]).rstrip("0123456789")
            memory = int(device.get("memory_total") or 0)
            shared = "IGPU" in str(device["type"])
            reports.append(
                DeviceReport(
                    "gpu", True, str(device["description"]), backend, "", 0 if shared else memory
                )
            )
    if len(reports) == 1:
        reports.append(DeviceReport("gpu", False, reason=_why_no_gpu(native)))
    reports.append(DeviceReport("npu", False, reason="llama.cpp reaches no NPU through xllamacpp"))
    return tuple(reports)


def _processor(native: Any) -> str:
    names = (str(d["description"]) for d in native.get_device_info() if str(d["name"]) == "CPU")
    return next(names, "")


def _why_no_gpu(native: Any) -> str:
    """Whether the build or the machine is to blame."""
    backends = [
        name for name in _BACKENDS.findall(native.get_system_info()) if name not in _OF_PROCESSORS
    ]
    if backends:
        return f"this build has {' and '.join(backends)}, which finds no device here"
    return (
        "this build of xllamacpp computes on the processor only; its own pages offer builds for"
        " CUDA, ROCm and Vulkan"
    )
