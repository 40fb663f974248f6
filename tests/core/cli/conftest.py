"""Runs `nook` as a process of its own, in a home of its own, beside plugins made for the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
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
