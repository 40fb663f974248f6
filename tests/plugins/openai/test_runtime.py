"""The runtime of servers, against real ones on this machine."""

from __future__ import annotations

import threading
import time

import httpx2
import pytest

from inglenook.errors import (
    ContextOverflowError,
    ModelNotFoundError,
    RuntimeFailure,
    UserError,
)
from inglenook.models.worker import RuntimeWorker
from inglenook.testing.runtime import RuntimeKit
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    Message,
    ModelFiles,
    RuntimeOptions,
    TextDelta,
    Usage,
)
from inglenook_openai.runtime import ServerRuntime

LOAD = "inglenook_openai.runtime:ServerRuntime"


def settings(url: str, **given: object) -> RuntimeOptions:
    stated = {"url": url, "api": "auto", "cloud": False, "timeout_s": 60.0}
    return RuntimeOptions(settings=stated | given)


def opened(url: str, **given: object) -> ServerRuntime:
    return ServerRuntime(ModelFiles("smol", "remote", {}), settings(url, **given))


def asked(text: str = "Tell me about the sea.", **fields: object) -> GenerateRequest:
    return GenerateRequest(messages=(Message.of("user", text),), **fields)


def answered(runtime: ServerRuntime, request: GenerateRequest) -> list:
    return list(runtime.generate(request, CancelToken()))


# --- the contract ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def llama(llama_server):
    return opened(f"{llama_server}/v1")


@pytest.fixture(scope="module")
def llama_in_a_worker(llama_server, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "log"
    files = ModelFiles("smol", "remote", {})
    runtime = RuntimeWorker(LOAD, files, settings(f"{llama_server}/v1"), log)
    yield runtime
    runtime.close()


@pytest.fixture(scope="module")
def python(python_server):
    return opened(f"{python_server}/v1")


@pytest.fixture(scope="module")
def ollama(ollama_server):
    return opened(f"{ollama_server}/v1")


class TestLlamaServer(RuntimeKit):
    @pytest.fixture
    def runtime(self, llama):
        return llama


class TestLlamaServerInAWorker(RuntimeKit):
    @pytest.fixture
    def runtime(self, llama_in_a_worker):
        return llama_in_a_worker


class TestPythonServer(RuntimeKit):
    reuses_prefix = False  # It does, and does not tell.

    @pytest.fixture
    def runtime(self, python):
        return python


class TestOllama(RuntimeKit):
    reuses_prefix = False  # It does, and does not tell.

    @pytest.fixture
    def runtime(self, ollama):
        return ollama


# --- what it finds out ----------------------------------------------------------------------------


def test_it_finds_out_what_each_server_speaks(make, llama_server, python_server, ollama_server):
    told = [make(f"{url}/v1").open() for url in (llama_server, python_server, ollama_server)]
    assert ["llama.cpp's server", "OpenAI's API", "Ollama's API"] == [
        info.device.rpartition("(")[2].rstrip(")") for info in told
    ]
    assert [512, 0, 4096] == [info.context_length for info in told]
    assert {""} == {info.remote for info in told}


def test_ollama_is_told_the_context_length_that_the_profile_states(make, ollama_server):
    assert 2048 == make(ollama_server, context_length=2048).open().context_length


def test_a_model_that_the_server_lacks_is_answered_with_those_that_it_has(
    make, llama_server, ollama_server
):
    for url, known in ((f"{llama_server}/v1", "smol"), (ollama_server, "smol:latest, vectors")):
        with pytest.raises(ModelNotFoundError, match=f"no model 'nope'.\nIt has: {known}"):
            make(url, "nope").open()


def test_a_model_that_cannot_chat_is_refused(make, ollama_server):
    with pytest.raises(UserError, match="writes no text"):
        make(ollama_server, "vectors").open()


@pytest.mark.parametrize("api", ["auto", "ollama", "openai", "llama-server"])
def test_a_model_that_runs_elsewhere_is_refused_until_the_profile_says_so(make, ollama_server, api):
    with pytest.raises(UserError, match=r"sends prompts to ollama.invalid:443.\n.*cloud=true"):
        make(f"{ollama_server}/v1", "smol:cloud", api=api).open()
    assert "ollama.invalid:443" == make(ollama_server, "smol:cloud", cloud=True).open().remote


# --- misuse ---------------------------------------------------------------------------------------


def test_what_the_api_does_not_name_is_refused_instead_of_ignored(make, python_server):
    runtime = make(f"{python_server}/v1")
    runtime.open()
    with pytest.raises(UserError, match="not known to honour PARAMETER top_k"):
        answered(runtime, asked(parameters={"top_k": 5}, max_tokens=1))


def test_how_a_model_is_loaded_is_no_business_of_its_guests(make, llama_server, ollama_server):
    with pytest.raises(UserError, match="PARAMETER num_gpu says how a model is loaded"):
        make(f"{llama_server}/v1", gpu_layers=3).open()
    with pytest.raises(UserError, match="DEVICE has no meaning"):
        make(f"{llama_server}/v1", devices=("gpu",)).open()
    runtime = make(ollama_server, gpu_layers=0, threads=1)
    runtime.open()
    assert isinstance(answered(runtime, asked(max_tokens=1))[-1], Done)


def test_a_prompt_that_does_not_fit_is_said_to_be_too_long(make, llama_server, ollama_server):
    long = asked("sea " * 5000, max_tokens=1)
    runtime = make(f"{llama_server}/v1")
    runtime.open()
    with pytest.raises(ContextOverflowError) as told:
        answered(runtime, long)
    assert (5000 < told.value.needed, 512) == (True, told.value.available)
    runtime = make(ollama_server)
    runtime.open()
    with pytest.raises(ContextOverflowError):
        answered(runtime, long)


def test_a_server_that_ends_without_an_answer_is_told(make, python_server):
    runtime = make(f"{python_server}/v1")
    runtime.open()
    with pytest.raises(RuntimeFailure, match="ended without an answer"):
        answered(runtime, asked("sea " * 5000, max_tokens=1))


def test_a_key_is_asked_for_and_belongs_to_one_host(make, locked_server, monkeypatch):
    place = httpx2.URL(locked_server)
    variable = f"INGLENOOK_KEY_127_0_0_1___{place.port}"
    with pytest.raises(RuntimeFailure, match=f"refuses the key.*\nSet {variable}"):
        make(f"{locked_server}/v1").open()
    monkeypatch.setenv(f"INGLENOOK_KEY_127_0_0_1___{place.port + 1}", "open sesame")
    with pytest.raises(RuntimeFailure, match="refuses the key"):
        make(f"{locked_server}/v1").open()
    monkeypatch.setenv(variable, "open sesame")
    runtime = make(f"{locked_server}/v1")
    runtime.open()
    assert isinstance(answered(runtime, asked(max_tokens=2))[-1], Done)


def test_a_server_that_is_not_there_is_one_clear_error(make):
    with pytest.raises(RuntimeFailure, match=r"No server answers at http://127\.0\.0\.1:9/v1"):
        make("http://127.0.0.1:9/v1").open()


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:11434",
        "ftp://127.0.0.1/v1",
        "http://",
        "http://user:secret@127.0.0.1/v1",
        "http://127.0.0.1\\@example.invalid/v1",
        "http://127.0.0.1:99999/v1",
        "http://127.0.0.1/v1?key=1",
        "http://exa mple/v1",
        "http://999.999.999.999/v1",
        "http://0177.0.0.1/v1",
        "http://a-.example/v1",
    ],
)
def test_an_address_that_is_none_is_refused(make, url):
    with pytest.raises(UserError):
        make(url)


