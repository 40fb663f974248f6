"""The default runtime with a real model: alone, and in a process of its own as it is used."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time

import psutil
import pytest

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.worker import RuntimeWorker
from inglenook.testing.runtime import RuntimeKit
from inglenook.types import CancelToken, GenerateRequest, ModelFiles, RuntimeOptions
from inglenook_xllamacpp.runtime import XllamacppRuntime

LOAD = "inglenook_xllamacpp.runtime:XllamacppRuntime"
# One thread: a busy machine stalls several threads of llama.cpp far longer than one.
OPTIONS = RuntimeOptions(context_length=512, threads=1, batch=64)


@pytest.fixture(scope="module")
def in_process(smollm2):
    runtime = XllamacppRuntime(smollm2, OPTIONS)
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def in_worker(smollm2, tmp_path_factory):
    runtime = RuntimeWorker(LOAD, smollm2, OPTIONS, tmp_path_factory.mktemp("log") / "log")
    yield runtime
    runtime.close()


class TestXllamacpp(RuntimeKit):
    @pytest.fixture
    def runtime(self, in_process):
        return in_process


class TestXllamacppInAWorker(RuntimeKit):
    @pytest.fixture
    def runtime(self, in_worker):
        return in_worker


def test_a_truncated_model_is_broken_and_never_reaches_native_code(smollm2, tmp_path):
    path = tmp_path / "half.gguf"
    path.write_bytes(smollm2.files["model"].read_bytes()[: 50 << 20])
    runtime = XllamacppRuntime(ModelFiles("half", "gguf", {"model": path}), OPTIONS)
    with pytest.raises(ModelBrokenError, match="truncated"):
        runtime.open()


def test_a_device_that_is_not_there_is_refused_with_those_that_are(smollm2):
    runtime = XllamacppRuntime(smollm2, RuntimeOptions(devices=("npu",)))
    with pytest.raises(UserError, match=r"no npu here\.\nIt can use cpu"):
        runtime.open()


def test_the_next_device_is_taken_and_the_reason_told(smollm2):
    runtime = XllamacppRuntime(
        smollm2, RuntimeOptions(context_length=256, devices=("npu", "cpu"), threads=1)
    )
    info = runtime.open()
    runtime.close()
    assert info.device == "cpu (no npu that this build can use)"


def test_the_context_is_no_longer_than_the_model_was_trained_for(smollm2):
    runtime = XllamacppRuntime(smollm2, RuntimeOptions(context_length=100_000, threads=1))
    info = runtime.open()
    runtime.close()
    assert info.context_length == info.trained_context_length == 8192


def test_a_grammar_that_is_none_is_refused(smollm2, tmp_path):
    runtime = RuntimeWorker(LOAD, smollm2, OPTIONS, tmp_path / "log")
    try:
        with pytest.raises(UserError, match="grammar"):
            list(
                runtime.generate(GenerateRequest(tokens=(1,), grammar="root ::= ("), CancelToken())
            )
    finally:
        runtime.close()
    assert "root ::= (" in (tmp_path / "log").read_text()


USE = """
import sys
from pathlib import Path
from inglenook.models.worker import RuntimeWorker
from inglenook.types import *
files = ModelFiles("smollm2", "gguf", {"model": Path(sys.argv[1])})
runtime = RuntimeWorker(sys.argv[3], files, RuntimeOptions(256, threads=1), Path(sys.argv[2]))
runtime.open()
events = list(runtime.generate(GenerateRequest(tokens=(1, 4093, 198), max_tokens=4), CancelToken()))
assert isinstance(events[-1], Done), events
runtime.close()
"""


def test_a_whole_use_prints_nothing_and_leaves_nothing_behind(smollm2, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    arguments = [str(smollm2.files["model"]), str(tmp_path / "log"), LOAD]
    used = subprocess.run(
        [sys.executable, "-c", USE, *arguments],
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (used.returncode, used.stdout, used.stderr) == (0, "", "")
    assert list(temporary.iterdir()) == []


def test_no_port_is_open_while_a_model_is_loaded(in_worker):
    in_worker.open()
    assert psutil.Process(in_worker.pid).net_connections(kind="inet") == []


@pytest.mark.parametrize("load", [LOAD, "inglenook_llama_cpp.runtime:LlamaCppRuntime"])
def test_keys_and_values_in_fewer_bits_take_less_memory_and_still_answer(smollm2, tmp_path, load):
    def used(kv_cache: str) -> int:
        settings = {"kv_cache": kv_cache, "flash_attention": "on"}
        options = RuntimeOptions(context_length=8192, threads=1, settings=settings)
        runtime = RuntimeWorker(load, smollm2, options, tmp_path / "log")
        try:
            runtime.open()
            request = GenerateRequest(tokens=(1, 4093, 198), max_tokens=4)
            assert "length" == [*runtime.generate(request, CancelToken())][-1].stop_reason
            return psutil.Process(runtime.pid).memory_info().rss
        finally:
            runtime.close()

    whole, half, quarter = (used(kind) for kind in ("f16", "q8_0", "q4_0"))
    # 8,192 tokens of this model are 189 MB in 16 bits.
    assert whole - half > 60_000_000
    assert half - quarter > 30_000_000


def test_a_small_cache_without_flash_attention_is_refused(smollm2):
    settings = {"kv_cache": "q8_0", "flash_attention": "off"}
    runtime = XllamacppRuntime(smollm2, RuntimeOptions(settings=settings))
    with pytest.raises(UserError, match=r"kv_cache=q8_0 needs flash attention.\nRemove"):
        runtime.open()


def test_what_a_killed_process_left_is_swept_away_after_a_day(smollm2, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with socket.socket(socket.AF_UNIX) as door:
        for name, age_s in (("killed", 90_000), ("loading", 10), ("in-use", 90_000)):
            folder = tmp_path / f"inglenook-{name}"
            folder.mkdir()
            if name != "loading":
                with socket.socket(socket.AF_UNIX) as left:
                    (door if name == "in-use" else left).bind(str(folder / "s.sock"))
            os.utime(folder, (time.time() - age_s,) * 2)
        door.listen()
        runtime = XllamacppRuntime(smollm2, OPTIONS)
        runtime.open()
        runtime.close()
    assert ["inglenook-in-use", "inglenook-loading"] == sorted(p.name for p in tmp_path.iterdir())
