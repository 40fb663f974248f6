"""A runtime in a process of its own: whatever happens there, this process hears of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from inglenook.errors import ContextOverflowError, ModelBrokenError, PluginError, RuntimeFailure
from inglenook.models.worker import RuntimeWorker
from inglenook.processes.worker_process import WorkerProcess
from inglenook.testing.fake_runtime import FAKE_RUNTIME, fake_model
from inglenook.testing.runtime import RuntimeKit
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    RuntimeOptions,
    TextDelta,
)

QUESTION = GenerateRequest(tokens=(4, 5, 6))
OPTIONS = RuntimeOptions(context_length=512)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "logs" / "runtime.log"


@pytest.fixture
def start(log):
    """Makes workers around a fake runtime, and closes them."""
    started = []

    def start(load=FAKE_RUNTIME, **script):
        started.append(RuntimeWorker(load, fake_model(**script), OPTIONS, log))
        return started[-1]

    yield start
    for worker in started:
        worker.close()


def answer(worker, cancel=None):
    return list(worker.generate(QUESTION, cancel or CancelToken()))


class TestFakeRuntimeInAWorker(RuntimeKit):
    @pytest.fixture
    def runtime(self, start):
        return start(delay_s=0.001)


def test_a_crash_in_mid_answer_is_told_and_the_next_question_is_answered(start, log):
    worker = start(texts=("One two three.",), crash_after=3)
    *texts, end = answer(worker)
    assert texts == [TextDelta("One "), TextDelta("two ")]
    assert isinstance(end, Failed)
    assert end.error == "RuntimeFailure"
    assert "fake:1b ended unexpectedly in mid-answer: signal 6 (SIGABRT)" in end.message
    assert str(log) in end.hint
    assert "crashes as it was told" in log.read_text()
    assert answer(worker)[0] == TextDelta("One ")


def test_a_child_that_is_killed_while_it_waits_is_started_again(start):
    worker = start(texts=("Yes.",))
    worker.open()
    first = worker.pid
    os.kill(first, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(first)] if psutil.pid_exists(first) else [], timeout=5)
    assert isinstance(answer(worker)[-1], Done)
    assert worker.pid != first


def test_a_child_that_is_killed_in_mid_answer_hints_at_memory(start):
    worker = start(texts=("One two three four five.",), delay_s=0.1)
    stream = worker.generate(QUESTION, CancelToken())
    next(stream)
    os.kill(worker.pid, signal.SIGKILL)
    end = list(stream)[-1]
    assert isinstance(end, Failed)
    assert "SIGKILL" in end.message
    assert "out of memory" in end.hint


def test_a_crash_while_loading_raises(start):
    worker = start(crash_after=0)
    with pytest.raises(RuntimeFailure, match="ended unexpectedly while loading: signal 6"):
        worker.open()


def test_an_error_of_the_runtime_keeps_its_class_and_hint(start):
    with pytest.raises(ModelBrokenError, match="cannot be opened") as caught:
        start(open_error="ModelBrokenError").open()
    assert caught.value.hint == "It was told so."


def test_an_error_keeps_its_numbers(start):
    request = GenerateRequest(tokens=(5,) * 600)
    with pytest.raises(ContextOverflowError) as caught:
        next(start().generate(request, CancelToken()))
    assert (caught.value.needed, caught.value.available) == (600, 512)


@pytest.mark.parametrize("load", ["no_such_package.runtime:Runtime", "inglenook.types:NoSuch"])
def test_a_class_that_is_not_there_is_the_plugins_fault(start, load):
    with pytest.raises(PluginError):
        start(load).open()


def test_a_runtime_that_does_not_hear_a_cancel_is_left(start):
    worker = start(texts=("word " * 30,), delay_s=0.1, deaf=True)
    cancel = CancelToken()
    stream = worker.generate(QUESTION, cancel)
    next(stream)
    cancel.cancel()
    asked = time.monotonic()
    end = list(stream)[-1]
    assert end == Done("cancelled")
    assert time.monotonic() - asked < 2.0


def test_closing_in_mid_answer_ends_the_child_within_two_seconds(start):
    worker = start(texts=("word " * 100,), delay_s=0.1, deaf=True)
    stream = worker.generate(QUESTION, CancelToken())
    next(stream)
    pid = worker.pid
    began = time.monotonic()
    worker.close()
    assert time.monotonic() - began < 2.0
    assert not psutil.pid_exists(pid)


def test_closing_while_it_loads_ends_the_loading(start):
    worker = start(open_delay_s=60.0)
    failures = []

    def load():
        try:
            worker.open()
        except RuntimeFailure as error:
            failures.append(error)

    loading = threading.Thread(target=load)
    loading.start()
    while worker.pid is None:
        time.sleep(0.01)
    began = time.monotonic()
    worker.close()
    loading.join(3.0)
    assert time.monotonic() - began < 2.5
    assert len(failures) == 1


def test_what_native_code_prints_goes_to_the_log_only(start, log, capfd):
    worker = start(texts=("Yes.",), prints="llama_model_loader: chatter\n")
    assert answer(worker)[0] == TextDelta("Yes.")
    assert capfd.readouterr() == ("", "")
    assert log.read_text().count("chatter") == 2


def test_ctrl_c_does_not_reach_the_child(start):
    worker = start(texts=("Yes.",))
    worker.open()
    pid = worker.pid
    os.kill(pid, signal.SIGINT)
    assert os.getpgid(pid) != os.getpgid(0)
    assert isinstance(answer(worker)[-1], Done)
    assert worker.pid == pid


def test_opening_and_closing_leaves_no_descriptor_and_no_child(start):
    own = psutil.Process()
    start().open()
    before = own.num_fds(), len(own.children())
    for _ in range(3):
        worker = start()
        worker.open()
        worker.close()
    assert (own.num_fds(), len(own.children())) == before


PARENT = """
import os, sys
from pathlib import Path
from inglenook.models.worker import RuntimeWorker
from inglenook.testing.fake_runtime import FAKE_RUNTIME, fake_model
from inglenook.types import CancelToken, GenerateRequest, RuntimeOptions
files = fake_model(texts=("word " * 1000,), delay_s=0.1)
worker = RuntimeWorker(FAKE_RUNTIME, files, RuntimeOptions(), Path(sys.argv[1]))
stream = worker.generate(GenerateRequest(tokens=(1,)), CancelToken())
next(stream)
print(worker.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_the_child_ends_with_its_parent(log):
    parent = subprocess.run(
        [sys.executable, "-c", PARENT, str(log)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=False,
    )
    pid = int(parent.stdout)
    deadline = time.monotonic() + 5.0
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    # An orphan may wait for its new parent to collect it: it has ended all the same.
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


PART = """
import os, sys
class Part:
    def __init__(self, name): self.name = name
    def tell(self): return self.name, os.environ.get("ORT_DISABLE_TELEMETRY"), sys.path
    def count(self, most, cancel):
        for n in range(most):
            yield n
    def fail(self): raise ZeroDivisionError("one over none")
    def answer_strangely(self): return lambda: None
    def close(self): pass
"""


@pytest.fixture
def part(tmp_path, monkeypatch, log):
    """Any class can run in a worker, also from a folder that only this process imports from."""
    (tmp_path / "own_part.py").write_text(PART)
    monkeypatch.syspath_prepend(str(tmp_path))
    process = WorkerProcess("own_part:Part", ("ada",), log)
    yield process
    process.close()


def test_any_class_runs_there_with_the_telemetry_switched_off(part):
    name, telemetry, _ = part.call("tell")
    assert (name, telemetry) == ("ada", "1")


def test_any_generator_streams_from_there(part):
    assert list(part.stream("count", 4, cancel=CancelToken())) == [0, 1, 2, 3]


def test_an_error_that_is_not_ours_becomes_one_that_is(part):
    with pytest.raises(RuntimeFailure, match="ZeroDivisionError: one over none"):
        part.call("fail")


def test_a_result_that_cannot_travel_is_an_error(part):
    with pytest.raises(RuntimeFailure, match="pickle"):
        part.call("answer_strangely")


def test_a_module_in_the_working_folder_is_not_taken_for_a_library(tmp_path, monkeypatch, start):
    (tmp_path / "struct.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    assert start().open().context_length == 512


def test_the_child_starts_without_heavy_imports():
    code = "import sys, inglenook.processes.worker_main; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    heavy = {"numpy", "click", "rich", "textual", "jinja2", "pluggy", "asyncio", "sqlite3"}
    assert heavy & set(loaded) == set()


def test_a_log_that_cannot_be_written_does_not_keep_it_from_answering(tmp_path):
    (tmp_path / "file").write_text("")
    worker = RuntimeWorker(FAKE_RUNTIME, fake_model(), OPTIONS, tmp_path / "file" / "log")
    assert worker.open().context_length == 512
    worker.close()


def test_a_log_that_has_grown_too_long_is_begun_anew(start, log):
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * (2 << 20))
    start(prints="new\n").open()
    assert Path(log).read_text() == "new\nnew\n"
