"""Real servers on this machine, each with the tests' small model."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from inglenook.types import ModelFiles, RuntimeOptions
from inglenook_openai.runtime import ServerRuntime

HERE = Path(__file__).parent
CONTEXT = "512"
Make = Callable[..., ServerRuntime]


@contextmanager
def program(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / name), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def llama_server(smollm2: ModelFiles) -> Iterator[str]:
    """The address of llama.cpp's own server."""
    with program("llama_server.py", str(smollm2.files["model"]), CONTEXT) as process:
        yield process.stdout.readline().strip()


@pytest.fixture(scope="session")
def locked_server(smollm2: ModelFiles) -> Iterator[str]:
    """The same, which wants the key `open sesame`."""
    model = str(smollm2.files["model"])
    with program("llama_server.py", model, CONTEXT, "open sesame") as process:
        yield process.stdout.readline().strip()


@pytest.fixture(scope="session")
def python_server(smollm2: ModelFiles) -> Iterator[str]:
    """The address of llama-cpp-python's server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with program("python_server.py", str(smollm2.files["model"]), CONTEXT, str(port)) as process:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx2.get(f"{address}/v1/models", trust_env=False)
                break
            except httpx2.HTTPError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield address


@pytest.fixture(scope="session")
def ollama_server(llama_server: str) -> Iterator[str]:
    """The address of a server that speaks Ollama's API."""
    with program("ollama_front.py", llama_server) as process:
        yield process.stdout.readline().strip()


@pytest.fixture
def start() -> Callable[..., object]:
    """Starts a program beside these tests, as a context."""
    return program


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes questions and never answers one."""
    released = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            released.wait(30)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes runtimes, and closes them."""
    made: list[ServerRuntime] = []

    def runtime(url: str, model: str = "smol", **settings: object) -> ServerRuntime:
        opening = {
            name: settings.pop(name)
            for name in ("context_length", "devices", "gpu_layers", "threads")
            if name in settings
        }
        given = {"url": url, "api": "auto", "cloud": False, "timeout_s": 60.0, **settings}
        made.append(
            ServerRuntime(
                ModelFiles(model, "remote", {}), RuntimeOptions(**opening, settings=given)
            )
        )
        return made[-1]

    yield runtime
    for runtime_ in made:
        runtime_.close()
