"""Whatever a server says, and however: an answer, or one clear error."""

from __future__ import annotations

import copy
import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.errors import InglenookError, UserError
from inglenook.server_address import ServerAddress
from inglenook.types import CancelToken, Done, Failed, GenerateRequest, Message, TextDelta
from inglenook_openai.api_key import find_key, key_variable

ODD = (None, True, -5, 3, 1.5, 10**30, "x", "", [], [1], ["a"], {}, {"a": 1}, [[1]])
SHOWN = {
    "capabilities": ["completion"],
    "model_info": {"llama.context_length": 2048},
    "remote_host": "",
}
LISTED = {"data": [{"id": "m", "aliases": ["n"], "max_model_len": 2048}]}
PROPS = {"default_generation_settings": {"n_ctx": 512}, "total_slots": 2}
CHUNK = {
    "choices": [{"delta": {"content": "Hi", "reasoning": ""}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 0},
    },
    "timings": {"prompt_ms": 1.0, "predicted_ms": 2.0},
    "prompt_progress": {"processed": 1, "total": 2},
}
LINE = {
    "message": {"content": "Hi", "thinking": ""},
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 3,
    "eval_count": 1,
    "load_duration": 1,
    "prompt_eval_duration": 1,
    "eval_duration": 1,
}


class Scripted:
    """A server that answers each path with these bytes."""

    def __init__(self) -> None:
        self.says: dict[str, bytes | tuple[int, bytes]] = {}
        self.headers: dict[str, str] = {}
        self.seen: queue.Queue[Any] = queue.Queue()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.seen.put(dict(self.headers))
                said = outer.says.get(self.path, (404, b""))
                status, body = said if isinstance(said, tuple) else (200, said)
                self.send_response(status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Scripted]:
    made = Scripted()
    yield made
    made.close()


def as_openai(server: Scripted, *lines: object, end: bytes = b"data: [DONE]\n\n") -> None:
    told = (line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    body = b"".join(b"data: " + line + b"\n\n" for line in told)
    server.says["/v1/chat/completions"] = body + end


def as_ollama(server: Scripted, shown: object = SHOWN, *lines: object) -> None:
    server.says["/api/version"] = b'{"version": "0.14.0"}'
    server.says["/api/show"] = json.dumps(shown).encode()
    server.says["/api/chat"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def said(runtime) -> tuple[str, object]:
    runtime.open()
    request = GenerateRequest(messages=(Message.of("user", "Hi"),), max_tokens=5)
    events = list(runtime.generate(request, CancelToken()))
    return "".join(e.text for e in events if isinstance(e, TextDelta)), events[-1]


def mutations(whole: Any) -> Iterator[Any]:
    """The same with each value, at any depth, replaced by each odd one."""
    for odd in ODD:
        yield odd
    pairs = whole.items() if isinstance(whole, dict) else enumerate(whole)
    for key, value in pairs if isinstance(whole, dict | list) else ():
        for odd in mutations(value) if isinstance(value, dict | list) else ODD:
            other = copy.deepcopy(whole)
            other[key] = odd
            yield other


def fine(make, server: Scripted, api: str) -> None:
    runtime = make(server.url, "m", api=api)
    try:
        _, last = said(runtime)
    except InglenookError:
        return
    assert isinstance(last, Done | Failed)
    info = runtime.open()
    assert 0 <= info.context_length <= 1 << 40
    assert 1 <= info.slots <= 1024


def test_any_json_in_any_place_is_an_answer_or_one_error(make, server):
    whole = {"/v1/models": LISTED, "/props": PROPS, "/v1/chat/completions": CHUNK}
    for path, form in whole.items():
        for odd in mutations(form):
            server.says = {p: json.dumps(f).encode() for p, f in whole.items()}
            as_openai(server, CHUNK)
            if path == "/v1/chat/completions":
                as_openai(server, odd)
            else:
                server.says[path] = json.dumps(odd).encode()
            fine(make, server, "llama-server")


def test_any_json_of_ollama_is_an_answer_or_one_error(make, server):
    for odd in mutations(SHOWN):
        as_ollama(server, odd, LINE)
        fine(make, server, "ollama")
    for odd in mutations(LINE):
        as_ollama(server, SHOWN, odd)
        fine(make, server, "ollama")


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 100_000])
def test_json_without_a_bottom_is_one_error(make, server, deep):
    as_openai(server, deep)
    fine(make, server, "openai")
    server.says["/v1/models"] = deep
    fine(make, server, "openai")
    server.says["/v1/chat/completions"] = (500, deep)
    fine(make, server, "openai")


