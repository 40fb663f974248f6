"""Runs `nook` as a process of its own, in a home of its own, beside plugins made for the test."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Ran:
    """What a run of `nook` left."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class FakeSite:
    """A folder of installed distributions."""

    folder: Path

    def install(
        self,
        distribution: str,
        source: str,
        *,
        plugin: str = "",
        version: str = "1.2.3",
        files: dict[str, str] | None = None,
    ) -> None:
        """Install a distribution with one plugin, whose entry module has this source."""
        module = distribution.replace("-", "_")
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n\nA test.\n"
        )
        (info / "entry_points.txt").write_text(
            f"[inglenook]\n{plugin or distribution} = {module}\n"
        )
        for name, text in {f"{module}.py": source, **(files or {})}.items():
            (self.folder / name).write_text(text)
        (info / "RECORD").write_text("".join(f"{name},,\n" for name in (f"{module}.py",)))


@pytest.fixture
def site(tmp_path: Path) -> FakeSite:
    """Where distributions of the test are installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    return FakeSite(folder)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    return tmp_path / "home"


@pytest.fixture
def environment(home: Path, site: FakeSite) -> dict[str, str]:
    """The environment of the runs; a test may change it."""
    paths = [str(site.folder), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {
        **os.environ,
        "INGLENOOK_HOME": str(home),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "COLUMNS": "100",
    }


@pytest.fixture
def nook(environment: dict[str, str], tmp_path: Path) -> Callable[..., Ran]:
    """Run `nook` with these arguments."""

    def run(*arguments: str, stdin: str | bytes = b"", **options: Any) -> Ran:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [sys.executable, "-m", "inglenook", *arguments],
            input=data,
            capture_output=True,
            check=False,
            timeout=240,
            **{"env": environment, "cwd": tmp_path, **options},
        )
        ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback (most recent call last)" not in ran.err, ran.err
        return ran

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An assistant's folder: two documents, and a model that is small."""
    made = tmp_path / "office"
    made.mkdir()
    (made / "Assistantfile").write_text(
        "FROM smollm2:135m\nPARAMETER temperature 0\nPARAMETER seed 1\n"
        "PARAMETER num_predict 60\nSYSTEM Answer from the passages.\nFILE ./*.txt\n"
    )
    (made / "passwords.txt").write_text("A password must be at least 14 characters long.\n")
    (made / "office.txt").write_text("The office in Utrecht opens at nine in the morning.\n")
    return made


# --- on a terminal --------------------------------------------------------------------------------


class Screen:
    """A run of `nook` that believes it has a terminal."""

    def __init__(self, arguments: list[str], environment: dict[str, str], cwd) -> None:
        self._main, worker = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inglenook", *arguments],
            stdin=worker,
            stdout=worker,
            stderr=worker,
            env={**environment, "TERM": "xterm"},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(worker)
        self.raw = ""

    @property
    def text(self) -> str:
        """What was written, without what steers the terminal."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw).replace("\r\n", "\n")

    def type(self, text: str) -> None:
        os.write(self._main, text.encode())

    def wait_for(self, text: str, timeout_s: float = 120) -> None:
        until = time.monotonic() + timeout_s
        while text not in self.text:
            assert time.monotonic() < until, f"no {text!r} in {self.text!r}"
            if not self._read():
                assert text in self.text, self.text
                return

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 60) -> None:
        """Until what was written is so."""
        until = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < until, self.text
            self._read()

    def wait_for_more(self, characters: int, timeout_s: float = 120) -> None:
        """Until that much more was written."""
        until = time.monotonic() + timeout_s
        wanted = len(self.text) + characters
        while len(self.text) < wanted:
            assert time.monotonic() < until, self.text
            self._read()

    def _read(self) -> bool:
        if not select.select([self._main], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self._main, 65536)
        except OSError:
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)

    def end(self, timeout_s: float = 120) -> int:
        """Read to the end; the exit code."""
        until = time.monotonic() + timeout_s
        while self._read() and time.monotonic() < until:
            if self.process.poll() is not None and not select.select([self._main], [], [], 0)[0]:
                break
        return self.process.wait(timeout=10)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._main)


@pytest.fixture
def screen(environment, tmp_path) -> Iterator:
    opened: list[Screen] = []

    def start(*arguments: str) -> Screen:
        opened.append(Screen(list(arguments), environment, tmp_path))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


# --- without a model ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Papers:
    """An assistant's folder that needs no model, because words alone are searched."""

    folder: Path

    @property
    def documents(self) -> Path:
        return self.folder / "documents"

    def write(self, name: str, text: str) -> Path:
        """Write a document, all at once."""
        path = self.documents / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.folder / "beside"
        beside.write_text(text, "utf-8")
        return beside.replace(path)


