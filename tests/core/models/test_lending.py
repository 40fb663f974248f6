"""What passes between a lender and who borrows: plain data, of bounded size, between one user."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time

import pytest

from inglenook.errors import ContextOverflowError, RuntimeFailure
from inglenook.models import borrowing, lending
from inglenook.models.borrowing import ask_lenders, borrow
from inglenook.models.lending import Lender
from inglenook.models.local_socket import connect, listen, socket_folders, sockets
from inglenook.models.wanted_model import WantedModel
from inglenook.models.warm_models import WarmModels
from inglenook.models.wire import packed, unpacked
from inglenook.settings import WarmSettings
from inglenook.testing.fake_runtime import FAKE_RUNTIME, fake_model
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    Message,
    Notice,
    Queued,
    RuntimeInfo,
    RuntimeOptions,
    TextDelta,
    TokenLogprob,
    ToolSpec,
    Usage,
)

QUESTION = GenerateRequest(tokens=(4, 5, 6))


@pytest.mark.parametrize(
    "value",
    [
        QUESTION,
        GenerateRequest(
            messages=(Message.of("user", "Naïve 🙂 \ud800"),),
            parameters={"temperature": 0.5, "@": "odd"},
            json_schema={"type": "object", "properties": {"@": {"type": "string"}}},
            tools=(ToolSpec("look", "Looks.", {"type": "object"}),),
        ),
        RuntimeInfo(512, control_tokens=("<a>",), parameters=("temperature",)),
        TextDelta("a", (TokenLogprob("a", float("-inf"), (("b", -0.5),)),), (7,)),
        Usage(1, 2, 3, 0.5),
        Queued(3, "memory"),
        Notice("x", "y"),
        Failed("RuntimeFailure", "It failed.", "Try.", {"exit_code": 3}),
        Done("length", context_full=True),
    ],
)
def test_what_is_said_arrives_as_it_was(value):
    assert value == unpacked(packed({"x": value}))["x"]


def test_an_error_keeps_its_class_and_numbers():
    error = ContextOverflowError("Too long.", hint="Cut.", needed=9, available=5)
    got = unpacked(packed({"x": error}))["x"]
    assert (ContextOverflowError, "Too long.", "Cut.") == (type(got), got.message, got.hint)
    assert (9, 5) == (got.needed, got.available)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\x80\x04.",
        b'{"x": {"@": "Path", "value": "/"}}',
        b'{"x": {"@": "GenerateRequest", "no_such": 1}}',
        b'{"x": {"@": "b", "data": 5}}',
        b'{"x": {"name": "no class"}}',
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_what_is_no_data_of_this_program_is_refused(data):
    with pytest.raises(ValueError):
        unpacked(data)


# --- over the socket --------------------------------------------------------------------------


@pytest.fixture
def wanted(tmp_path):
    def make(context=512, **script):
        options = RuntimeOptions(context_length=context)
        return WantedModel(FAKE_RUNTIME, fake_model(**script), options, tmp_path / "log", "fake")

    return make


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def lender(cache, monkeypatch):
    """A lender in this process, which counts as another one."""
    models = WarmModels(WarmSettings())
    opened = Lender(models, cache, "test")
    opened.start()
    number = os.getpid()
    monkeypatch.setattr(borrowing.os, "getpid", lambda: number + 1)
    yield models
    opened.close()
    models.close()


def test_what_is_open_is_lent_and_what_is_not_is_not(lender, cache, wanted):
    assert borrow(cache, wanted()) is None
    lender.runtime(wanted(texts=("Yes it is.",))).open()
    assert borrow(cache, wanted(texts=("Something else.",))) is None
    assert borrow(cache, wanted(context=1024, texts=("Yes it is.",))) is None
    found = borrow(cache, wanted(context=100, texts=("Yes it is.",)))
    assert found is not None
    assert 100 == found.info.context_length
    assert [ord("a") + 3] == found.tokenize("a", special=False)
    *texts, usage, end = found.generate(QUESTION, CancelToken())
    assert ("Yes it is.", 3, Done("stop")) == (
        "".join(event.text for event in texts),
        usage.prompt_tokens,
        end,
    )
    with pytest.raises(ContextOverflowError):
        list(found.generate(GenerateRequest(tokens=(5,) * 200), CancelToken()))
    found.close()


def test_a_cancel_ends_a_lent_answer(lender, cache, wanted):
    one = wanted(texts=("word " * 200,), delay_s=0.02)
    lender.runtime(one).open()
    found = borrow(cache, one)
    cancel = CancelToken()
    stream = found.generate(QUESTION, cancel)
    next(stream)
    began = time.monotonic()
    cancel.cancel()
    assert Done("cancelled") == list(stream)[-1]
    assert time.monotonic() - began < 1
    assert 0 == lender.rows()[0].busy


def test_who_goes_away_frees_the_slot(lender, cache, wanted):
    one = wanted(texts=("word " * 200,), delay_s=0.02)
    lender.runtime(one).open()
    stream = borrow(cache, one).generate(QUESTION, CancelToken())
    next(stream)
    stream.close()
    end = time.monotonic() + 3
    while lender.rows()[0].busy:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_lender_that_closes_in_mid_answer_is_told_at_once(cache, wanted, monkeypatch):
    models = WarmModels(WarmSettings())
    opened = Lender(models, cache, "test")
    opened.start()
    number = os.getpid()
    monkeypatch.setattr(borrowing.os, "getpid", lambda: number + 1)
    one = wanted(texts=("word " * 200,), delay_s=0.02)
    models.runtime(one).open()
    stream = borrow(cache, one).generate(QUESTION, CancelToken())
    next(stream)
    began = time.monotonic()
    opened.close()
    end = list(stream)[-1]
    models.close()
    assert isinstance(end, Failed)
    assert "in mid-answer" in end.message
    assert time.monotonic() - began < 1


def test_who_borrows_loads_the_model_itself_when_it_is_not_lent_any_more(lender, cache, wanted):
    one = wanted(texts=("Yes.",))
    lender.runtime(one).open()
    own = WarmModels(WarmSettings(), borrow=lambda wanted: borrow(cache, wanted))
    runtime = own.runtime(one)
    runtime.open()
    assert [] == own.rows()
    lender.stop(None)
    assert Done("stop") == list(runtime.generate(QUESTION, CancelToken()))[-1]
    assert 1 == len(own.rows())
    own.close()


def test_another_version_is_passed_over(lender, cache, wanted, monkeypatch):
    lender.runtime(wanted()).open()
    monkeypatch.setattr(borrowing, "__version__", "0.0.0")
    assert borrow(cache, wanted()) is None
    ((reply,),) = ([r["models"] for r in ask_lenders(cache, "list")],)
    assert "fake:1b" == reply[0]["model"]
    monkeypatch.setattr(lending, "PROTOCOL", 2)
    assert [{"no": "protocol", "protocol": 2}] == list(ask_lenders(cache, "list"))


def test_noise_on_the_socket_ends_that_connection_only(lender, cache, wanted):
    ((_, path),) = sockets(cache)
    for noise in (b"", b"GET / HTTP/1.1\r\n\r\n", struct.pack(">I", 5) + b"[[[[[", b"\xff" * 9):
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(3)
            door.connect(str(path))
            door.sendall(noise)
            door.shutdown(socket.SHUT_WR)
            assert b"" == door.recv(10)
    lender.runtime(wanted()).open()
    assert borrow(cache, wanted()) is not None


def test_somebody_who_listens_and_says_nothing_is_not_waited_for(cache, wanted):
    made, path = listen(cache)
    other = path.with_name(f"{os.getpid() + 1}.sock")
    path.rename(other)
    began = time.monotonic()
    assert borrow(cache, wanted()) is None
    assert time.monotonic() - began < borrowing.HELLO_S + 1
    made.close()


def test_a_socket_that_a_killed_process_left_is_taken_away(cache):
    made, path = listen(cache)
    made.close()
    assert connect(path) is None
    assert not path.exists()


def test_a_folder_that_others_may_enter_is_not_trusted(cache):
    made, path = listen(cache)
    path.parent.chmod(0o755)
    assert [] == list(sockets(cache))
    made.close()
    made, _ = listen(cache)
    assert 0o700 == path.parent.stat().st_mode & 0o777
    made.close()


def test_a_long_path_is_passed_over_for_a_short_one(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp")
    assert [tmp_path / "run"] == socket_folders(tmp_path)[:1] or len(str(tmp_path)) > 80
    (short,) = socket_folders(tmp_path / ("d" * 120))
    assert short.name.startswith("nook-")


def test_a_runtime_that_dies_at_the_lender_fails_each_answer_by_itself(lender, cache, wanted):
    one = wanted(texts=("one two three four",), delay_s=0.05, crash_after=3)
    lender.runtime(one).open()
    ends = []

    def ask():
        ends.append(list(borrow(cache, one).generate(QUESTION, CancelToken()))[-1])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert 3 == len(ends)
    assert all(isinstance(end, Failed) and "SIGABRT" in end.message for end in ends)


def test_an_error_of_the_lenders_queue_is_the_borrowers(cache, wanted, monkeypatch):
    models = WarmModels(WarmSettings(max_queue=0))
    opened = Lender(models, cache, "test")
    opened.start()
    number = os.getpid()
    monkeypatch.setattr(borrowing.os, "getpid", lambda: number + 1)
    one = wanted(texts=("word " * 100,), delay_s=0.02)
    models.runtime(one).open()
    first = borrow(cache, one).generate(QUESTION, CancelToken())
    next(first)
    with pytest.raises(RuntimeFailure, match="wait already"):
        list(borrow(cache, one).generate(QUESTION, CancelToken()))
    first.close()
    opened.close()
    models.close()


def test_the_answer_to_a_list_is_json(lender, cache, wanted):
    lender.runtime(wanted()).open()
    (reply,) = ask_lenders(cache, "list")
    assert "test" == json.loads(json.dumps(reply["models"]))[0]["process"]