def test_a_whole_answer_without_a_reason_is_whole(make, server):
    as_openai(server, {"choices": [{"delta": {"content": "Hi"}}]})
    text, last = said(make(server.url, "m", api="openai"))
    assert ("Hi", Done("stop")) == (text, last)
    as_openai(server, {"choices": [{"delta": {"content": "Hi"}}]}, end=b"")
    text, last = said(make(server.url, "m", api="openai"))
    assert isinstance(last, Failed)


def test_a_character_in_two_halves_is_put_together(make, server):
    chunk = b'{"choices": [{"delta": {"content": "%s"}}]}'
    as_openai(server, chunk % b"a\\ud83d", chunk % b"\\ude00b", chunk % b"\\ud83d")
    assert "a😀b" == said(make(server.url, "m", api="openai"))[0]


def test_a_mark_before_the_first_line_loses_nothing(make, server):
    as_openai(server, {"choices": [{"delta": {"content": "Hi"}}]})
    server.says["/v1/chat/completions"] = "\ufeff".encode() + server.says["/v1/chat/completions"]
    assert "Hi" == said(make(server.url, "m", api="openai"))[0]


def test_what_a_server_calls_its_models_cannot_reach_the_terminal(make, server):
    server.says["/v1/models"] = json.dumps({"data": [{"id": "\x1b[31mred\x07" * 500}]}).encode()
    with pytest.raises(InglenookError) as told:
        make(server.url, "m", api="openai").open()
    assert str(told.value).isprintable() or "\x1b" not in str(told.value)
    assert len(str(told.value)) < 600


def test_a_compressed_answer_is_refused_before_it_is_unpacked(make, server):
    server.headers = {"Content-Encoding": "gzip"}
    server.says["/v1/models"] = b"\x1f\x8b whatever"
    with pytest.raises(InglenookError, match="compressed"):
        make(server.url, "m", api="openai").open()


def test_what_a_server_says_of_itself_must_come_to_an_end(make, server):
    server.says["/v1/models"] = b" " * (17 << 20)
    with pytest.raises(InglenookError, match="come to an end"):
        make(server.url, "m", api="openai").open()


@pytest.mark.parametrize(
    "settings",
    [{"HTTP_PROXY": "foo://x"}, {"HTTP_PROXY": "socks5://127.0.0.1:9"}, {"SSL_CERT_FILE": "/no"}],
)
def test_settings_of_the_environment_that_cannot_be_used_are_one_error(make, monkeypatch, settings):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InglenookError):
        make("http://model.invalid/v1", "m", api="openai").open()


# --- keys -----------------------------------------------------------------------------------------

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,4}[a-z0-9])?", fullmatch=True)
PLACES = st.tuples(
    st.lists(LABELS, min_size=1, max_size=3), st.sampled_from(("", ":80", ":443", ":8000"))
).map(lambda place: f"{'.'.join(place[0])}.a{place[1]}")


@given(one=PLACES, other=PLACES)
def test_no_two_places_have_the_same_variable(one: str, other: str) -> None:
    first, second = ServerAddress.parse(f"https://{one}"), ServerAddress.parse(f"https://{other}")
    assert (first == second) == (key_variable(first) == key_variable(second))


def test_a_dash_is_no_dot():
    dotted = ServerAddress.parse("https://api.example.com/v1")
    dashed = ServerAddress.parse("https://api-example.com/v1")
    environment = {key_variable(dotted): "secret"}
    assert "secret" == find_key(dotted, environment)
    assert "" == find_key(dashed, environment)


def test_a_key_is_sent_to_another_machine_encrypted_only():
    address = ServerAddress.parse("http://api.example.com/v1")
    assert "" == find_key(address, {key_variable(address): "secret"})
    secure = ServerAddress.parse("https://api.example.com/v1")
    assert key_variable(address) == key_variable(secure)


def test_what_cannot_be_a_key_is_refused_without_showing_it():
    address = ServerAddress.parse("http://127.0.0.1:8000/v1")
    for key in ("sesame\r\nX: y", "sésame"):
        with pytest.raises(UserError) as told:
            find_key(address, {key_variable(address): key})
        assert "same" not in str(told.value)
        assert "INGLENOOK_KEY_127_0_0_1___8000" in str(told.value)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.9.9.9"])
def test_this_machine_is_never_looked_up(host):
    address = ServerAddress.parse(f"http://{host}:8000")
    assert address.is_this_machine
    assert address.host.startswith("127.")


@pytest.mark.parametrize("host", ["x.localhost", "localhost.example", "0.0.0.0", "[::ffff:7f00:1]"])
def test_what_may_be_elsewhere_counts_as_elsewhere(host):
    assert ServerAddress.parse(f"http://{host}/v1").remote
