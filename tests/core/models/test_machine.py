"""The machine is described as its system shows it, on Linux from files that a test can make."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from inglenook.models.machine import CpuTimes, computing_threads, read_machine
from inglenook.models.memory_need import least_memory_bytes
from inglenook.models.memory_watch import MemoryWatch

linux_only = pytest.mark.xfail(sys.platform != "linux", reason="reads /proc and /sys", run=False)

CPU = "processor\t: 0\nmodel name\t: Example  9\nflags\t\t: sse avx avx2 amx_tile avx512f\n"


def write(root, path, text=""):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.fixture
def root(tmp_path):
    write(tmp_path, "proc/cpuinfo", CPU)
    write(tmp_path, "proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n")
    return tmp_path


def add_pci(root, address, kind, vendor, device="0x1234"):
    folder = root / "sys/bus/pci/devices" / address
    write(folder, "class", kind + "\n")
    write(folder, "vendor", vendor + "\n")
    write(folder, "device", device + "\n")
    return folder


def only(root):
    (device,) = read_machine(root).devices
    return device


@linux_only
class TestLinux:
    def test_processor_memory_and_features_are_read(self, root):
        machine = read_machine(root)
        assert machine.processor == "Example 9"
        assert machine.features == ("avx", "avx2", "avx512", "amx")
        assert machine.memory_bytes == 16_384_000_000
        assert machine.available_bytes == 8_192_000_000
        assert machine.devices == ()

    def test_an_arm_processor_has_features_too(self, root):
        text = "Features : fp asimd asimddp i8mm\nCPU implementer : 0x41\nCPU part : 0xd0c\n"
        write(root, "proc/cpuinfo", text)
        machine = read_machine(root)
        assert machine.features == ("neon", "dotprod", "i8mm")
        assert machine.processor == "ARM part 0xd0c"

    @pytest.mark.parametrize(
        "files",
        [
            {
                "memory.max": "4000000000",
                "memory.current": "1000000000",
                "cpu.max": "100000 100000",
            },
            {
                "memory/memory.limit_in_bytes": "4000000000",
                "memory/memory.usage_in_bytes": "1000000000",
                "cpu/cpu.cfs_quota_us": "100000",
                "cpu/cpu.cfs_period_us": "100000",
            },
        ],
    )
    def test_the_bounds_of_a_container_count(self, root, files):
        for name, text in files.items():
            write(root, f"sys/fs/cgroup/{name}", text + "\n")
        machine = read_machine(root)
        assert machine.memory_bytes == 4_000_000_000
        assert machine.available_bytes == 3_000_000_000
        assert machine.usable == 1
        assert computing_threads(root) == 1

    def test_a_container_without_bounds_has_the_machines_memory(self, root):
        write(root, "sys/fs/cgroup/memory.max", "max\n")
        write(root, "sys/fs/cgroup/cpu.max", "max 100000\n")
        machine = read_machine(root)
        assert machine.memory_bytes == 16_384_000_000
        assert machine.usable == len(os.sched_getaffinity(0))
        assert computing_threads(root) == machine.usable

    def test_two_threads_of_one_core_do_not_compute_at_the_same_time(self, root):
        cpus = sorted(os.sched_getaffinity(0))
        for cpu in cpus:
            topology = f"sys/devices/system/cpu/cpu{cpu}/topology"
            write(
                root, f"{topology}/thread_siblings_list", f"{cpu - cpu % 2}-{cpu - cpu % 2 + 1}\n"
            )
        assert computing_threads(root) == len({cpu // 2 for cpu in cpus})

    def test_a_gpu_without_its_driver_is_shown_with_what_is_missing(self, root):
        add_pci(root, "0000:01:00.0", "0x030200", "0x10de", "0x2330")
        device = only(root)
        assert (device.kind, device.name) == ("gpu", "NVIDIA GPU (2330)")
        assert "NVIDIA's driver is not loaded" in device.problem

    def test_a_gpu_with_its_driver_goes_by_its_name(self, root):
        add_pci(root, "0000:01:00.0", "0x030200", "0x10de")
        said = "Model: \t\t NVIDIA H100\nDevice Minor: \t 0\n"
        write(root, "proc/driver/nvidia/gpus/0000:01:00.0/information", said)
        write(root, "dev/nvidia0")
        device = only(root)
        assert (device.name, device.problem) == ("NVIDIA H100", "")

    def test_a_gpu_that_the_user_may_not_open_says_for_whom_it_is(self, root, monkeypatch):
        folder = add_pci(root, "0000:03:00.0", "0x030000", "0x1002")
        write(folder, "drm/renderD128/dev")
        write(root, "dev/dri/renderD128")
        write(root, "dev/kfd")
        assert only(root).problem == ""
        shut = str(root / "dev/kfd")
        real = os.access
        # The superuser, as whom tests may run, may open everything.
        monkeypatch.setattr(os, "access", lambda path, mode: str(path) != shut and real(path, mode))
        assert only(root).problem.startswith("you may not open /dev/kfd; it is for the group ")

    def test_an_npu_is_found_with_and_without_a_driver(self, root):
        folder = add_pci(root, "0000:00:0b.0", "0x120000", "0x8086", "0x7d1d")
        assert only(root).kind == "npu"
        assert only(root).problem == "its driver is missing"
        write(folder, "accel/accel0/dev")
        write(root, "dev/accel/accel0")
        assert (only(root).place, only(root).problem) == ("/dev/accel/accel0", "")

    def test_a_screen_that_computes_nothing_is_no_gpu(self, root):
        add_pci(root, "0000:00:02.0", "0x030000", "0x1234")
        add_pci(root, "0000:00:03.0", "0x020000", "0x8086")
        assert read_machine(root).devices == ()

    def test_a_container_that_was_given_a_gpu_sees_it(self, root):
        write(root, "dev/nvidia3")
        write(root, "dev/nvidiactl")
        assert (only(root).kind, only(root).place) == ("gpu", "/dev/nvidia3")

    def test_a_system_that_tells_nothing_is_no_error(self, tmp_path):
        machine = read_machine(tmp_path)
        assert (machine.processor, machine.memory_bytes, machine.devices) == ("", None, ())
        assert CpuTimes.now(tmp_path) is None

    def test_the_work_of_others_is_told_apart_from_ones_own(self):
        before = CpuTimes.now()
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            pass
        own = CpuTimes.now()
        child = subprocess.Popen(
            [sys.executable, "-c", "import time\nu=time.time()+1\nwhile time.time()<u: pass"]
        )
        time.sleep(0.9)
        after = CpuTimes.now()
        child.wait()
        assert own.own - before.own > 0.2
        assert 0.0 <= own.others_since(before) <= 1.0
        assert after.others_since(own) > 0.05


def test_this_machine_can_be_described():
    machine = read_machine()
    assert machine.usable >= 1
    assert machine.architecture


@linux_only
def test_the_peak_of_a_process_and_its_children_is_kept_after_they_let_go():
    code = (
        "import subprocess, sys, time\n"
        "big = bytearray(150_000_000)\n"
        "child = subprocess.Popen([sys.executable, '-c',"
        " 'b = bytearray(100_000_000); import time; time.sleep(60)'])\n"
        "del big\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
        "child.kill()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, process_group=0
    )
    try:
        process.stdout.readline()
        with MemoryWatch(process.pid) as watch:
            time.sleep(1.5)
        assert 250_000_000 < watch.peak_bytes < 400_000_000
    finally:
        os.killpg(process.pid, 9)
        process.wait()


@linux_only
def test_a_process_that_is_gone_has_no_peak():
    with MemoryWatch(2**22 + 1) as watch:
        pass
    assert watch.peak_bytes is None


def test_the_least_memory_is_that_of_the_weights_and_the_cache(smollm2):
    size = smollm2.files["model"].stat().st_size
    one = least_memory_bytes(smollm2, 1024, 1) - size
    # 30 layers, 3 heads of keys and values, 64 numbers each, of two bytes.
    assert one == 1024 * 30 * 3 * (64 + 64) * 2
    assert least_memory_bytes(smollm2, 1024, 4) - size == 4 * one
    assert least_memory_bytes(smollm2, 100_000, 1) - size == 8 * one
