"""Nothing leaves the machine, nothing is written outside the home: seen in the system calls."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="system calls are traced with strace, which is Linux's own"
)

_CALL = re.compile(r"^\d+\s+(\w+)\((.*)$")
# A path, with the folder that it is relative to if the call names one: 3</folder>, "name"
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"((?:[^"\\]|\\.)*)"')
_LINKS = ("symlink", "symlinkat", "link", "linkat")
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
TEMPORARY = Path(tempfile.gettempdir()).resolve()
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
        or (name == "connect" and "AF_UNIX" in rest and f'sun_path="{TEMPORARY}/' not in rest)
    ]


def strays(calls: list[tuple[str, str]], cwd: Path, *allowed: Path) -> list[str]:
    """Every path that was written outside the allowed folders; `cwd` is where the command ran."""
    roots = [*map(str, allowed), "/dev", "/proc"]
    found = []
    for name, rest in calls:
        opened = name in ("open", "openat") and _MARK_OF_WRITING.search(rest)
        if not (opened or name in _WRITES) or "= -1" in rest:
            continue
        paths = [os.path.normpath(cwd / folder / path) for folder, path in _PATH.findall(rest)]
        if name in _LINKS:
            paths = paths[-1:]  # what a link points to is not written
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

    calls = trace(*nook("ask", str(notes), "What colour is the kettle?"))

    assert calls
    assert [] == connections(calls)
    assert [] == strays(calls, tmp_path, assistant_home, TEMPORARY)


def test_a_question_to_the_assistant_that_comes_with_it_leaves_nothing_behind_either(
    trace, assistant_home: Path, tmp_path: Path
) -> None:
    calls = trace(*nook("ask", "contoso", "How long must a password be?"))

    assert calls
    assert [] == connections(calls)
    assert [] == strays(calls, tmp_path, assistant_home, TEMPORARY)


def test_the_detectors_find_what_they_are_there_for(trace, tmp_path: Path) -> None:
    name = f".stray-{os.getpid()}"
    stray = Path.home() / name
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    code = (
        "import os, socket, pathlib\n"
        "s = socket.socket(); s.settimeout(0.2)\n"
        "try: s.connect(('127.0.0.1', 9))\n"
        "except OSError: pass\n"
        f"p = pathlib.Path({str(stray)!r}); p.write_text('x'); p.unlink()\n"
        "pathlib.Path('relative').mkdir()\n"
        "pathlib.Path('allowed/fine').write_text('x')\n"
        "pathlib.Path('allowed/../out').write_text('x')\n"
        "os.symlink('/etc/passwd', 'allowed/link')\n"
        "folder = os.open('allowed', os.O_RDONLY)\n"
        "os.mkdir('fine-too', dir_fd=folder)\n"
        "folder = os.open('relative', os.O_RDONLY)\n"
        "os.close(os.open('below', os.O_CREAT | os.O_WRONLY, dir_fd=folder))\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "try: s.connect('/run/nobody')\n"
        "except OSError: pass\n"
    )

    calls = trace(sys.executable, "-c", code)

    contacts = connections(calls)
    assert any("AF_INET" in contact for contact in contacts)
    assert any("/run/nobody" in contact for contact in contacts)
    found = {path.partition(": ")[2] for path in strays(calls, tmp_path, allowed)}
    assert {
        str(stray),
        *(str(tmp_path / n) for n in ("relative", "out", "relative/below")),
    } == found


@pytest.mark.parametrize("library", ["onnxruntime", "chromadb", "tokenizers", "xllamacpp"])
def test_a_library_stays_silent_once_its_switches_are_set(
    trace, library: str, tmp_path: Path
) -> None:
    code = (
        f"from inglenook.privacy import silence_telemetry; silence_telemetry()\nimport {library}\n"
    )

    calls = trace(sys.executable, "-c", code)

    assert [] == connections(calls)
    assert [] == strays(calls, tmp_path, TEMPORARY)
