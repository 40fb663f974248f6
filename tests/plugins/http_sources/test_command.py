"""`nook pull` over the network as a user runs it, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from inglenook.types import ModelFiles

from .conftest import gguf_of
from .file_server import FileServer, serving
from .registry import Registry, running_registry


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Nook = Callable[..., Ran]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def nook(home: Path) -> Nook:
    def run(*arguments: str, before: tuple[str, ...] = (), **environment: str) -> Ran:
        done = subprocess.run(
            [*before, sys.executable, "-m", "inglenook", *arguments],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "INGLENOOK_HOME": str(home), **environment},
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def configure(home: Path, text: str) -> None:
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config" / "config.toml").write_text(text)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def test_a_model_that_was_pulled_from_a_registry_answers(
    nook: Nook, home: Path, registry: Registry, smollm2: ModelFiles
) -> None:
    texts = {
        "system": b"You always answer briefly.",
        "params": b'{"num_ctx":512,"num_predict":12,"temperature":0}',
        "license": b"Apache License 2.0",
    }
    model = smollm2.files["model"].read_bytes()
    registry.push("library/pulled", "135m", model, texts)
    configure(home, f'[models]\nregistry = "{registry.place}"\n')
    pulled = nook("pull", "pulled:135m")
    assert pulled.code == 0, pulled.err
    assert f"Asking {registry.place} about pulled:135m" in pulled.err
    assert "pulled:135m is here" in pulled.out
    shown = nook("show", "pulled:135m")
    assert "Apache License 2.0" in shown.out
    assert "You always answer briefly." in nook("show", "pulled:135m", "--system").out
    answered = nook("run", "pulled:135m", "Say hello.")
    assert answered.code == 0, answered.err
    assert answered.out.strip()


def test_the_whole_story_in_the_words_of_the_terminal(
    nook: Nook, server: FileServer, model_bytes: bytes
) -> None:
    server.add("/m.gguf", model_bytes)
    first = nook("pull", f"{server.url}/m.gguf", "--name", "mine:v1")
    assert first.code == 0, first.err
    assert f"from {server.place} (url): 6 MB in 1 part" in first.err
    assert "mine:v1 is here (6 MB)." in first.out
    again = nook("pull", f"{server.url}/m.gguf", "--name", "mine:v1")
    assert "already here" in again.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("http://192.0.2.1/m.gguf",), "not encrypted"),
        (("https://host.invalid/m.gguf",), "host.invalid cannot be looked up"),
        (("hf.co/org/repo",), "huggingface.co"),
        (("no-such-model-here:1b",), "registry.ollama.ai"),
        (("https://a:b@host.invalid/m.gguf",), "user name or a password"),
        (("https://host.invalid/",), "names no file"),
        (("https://",), "names no host"),
        (("https://[::1/m.gguf",), "is not the address of a model"),
        (("https://host.invalid:99999/m.gguf",), "is not the address of a model"),
        (("hf.co/only",), "does not name a repository"),
        (("https://host.invalid/m.gguf", "--sha256", "12"), "is no sha256"),
        (("https://host.invalid/m.gguf", "--name", "smollm2"), "name of a known model"),
        (("https://host.invalid/m.gguf", "--name", "a b"), "not a model reference"),
        (("smollm2", "--name", "x"), "--name is for addresses"),
        (("smollm2", "--sha256", "0" * 64), "--sha256 is for files"),
        (("one", "two", "--name", "x"), "for one model"),
        (("https://host.invalid/m.gguf", "--source", "huggingface"), "takes no such name"),
        (("x", "--source", "nothing"), "no"),
    ],
)
def test_misuse_and_a_missing_network_are_one_clear_error_at_once(
    nook: Nook, arguments: tuple[str, ...], said: str
) -> None:
    started = time.monotonic()
    ran = nook("pull", *arguments)
    assert time.monotonic() - started < 20
    assert ran.code in (2, 3)
    assert said in ran.err
    assert len(ran.err.strip().splitlines()) <= 3


def test_the_configuration_is_checked(nook: Nook, home: Path, server: FileServer) -> None:
    configure(home, "[models]\nconnections = 99\n")
    assert "above the largest allowed, 16" in nook("pull", f"{server.url}/m.gguf").err
    configure(home, "[models]\nmirror = 7\n")
    assert "'models.mirror' must be an address" in nook("pull", "smollm2").err
    configure(home, '[models]\nregistry = "not an address"\n')
    assert "not the address" in nook("pull", "something:1b").err
    configure(home, '[models]\nsources = ["pip"]\n')
    assert "leaves out 'url'" in nook("pull", f"{server.url}/m.gguf").err
    assert server.seen == []


def test_a_mirror_is_asked_first_for_known_models(
    nook: Nook, home: Path, server: FileServer, smollm2: ModelFiles
) -> None:
    data = smollm2.files["model"].read_bytes()
    server.add(f"/blobs/sha256-{smollm2.digest}", data)
    configure(home, f'[models]\nmirror = "{server.url}/blobs/"\n')
    ran = nook("pull", "smollm2:135m")
    assert ran.code == 0, ran.err
    assert f"from {server.place} (mirror)" in ran.err
    assert "smollm2:135m is here" in ran.out


def test_ctrl_c_ends_a_pull_within_a_second(
    home: Path, server: FileServer, nook: Nook, model_bytes: bytes
) -> None:
    served = server.add("/m.gguf", model_bytes, bytes_per_s=200_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "inglenook", "pull", f"{server.url}/m.gguf"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "INGLENOOK_HOME": str(home)},
    )
    while server.sent_bytes < 500_000:
        assert process.poll() is None
        time.sleep(0.02)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert time.monotonic() - started < 1.5  # The end of the interpreter included.
    assert process.returncode == 130
    assert "Pull again" in err
    assert "Traceback" not in err
    served.bytes_per_s = 0.0
    assert "Going on with m.gguf" in nook("pull", f"{server.url}/m.gguf").err


def test_a_read_only_folder_is_one_error(nook: Nook, home: Path, server: FileServer) -> None:
    server.add("/m.gguf", gguf_of(1000))
    home.mkdir()
    (home / "data").write_text("a file where the folder should be")
    ran = nook("pull", f"{server.url}/m.gguf")
    assert ran.code == 3
    assert "Cannot write" in ran.err


@pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's own")
def test_exactly_the_hosts_that_were_printed_are_contacted(
    nook: Nook, home: Path, server: FileServer, tmp_path: Path, model_bytes: bytes
) -> None:
    strace = shutil.which("strace")
    assert strace, "this test needs strace: run `make system` (or install it with your packages)"
    log = tmp_path / "calls"
    with serving("127.0.0.2") as other:
        other.add("/signed", model_bytes)
        tree = [{"type": "file", "path": "m-Q4_K_M.gguf", "size": len(model_bytes)}]
        server.add("/api/models/o/r/tree/main?recursive=true", json.dumps(tree).encode())
        server.add("/o/r/resolve/main/m-Q4_K_M.gguf", b"", redirect=f"{other.url}/signed")
        configure(home, f'[models]\nhuggingface = "{server.url}"\n')
        tracer = (strace, "-f", "-qq", "-e", "trace=network", "-o", str(log))
        ran = nook("pull", "hf.co/o/r", before=tracer)
        assert ran.code == 0, ran.err
        calls = log.read_text("utf-8", errors="replace")
        found = re.findall(
            r'(?:connect|sendto|sendmsg)\(.*?sin_port=htons\((\d+)\).*?inet_addr\("([^"]+)"\)',
            calls,
        )
        contacted = {f"{host}:{port}" for port, host in found}
        assert contacted == {server.place, other.place}
        assert all(place in ran.err for place in contacted)
        assert "AF_INET6" not in calls
