"""What a build of xllamacpp can compute on, in the words of the library."""

from __future__ import annotations

import pytest
import xllamacpp

from inglenook.protocols import RuntimeWithBareModel
from inglenook.testing.device_probe import DeviceProbeKit
from inglenook.types import DeviceReport
from inglenook_xllamacpp.devices import device_reports
from inglenook_xllamacpp.runtime import XllamacppRuntime


class TestXllamacppDevices(DeviceProbeKit):
    @pytest.fixture
    def part(self):
        return XllamacppRuntime


class Build:
    """A build of the library with other devices than this one."""

    def __init__(self, info, system="CPU : AVX2 = 1 | "):
        self._info = info
        self._system = system

    def get_device_info(self):
        cpu = {"name": "CPU", "description": "Example 9", "type": "CPU", "memory_total": 1}
        return [cpu, *self._info]

    def get_system_info(self):
        return self._system


def gpu(**other):
    given = {"name": "CUDA0", "description": "NVIDIA H100", "type": "DEVICE_TYPE_GPU"}
    return {**given, "memory_total": 80_000_000_000, **other}


def only_gpu(build):
    (report,) = [report for report in device_reports(build) if report.kind == "gpu"]
    return report


def test_the_runtime_can_be_run_bare():
    assert isinstance(XllamacppRuntime, RuntimeWithBareModel)


def test_this_build_names_the_processor():
    reports = {report.kind: report for report in XllamacppRuntime.devices()}
    assert reports["cpu"].usable
    assert reports["cpu"].name
    assert reports["gpu"].usable == any(
        "GPU" in str(d["type"]) for d in xllamacpp.get_device_info()
    )


def test_a_gpu_goes_by_its_name_and_backend():
    expected = DeviceReport("gpu", True, "NVIDIA H100", "CUDA", "", 80_000_000_000)
    assert only_gpu(Build([gpu()])) == expected


def test_the_memory_of_a_gpu_that_shares_it_is_not_its_own():
    assert only_gpu(Build([gpu(type="DEVICE_TYPE_IGPU")])).memory_bytes == 0


@pytest.mark.parametrize(
    ("system", "reason"),
    [
        ("CPU : AVX2 = 1 | ", "computes on the processor only"),
        ("CUDA : ARCHS = 900 | CPU : AVX2 = 1 | ", "this build has CUDA, which finds no device"),
    ],
)
def test_why_there_is_no_gpu_is_told(system, reason):
    report = only_gpu(Build([], system))
    assert not report.usable
    assert reason in report.reason
