"""Nothing leaves the machine, nothing is written outside the home: seen in the system calls."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="system calls are traced with strace, which is Linux's own"
)

_CALL = re.compile(r"^\d+\s+(\w+)\((.*)$")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WRITES = (
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "truncate",
    "creat",
    "chmod",
    "fchmodat",
)
_MARK_OF_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")


@pytest.fixture
def trace(tmp_path: Path):
    """Runs a command under strace and gives its system calls as (name, rest) pairs."""
    strace = shutil.which("strace")
    assert strace, "this test needs strace: run `make strace` (or install it with your packages)"

    def run(*command: str) -> list[tuple[str, str]]:
        log = tmp_path / "trace"
        done = subprocess.run(
            [
                strace,
                "-f",
                "-qq",
                "-s",
                "400",
                "-y",
                "-e",
                "trace=network,file",
                "-o",
                str(log),
                *command,
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        lines = log.read_text("utf-8", errors="replace").splitlines()
        return [m.groups() for m in map(_CALL.match, lines) if m]  # type: ignore[misc]

    return run


def connections(calls: list[tuple[str, str]]) -> list[str]:
    """Every contact with anything that is not a socket of our own in the temporary folder."""
    return [
        f"{name}({rest}"
        for name, rest in calls
        if (name in ("connect", "sendto", "sendmsg") and "AF_INET" in rest)
        or (name == "socket" and re.search(r"AF_INET|AF_PACKET", rest))
        or (name == "connect" and "AF_UNIX" in rest and 'sun_path="/tmp/' not in rest)
    ]


def strays(calls: list[tuple[str, str]], *allowed: Path) -> list[str]:
    """Every path that was written outside the allowed folders."""
    roots = [*map(str, allowed), "/dev", "/proc"]
    found = []
    for name, rest in calls:
        opened = name in ("open", "openat") and _MARK_OF_WRITING.search(rest)
        if not (opened or name in _WRITES) or "= -1" in rest:
            continue
        paths = [p for p in _QUOTED.findall(rest) if p.startswith("/")]
        found += [
            f"{name}: {p}"
            for p in paths
            if not any(p == r or p.startswith(f"{r}/") for r in roots) and "__pycache__" not in p
        ]
    return found


def nook(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "inglenook", *arguments]


def test_asking_and_ingesting_contacts_nobody_and_writes_only_at_home(
    trace, assistant_home: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "Assistantfile").write_text("FROM smollm2:135m\nFILE ./*.txt\nSTORE chroma\n")
    (notes / "kettle.txt").write_text("The kettle is green and holds two litres.\n" * 3)
    (notes / "tea.txt").write_text("Tea is served at four in the garden.\n" * 3)
    temporary = Path(os.environ.get("TMPDIR", "/tmp"))

    calls = trace(*nook("ask", str(notes), "What colour is the kettle?"))

    assert calls
    assert [] == connections(calls)
    assert [] == strays(calls, assistant_home, temporary)


def test_the_detectors_find_what_they_are_there_for(trace, tmp_path: Path) -> None:
    stray = Path.home() / f".stray-{os.getpid()}"
    code = (
        "import socket, pathlib\n"
        "s = socket.socket(); s.settimeout(0.2)\n"
        "try: s.connect(('127.0.0.1', 9))\n"
        "except OSError: pass\n"
        f"p = pathlib.Path({str(stray)!r}); p.write_text('x'); p.unlink()\n"
    )

    calls = trace(sys.executable, "-c", code)

    assert connections(calls)
    assert strays(calls, Path("/tmp"))


@pytest.mark.parametrize("library", ["onnxruntime", "chromadb", "tokenizers", "xllamacpp"])
def test_a_library_stays_silent_once_its_switches_are_set(trace, library: str) -> None:
    code = (
        f"from inglenook.privacy import silence_telemetry; silence_telemetry()\nimport {library}\n"
    )

    calls = trace(sys.executable, "-c", code)

    assert [] == connections(calls)
    assert [] == strays(calls, Path(os.environ.get("TMPDIR", "/tmp")))