def live_sources(home: Path) -> int:
    """How many sources can be asked about, in the only knowledge base of this home."""
    for pointer in (home / "data" / "knowledge").glob("*/catalog-*.sqlite"):
        with suppress(sqlite3.Error), closing(sqlite3.connect(pointer)) as connection:
            found = connection.execute("SELECT count(*) FROM sources WHERE generation > 0")
            return int(found.fetchone()[0])
    return 0


@pytest.fixture
def live(home: Path) -> Callable[[], int]:
    """Counts the sources that can be asked about."""
    return lambda: live_sources(home)


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    """The assistant `./papers` with two documents."""
    made = Papers(tmp_path / "papers")
    made.folder.mkdir()
    (made.folder / "Assistantfile").write_text(
        "FROM any\nRETRIEVE mode=lexical\nFILE ./documents\n"
    )
    made.write("one.txt", "The first paper is about herons.\n")
    made.write("two.txt", "The second paper is about otters.\n")
    return made


SLOW_ENTRY = """
from inglenook import Factory, hookimpl

@hookimpl
def register_loaders(register):
    register(Factory(
        name="slow", summary="Takes its time.", load="slow_loader:Slow",
        capabilities={"extensions": (".slow",), "media_types": ("text/x-slow",)},
    ))
"""
SLOW_LOADER = """
import time
from inglenook.types import Locator, Section

class Slow:
    def __init__(self, options):
        pass

    def load(self, request, cancel):
        seconds, text = request.path.read_text().split(" ", 1)
        time.sleep(float(seconds))
        yield Section(text, Locator("whole", ""))
"""


@pytest.fixture
def slow_files(site: FakeSite, nook: Callable[..., Ran]) -> None:
    """A plugin that takes as many seconds for a file `x.slow` as its first word says."""
    site.install("nook-slow", SLOW_ENTRY, files={"slow_loader.py": SLOW_LOADER})
    nook("plugins")  # a new plugin is announced once


class Running:
    """A run of `nook` that goes on beside the test."""

    def __init__(self, arguments: list[str], environment: dict[str, str], cwd: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "inglenook", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=cwd,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._threads = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in (
                (self.process.stdout, self.out),
                (self.process.stderr, self.err),
            )
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _read(stream: Any, lines: list[str]) -> None:
        lines.extend(iter(stream.readline, ""))

    def wait_for(self, text: str, timeout_s: float = 60, *, times: int = 1) -> None:
        """Until this was written so often, on either stream."""
        self.until(lambda: sum(text in line for line in (*self.out, *self.err)) >= times, timeout_s)

    def until(self, condition: Callable[[], object], timeout_s: float = 60) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"in vain; out: {self.out}, err: {self.err}"
            assert self.process.poll() is None or condition(), f"it ended; err: {self.err}"
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT, timeout_s: float = 30) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.end(timeout_s)

    def end(self, timeout_s: float = 30) -> int:
        code = self.process.wait(timeout_s)
        for thread in self._threads:
            thread.join(timeout_s)
        assert "Traceback" not in "".join(self.err), self.err
        return code


@pytest.fixture
def running(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start `nook` with these arguments and go on."""
    started: list[Running] = []

    def start(*arguments: str, **extra: str) -> Running:
        started.append(Running(list(arguments), {**environment, **extra}, tmp_path))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
