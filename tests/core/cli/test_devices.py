"""`nook devices` asks every library what it can use, and outlives whatever that does."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from inglenook.errors import Cancelled
from inglenook.host import Host
from inglenook.models.device_probe import chosen, probe_parts
from inglenook.models.worker import RuntimeWorker
from inglenook.types import CancelToken, DeviceReport, RuntimeOptions

WANTED = ("npu", "gpu", "cpu")

ENTRY = """
from inglenook import Factory, hookimpl

NAMES = ("crashing", "hanging", "raising", "babbling", "silent", "gifted", "unimportable")

@hookimpl
def register_runtimes(register):
    for name in NAMES:
        module = "no_such_module" if name == "unimportable" else "odd_probes"
        register(Factory(name=name, summary="Behaves so.", load=f"{module}:{name.title()}"))
    register(Factory(name="absent", summary="Needs more.", load="odd_probes:Silent",
                     requires=("no_such_library",), extra="absent"))
"""
PROBES = """
import os, sys, time
from inglenook.types import DeviceReport

class Crashing:
    @classmethod
    def devices(cls):
        sys.stderr.write("the driver is upset\\n")
        sys.stderr.flush()
        os.abort()

class Hanging:
    @classmethod
    def devices(cls):
        time.sleep(600)

class Raising:
    @classmethod
    def devices(cls):
        raise OSError("libgpu.so: no such file")

class Babbling:
    @classmethod
    def devices(cls):
        return ("gpu", "cpu")

class Silent:
    pass

class Gifted:
    @classmethod
    def devices(cls):
        print("what a library prints")
        return (
            DeviceReport("cpu", True),
            DeviceReport("gpu", True, "A GPU", "Vulkan", memory_bytes=8_000_000_000),
            DeviceReport("npu", False, reason=f"asked in process {os.getpid()}"),
        )
