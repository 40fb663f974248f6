"""What ONNX Runtime can compute on is found by trying it."""

from __future__ import annotations

import onnxruntime
import pytest

from inglenook.testing.device_probe import DeviceProbeKit
from inglenook_onnx_embedder.embedder import OnnxEmbedder


class TestOnnxEmbedderDevices(DeviceProbeKit):
    @pytest.fixture
    def part(self):
        return OnnxEmbedder


def test_the_embedder_says_where_it_can_compute():
    reports = OnnxEmbedder.devices()
    assert [r.kind for r in reports if r.usable] == ["cpu"]
    assert {r.kind for r in reports} == {"cpu", "gpu", "npu"}
    assert all(r.usable or r.reason for r in reports)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_is_offered_and_does_not_work_is_told(monkeypatch):
    monkeypatch.setattr(
        onnxruntime,
        "get_available_providers",
        lambda: ["CUDAExecutionProvider", "AzureExecutionProvider", "CPUExecutionProvider"],
    )
    (gpu,) = [report for report in OnnxEmbedder.devices() if report.kind == "gpu"]
    assert (gpu.backend, gpu.usable) == ("CUDAExecutionProvider", False)
    assert "it finds no such device" in gpu.reason


def test_a_provider_that_works_is_told_and_not_used(monkeypatch):
    # Under another name the processor stands in for a device that works.
    real = onnxruntime.InferenceSession

    class OnThePretendedDevice:
        def __init__(self, graph, options, providers):
            self._asked = [name for name, _ in providers]
            self._session = real(graph, providers=["CPUExecutionProvider"])

        def get_providers(self):
            return self._asked

        def run(self, *arguments):
            return self._session.run(*arguments)

    monkeypatch.setattr(onnxruntime, "InferenceSession", OnThePretendedDevice)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["DmlExecutionProvider"])
    (gpu,) = [report for report in OnnxEmbedder.devices() if report.kind == "gpu"]
    assert (gpu.backend, gpu.usable) == ("DmlExecutionProvider", False)
    assert "computes on the processor only" in gpu.reason
