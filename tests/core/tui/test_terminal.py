"""The program in a real terminal: what it loads before it paints, and how it leaves."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(120)

HEAVY = (
    "numpy onnxruntime tokenizers chromadb sqlite3 xllamacpp llama_cpp pypdf jinja2 "
    "snowballstemmer charset_normalizer bs4"
).split()

PROGRAM = """
import json, os, sys
from pathlib import Path
from inglenook.assistants.installation import Installation
from inglenook.tui.app import run_tui

class Watched(Installation):
    def assistants(self):
        Path(os.environ["LOADED"]).write_text(json.dumps(sorted(sys.modules)))
        return super().assistants()

with Watched.open() as installation:
    code = run_tui(installation)
print("left in good order")
sys.exit(code)
"""


class Terminal:
    """The program behind a pseudo-terminal of 100 by 30 cells."""

    def __init__(self, loaded: Path) -> None:
        self._master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.before: list[Any] = termios.tcgetattr(self.slave)
        self.said = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "LOADED": str(loaded)},
        )

    def read_until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.said[-2000:]
            if select.select([self._master], [], [], 0.05)[0]:
                self.said += os.read(self._master, 65536)

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def wait(self) -> int:
        self.read_until(lambda: self.process.poll() is not None)
        self.read_until(lambda: not select.select([self._master], [], [], 0.2)[0])
        return int(self.process.returncode)

    @property
    def is_restored(self) -> bool:
        leaves_screen = self.said.rfind(b"\x1b[?1049l") > self.said.rfind(b"\x1b[?1049h")
        shows_cursor = self.said.rfind(b"\x1b[?25h") > self.said.rfind(b"\x1b[?25l")
        no_mouse = self.said.rfind(b"\x1b[?1000l") > self.said.rfind(b"\x1b[?1000h")
        same_modes = termios.tcgetattr(self.slave) == self.before
        return leaves_screen and shows_cursor and no_mouse and same_modes

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)
        os.close(self.slave)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path / "loaded.json")
    terminal.read_until(lambda: b"nook pull" in terminal.said)
    yield terminal
    terminal.close()


def test_nothing_heavy_is_loaded_before_the_first_paint(terminal: Terminal, tmp_path: Path) -> None:
    loaded = json.loads((tmp_path / "loaded.json").read_text())
    assert "inglenook.tui.screens.chat" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_leaving_by_key_restores_the_terminal(terminal: Terminal) -> None:
    terminal.type(b"\x11")
    assert terminal.wait() == 0
    assert terminal.is_restored
    assert b"left in good order" in terminal.said


def test_a_question_typed_in_one_burst_is_sent_whole(terminal: Terminal) -> None:
    terminal.type(b"who is there\r")
    terminal.read_until(lambda: b"No assistant is chosen" in terminal.said)
    terminal.type(b"\x11")
    assert terminal.wait() == 0


def test_being_terminated_restores_the_terminal(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.wait() == 128 + signal.SIGTERM
    assert terminal.is_restored
