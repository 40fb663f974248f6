"""What this build of llama.cpp can compute on, in its own words."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from inglenook.types import DeviceReport

__all__ = ["device_reports"]

_GPU_TYPES = (1, 2)
_OF_PROCESSORS = ("CPU", "BLAS", "AMX", "ACCEL")


def device_reports(native: Any) -> tuple[DeviceReport, ...]:
    """The processor, the GPUs, and why there are none. `native` is `llama_cpp.llama_cpp`."""
    native.llama_backend_init()
    listed = list(_listed(native))
    processor = next((report for report in listed if report.kind == "cpu"), None)
    gpus = [report for report in listed if report.kind == "gpu"]
    if not native.llama_supports_gpu_offload():
        gpus = [
            DeviceReport(
                "gpu",
                False,
                reason="this build of llama-cpp-python computes on the processor only; building it"
                " anew with CMAKE_ARGS=-DGGML_CUDA=on (or GGML_VULKAN, GGML_HIP) changes that",
            )
        ]
    return (
        processor or DeviceReport("cpu", True, backend="CPU"),
        *(gpus or [DeviceReport("gpu", True, reason="the library does not name it")]),
        DeviceReport("npu", False, reason="llama.cpp reaches no NPU through llama-cpp-python"),
    )


def _listed(native: Any) -> Iterator[DeviceReport]:
    """Each device that ggml has found; nothing where this build does not show them."""
    library = native._lib  # noqa: SLF001 - the bindings leave these functions out
    try:
        number, get = library.ggml_backend_dev_count, library.ggml_backend_dev_get
        name, text = library.ggml_backend_dev_name, library.ggml_backend_dev_description
        type, memory = library.ggml_backend_dev_type, library.ggml_backend_dev_memory
    except AttributeError:
        return
    number.restype, get.restype, get.argtypes = ctypes.c_size_t, ctypes.c_void_p, [ctypes.c_size_t]
    for function, result in ((name, ctypes.c_char_p), (text, ctypes.c_char_p), (type, None)):
        function.argtypes = [ctypes.c_void_p]
        function.restype = result or ctypes.c_int
    size = ctypes.POINTER(ctypes.c_size_t)
    memory.argtypes, memory.restype = [ctypes.c_void_p, size, size], None
    for index in range(number()):
        device = get(index)
        called = name(device).decode("utf-8", "replace")
        described = text(device).decode("utf-8", "replace")
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        memory(device, free, total)
        if called == "CPU":
            yield DeviceReport("cpu", True, described, "CPU")
        elif type(device) in _GPU_TYPES and not called.upper().startswith(_OF_PROCESSORS):
            backend = called.rstrip("0123456789")
            yield DeviceReport("gpu", True, described, backend, "", total.value)
