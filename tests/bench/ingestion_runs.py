"""Runs whole processes for the ingestion benchmarks and measures their time and memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

__all__ = [
    "BENCH",
    "MODELS_HOME",
    "NOOK",
    "Run",
    "borrow_models",
    "ingest",
    "measured",
    "prepare",
    "profile",
]

ROOT = Path(__file__).resolve().parent.parent.parent
MODELS_HOME = Path(os.environ.get("INGLENOOK_TEST_MODELS", ROOT / ".local" / "test"))
BENCH = ROOT / ".local" / "bench"
NOOK = (sys.executable, "-m", "inglenook")
_SAMPLE_S = 0.1
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """A process that ended.

    Args:
        seconds: Of the whole process, from start to end.
        exit_code: Its own.
        tree_mb: The most memory of it and its children at one time, sampled; pages that
            processes share count for each of them, so this is no less than the truth.
        own_mb: The most memory of the process itself.
        out: What it printed.
        error: What it printed on standard error.
    """

    seconds: float
    exit_code: int
    tree_mb: float
    own_mb: float
    out: str
    error: str

    @property
    def report(self) -> dict[str, Any]:
        """Its last line of output, or all of it, as JSON."""
        try:
            found = json.loads(self.out)
        except ValueError:
            lines = self.out.splitlines()
            try:
                found = json.loads(lines[-1] if lines else "")
            except ValueError as error:
                shown = f"{self.out[-2000:]}\n{self.error[-4000:]}"
                raise SystemExit(f"no report (exit code {self.exit_code}):\n{shown}") from error
        return dict(found)


def measured(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Run:
    """Run a command to its end."""
    BENCH.mkdir(parents=True, exist_ok=True)
    out, error = BENCH / f"out-{os.getpid()}", BENCH / f"error-{os.getpid()}"
    with out.open("wb") as out_file, error.open("wb") as error_file:
        started = time.perf_counter()
        process = psutil.Popen(
            list(command),
            stdout=out_file,
            stderr=error_file,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            cwd=cwd,
        )
        memory = _Memory(process)
        code = process.wait()
        seconds = time.perf_counter() - started
        memory.stop()
    texts = [path.read_text("utf-8", errors="replace") for path in (out, error)]
    out.unlink()
    error.unlink()
    return Run(seconds, code, memory.tree / MEGABYTE, memory.own / MEGABYTE, *texts)


class _Memory:
    """Samples a process tree from a thread until it is stopped."""

    def __init__(self, process: psutil.Process) -> None:
        self.tree = self.own = 0
        self._process = process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            with suppress(psutil.Error):
                own = self._process.memory_info().rss
                total = own
                for child in self._process.children(recursive=True):
                    with suppress(psutil.Error):
                        total += child.memory_info().rss
                self.tree = max(self.tree, total)
                self.own = max(self.own, own, _high_water(self._process.pid))


def _high_water(pid: int) -> int:
    """The most memory that the process ever had, where the system tells it; else 0."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except OSError:
        return 0
    found = next((line for line in lines if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(found.split()[1]) * 1024


# --- installations and assistants -----------------------------------------------------------------


def borrow_models(home: Path) -> Path:
    """A fresh home that has the models of the tests (hard links where that works)."""
    shutil.rmtree(home, ignore_errors=True)
    models = MODELS_HOME / "data" / "models"
    if not models.is_dir():
        raise SystemExit(
            f"There are no models in {MODELS_HOME}: run `make bench`, it fetches them."
        )
    shutil.copytree(models, home / "data" / "models", copy_function=_link_or_copy)
    return home


_PREPARE = """
import sys
from pathlib import Path
from inglenook.assistants.embedder_choice import prepare_embedder
from inglenook.host import Host
from inglenook.models.library import Library
home = Path(sys.argv[1])
files = Library(home / "data" / "models").get(sys.argv[2])
list(prepare_embedder(files, Host(), home / "cache"))
"""


def prepare(home: Path, reference: str) -> float:
    """Make what the embedder makes of its model once, as `nook pull` does; the seconds."""
    run = measured([sys.executable, "-c", _PREPARE, str(home), reference])
    if run.exit_code:
        raise SystemExit(run.error[-4000:])
    return run.seconds


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def profile(folder: Path, *lines: str, pattern: str = "./documents") -> Path:
    """An assistant in `folder` over its documents; the lines are added to its file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "Assistantfile"
    text = "\n".join(["FROM any", *lines, f"FILE {pattern}", ""])
    path.write_text(text, "utf-8")
    return path


def ingest(home: Path, assistant: Path, *options: str, **environment: str) -> Run:
    """`nook ingest`, as a whole process."""
    command = [*NOOK, "--quiet", "--home", str(home), "ingest", "--json", *options, str(assistant)]
    return measured(command, environment=environment)


# --- what is printed ------------------------------------------------------------------------------


def is_quiet() -> bool:
    """Whether the machine has little else to do now."""
    return os.getloadavg()[0] < 0.25 * (os.cpu_count() or 1)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "cores": os.cpu_count(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "quiet": is_quiet(),
        "python": sys.version.split()[0],
    }


def print_table(title: str, rows: Sequence[tuple[str, object, str, bool | None]]) -> bool:
    """Rows of (what, value, bar, met); whether no bar was missed. `None` has no bar."""
    print(f"\n{title}")
    for what, value, bar, met in rows:
        mark = {True: "ok", False: "MISSED", None: ""}[met]
        print(f"  {what:<58}{value!s:>16}  {bar:<14}{mark}")
    return all(met is not False for *_, met in rows)