# --- trouble on the way ---------------------------------------------------------------------------


def test_a_silent_server_is_left_after_its_time(make, silent):
    runtime = make(f"{silent}/v1", api="openai", timeout_s=1.0)
    runtime.open()
    with pytest.raises(RuntimeFailure, match="silent for too long"):
        answered(runtime, asked(max_tokens=1))


def test_a_cancel_is_heard_while_the_server_says_nothing(make, silent):
    runtime = make(f"{silent}/v1", api="openai", timeout_s=60.0)
    runtime.open()
    cancel = CancelToken()
    threading.Timer(0.3, cancel.cancel).start()
    began = time.monotonic()
    events = list(runtime.generate(asked(), cancel))
    assert time.monotonic() - began < 1.3
    assert [Usage, Done] == [type(event) for event in events]
    assert "cancelled" == events[-1].stop_reason


def test_a_server_that_dies_in_mid_answer_ends_it_with_what_was_said(make, start, smollm2):
    with start("llama_server.py", str(smollm2.files["model"]), "512") as process:
        runtime = make(f"{process.stdout.readline().strip()}/v1")
        runtime.open()
        events = []
        for event in runtime.generate(asked(max_tokens=400), CancelToken()):
            events.append(event)
            if isinstance(event, TextDelta) and len(events) == 5:
                process.kill()
    assert isinstance(events[-1], Failed)
    assert "broke" in events[-1].message
    with pytest.raises(RuntimeFailure, match="No server answers"):
        answered(runtime, asked())


def test_closing_the_answer_stops_the_server(make, llama_server):
    runtime = make(f"{llama_server}/v1")
    runtime.open()
    events = runtime.generate(asked(max_tokens=400), CancelToken())
    next(event for event in events if isinstance(event, TextDelta))
    events.close()
    # It has one slot: a second answer waits until the first one has ended.
    began = time.monotonic()
    assert isinstance(answered(runtime, asked("Hi.", max_tokens=1))[-1], Done)
    assert time.monotonic() - began < 3
