"""What this build of ONNX Runtime can compute on: each provider is tried with a tiny graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inglenook.types import DeviceReport
from inglenook.types.devices import DeviceKind
from inglenook_onnx_embedder.sessions import missing

__all__ = ["device_reports"]

_PROVIDERS: tuple[tuple[str, DeviceKind, dict[str, str]], ...] = (
    ("CUDAExecutionProvider", "gpu", {}),
    ("TensorrtExecutionProvider", "gpu", {}),
    ("NvTensorRTRTXExecutionProvider", "gpu", {}),
    ("ROCMExecutionProvider", "gpu", {}),
    ("MIGraphXExecutionProvider", "gpu", {}),
    ("DmlExecutionProvider", "gpu", {}),
    ("WebGpuExecutionProvider", "gpu", {}),
    ("OpenVINOExecutionProvider", "gpu", {"device_type": "GPU"}),
    ("OpenVINOExecutionProvider", "npu", {"device_type": "NPU"}),
    ("CoreMLExecutionProvider", "npu", {}),
    ("QNNExecutionProvider", "npu", {"backend_type": "htp"}),
    ("VitisAIExecutionProvider", "npu", {}),
    ("CANNExecutionProvider", "npu", {}),
)
"""Providers that reach a device, and how each is asked for it; others share the processor, or
call a server."""

_TAKEN_OVER = "fallback to CPU EP"
_LONGEST = 200
_OPSET = 17
_IR_VERSION = 8
_REMARK = "ONNX Runtime can use it, but this embedder computes on the processor only"


def device_reports() -> tuple[DeviceReport, ...]:
    """The processor, and each provider of this build. Raises `MissingDependencyError`.

    The embedder itself uses the processor only, so nothing else is reported as usable.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise missing("onnxruntime") from error
    available = onnxruntime.get_available_providers()
    reports = [DeviceReport("cpu", True, backend="CPUExecutionProvider")]
    if problem := _tried(onnxruntime, "CPUExecutionProvider"):
        reports = [DeviceReport("cpu", False, backend="CPUExecutionProvider", reason=problem)]
    for provider, kind, options in _PROVIDERS:
        if provider in available:
            reason = _tried(onnxruntime, provider, options) or _REMARK
            reports.append(DeviceReport(kind, False, backend=provider, reason=reason))
    kinds: tuple[DeviceKind, ...] = ("gpu", "npu")
    for kind in kinds:
        if all(report.kind != kind for report in reports):
            reason = f"this build of ONNX Runtime has no provider for it ({', '.join(available)})"
            reports.append(DeviceReport(kind, False, reason=reason))
    return tuple(reports)


def _tried(onnxruntime: Any, provider: str, asked: Mapping[str, str] | None = None) -> str:
    """Compute a sum there; why that does not work, or "" if it does."""
    import numpy

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if provider != "CPUExecutionProvider":
        # A graph that only runs because the processor took it over proves nothing.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    ones = numpy.ones((1, 4), dtype=numpy.float32)
    try:
        session = onnxruntime.InferenceSession(
            _sum_graph(), options, providers=[(provider, dict(asked or {}))]
        )
        if provider not in session.get_providers():
            return "its libraries or its driver cannot be loaded"
        (result,) = session.run(None, {"x": ones})
    # The library raises classes of its own that share no base.
    except Exception as error:  # noqa: BLE001
        said = " ".join(str(error).split())
        if _TAKEN_OVER in said:
            return "it finds no such device, or its libraries or driver cannot be loaded"
        return said[:_LONGEST] or type(error).__name__
    return "" if numpy.array_equal(result, ones + ones) else "it computes wrongly"


def _sum_graph() -> bytes:
    """x + x, for float32 of shape (1, 4)."""
    from onnx import TensorProto, helper

    shaped = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 4]) for n in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "sum", shaped[:1], shaped[1:]
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    serialised: bytes = model.SerializeToString()
    return serialised
