"""What a build of llama-cpp-python can compute on, in the words of the library."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from inglenook.protocols import RuntimeWithBareModel
from inglenook.testing.device_probe import DeviceProbeKit
from inglenook_llama_cpp.devices import device_reports
from inglenook_llama_cpp.model import import_library
from inglenook_llama_cpp.runtime import LlamaCppRuntime


class TestLlamaCppDevices(DeviceProbeKit):
    @pytest.fixture
    def part(self):
        return LlamaCppRuntime


def test_the_runtime_can_be_run_bare():
    assert isinstance(LlamaCppRuntime, RuntimeWithBareModel)


def test_this_build_names_the_processor():
    reports = {report.kind: report for report in LlamaCppRuntime.devices()}
    assert (reports["cpu"].usable, bool(reports["cpu"].name)) == (True, True)
    assert reports["gpu"].usable == bool(import_library().llama_supports_gpu_offload())


def test_a_build_that_does_not_list_its_devices_still_says_whether_it_has_gpus():
    def build(offload):
        return SimpleNamespace(
            _lib=SimpleNamespace(),
            llama_backend_init=lambda: None,
            llama_supports_gpu_offload=lambda: offload,
        )

    usable = {r.kind: r.usable for r in device_reports(build(True))}
    assert usable == {"cpu": True, "gpu": True, "npu": False}
    (gpu,) = [r for r in device_reports(build(False)) if r.kind == "gpu"]
    assert "processor only" in gpu.reason