"""


@pytest.fixture
def odd_probes(site, nook):
    """Runtimes whose libraries misbehave when they are asked."""
    site.install("nook-odd", ENTRY, files={"odd_probes.py": PROBES})
    nook("plugins")  # a new plugin is announced once


def parts_of(ran):
    return {part["name"]: part for part in json.loads(ran.out)["parts"]}


class TestWhatIsInstalled:
    def test_says_what_it_can_use_and_why_not_more(self, nook):
        ran = nook("devices", "--json")
        parts = parts_of(ran)
        assert ran.code == 0
        assert {"xllamacpp", "llama-cpp", "onnx"} <= parts.keys()
        for name in ("xllamacpp", "llama-cpp", "onnx"):
            kinds = {device["kind"]: device for device in parts[name]["devices"]}
            assert kinds.keys() == {"cpu", "gpu", "npu"}
            assert kinds["cpu"]["usable"]
            assert all(device["usable"] or device["reason"] for device in kinds.values())
            assert parts[name]["libraries"]
        assert not any(d["usable"] for d in parts["onnx"]["devices"] if d["kind"] != "cpu")
        assert parts["onnx"]["chooses"] is None
        machine = json.loads(ran.out)["machine"]
        assert machine["memory_bytes"] > machine["available_bytes"] > 0
        assert 1 <= machine["usable"] <= machine["threads"]

    @pytest.mark.parametrize("name", ["xllamacpp", "llama-cpp"])
    def test_chooses_as_it_does_when_a_model_is_opened(self, name, smollm2, tmp_path):
        parts = probe_parts(Host(), tmp_path / "devices.log", CancelToken())
        said = next(part for part in parts if part.name == name)
        choice = chosen(said.devices, WANTED)
        load = Host().find("runtime", name).factory.load
        worker = RuntimeWorker(load, smollm2, RuntimeOptions(64, devices=WANTED), tmp_path / "log")
        try:
            assert worker.open().device.split(maxsplit=1)[0].rstrip(":") == choice.device
        finally:
            worker.close()

    def test_is_shown_to_people(self, nook):
        ran = nook("devices")
        assert ran.code == 0
        assert "usable" in ran.out
        assert "  xllamacpp (xllamacpp " in ran.out
        assert "npu,gpu,cpu takes " in ran.out
        assert "onnxruntime" in ran.out

    def test_is_pointed_to_by_the_doctor(self, nook):
        checks = {c["name"]: c for c in json.loads(nook("doctor", "--json").out)["checks"]}
        assert checks["devices"]["ok"] is None
        assert "nook devices" in checks["devices"]["fix"]


class TestALibraryThatMisbehaves:
    def test_costs_only_its_own_answer(self, nook, odd_probes):
        ran = nook("devices", "--json", "--timeout", "8")
        parts = parts_of(ran)
        assert ran.code == 1
        assert "signal 6 (SIGABRT)" in parts["crashing"]["problem"]
        assert "devices.log" in parts["crashing"]["hint"]
        assert "hung; it was ended after 8 s" in parts["hanging"]["problem"]
        assert "libgpu.so: no such file" in parts["raising"]["problem"]
        assert "did not answer with reports of devices" in parts["babbling"]["problem"]
        assert "cannot be imported" in parts["unimportable"]["problem"]
        assert (parts["silent"]["answers"], parts["silent"]["problem"]) == (False, "")
        assert (parts["absent"]["installed"], parts["absent"]["answers"]) == (False, False)
        assert parts["absent"]["hint"] == "Install it with: pip install 'nook-odd[absent]'"
        assert parts["gifted"]["chooses"]["device"] == "gpu"
        assert str(os.getpid()) not in parts["gifted"]["devices"][2]["reason"]
        assert parts["xllamacpp"]["devices"]

    def test_is_told_to_people_with_what_to_do(self, nook, odd_probes, home):
        ran = nook("devices", "--timeout", "8")
        assert ran.code == 1
        assert "it was ended after 8 s" in ran.out
        assert "Its last words are in" in ran.out
        assert "yes: A GPU (Vulkan), 8.0 GB" in ran.out
        assert "npu,gpu,cpu takes gpu (no npu that it can use)" in ran.out
        assert "it does not say which devices it can use" in ran.out
        assert "the driver is upset" in (home / "cache" / "logs" / "devices.log").read_text()

    def test_ends_with_ctrl_c(self, running, odd_probes, environment):
        environment["INGLENOOK_PLUGINS"] = "nook-odd"
        started = running("devices")
        time.sleep(2)
        began = time.monotonic()
        assert started.stop(signal.SIGINT) == 130
        assert time.monotonic() - began < 2
        assert "".join(started.out) == ""
        assert "".join(started.err) == "Stopped.\n"


class TestMisuse:
    @pytest.mark.parametrize("timeout", ["0", "soon", "-1"])
    def test_a_timeout_that_is_none_is_refused(self, nook, timeout):
        ran = nook("devices", "--timeout", timeout)
        assert (ran.code, ran.out) == (2, "")

    def test_plugins_that_are_off_are_named(self, nook):
        ran = nook("--no-plugins", "devices")
        assert ran.code == 0
        assert "none is installed" in ran.out
        assert "plugins are off (--no-plugins)" in ran.err

    def test_a_stop_before_the_first_answer_raises(self, tmp_path):
        cancel = CancelToken()
        cancel.cancel()
        with pytest.raises(Cancelled):
            list(probe_parts(Host(), tmp_path / "log", cancel))


def test_device_takes_the_first_usable_one_of_those_that_are_wanted():
    devices = (
        DeviceReport("npu", False, reason="no driver"),
        DeviceReport("gpu", True, "A GPU"),
        DeviceReport("cpu", True),
    )
    assert chosen(devices, WANTED).device == "gpu"
    assert chosen(devices, ("cpu", "gpu")).device == "cpu"
    assert chosen(devices, ("npu",)).device == ""
    assert "npu" in chosen(devices, ("npu",)).reason
