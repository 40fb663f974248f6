"""Cut or killed at any byte, a pull ends with the right model in the end, and never a wrong one."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inglenook.errors import PullError
from inglenook.host import Host
from inglenook.models.library import Library
from inglenook.models.pull import PullWishes, pull
from inglenook.settings import Paths, Settings
from inglenook.types import CancelToken

from .conftest import gguf_of
from .file_server import FileServer

PULL = """
import sys
from pathlib import Path
import inglenook_http_sources
from inglenook.models.library import Library
from inglenook.models.pull import PullWishes, pull
from inglenook.settings import Paths, Settings
from inglenook.testing.host import host_with
from inglenook.types import CancelToken

root = Path(sys.argv[1])
host = host_with(http=inglenook_http_sources)
settings = Settings(Paths(root, root, root), extra={"models": {"connections": 3}})
wishes = PullWishes(sha256=sys.argv[3])
library = Library(root / "models")
for event in pull(sys.argv[2], library, host, settings, CancelToken(), None, wishes):
    print(type(event).__name__, getattr(event, "code", ""), flush=True)
"""


def require_no_wrong_blob(library: Library) -> None:
    """Every blob has the sha256 that names it, and every model that is listed is whole."""
    for blob in (library.root / "blobs").glob("sha256-*"):
        assert blob.name == f"sha256-{hashlib.sha256(blob.read_bytes()).hexdigest()}"
    for record in library.list():
        assert not record.problem
        library.verify(record.name)


@pytest.mark.parametrize(
    "count", [10, pytest.param(100, marks=[pytest.mark.nightly, pytest.mark.timeout(1200)])]
)
def test_pulls_cut_at_random_bytes_and_then_finished(
    server: FileServer, host: Host, tmp_path: Path, count: int
) -> None:
    chance = random.Random(count)
    went_on = 0
    for number in range(count):
        root = tmp_path / str(number)
        library, settings = Library(root / "models"), Settings(Paths(root, root, root))
        data = gguf_of(chance.randrange(2_000_000, 5_000_000), seed=number)
        served = server.add(f"/m{number}.gguf", data)
        served.ranges = chance.random() > 0.15
        served.etag = "" if chance.random() < 0.2 else None
        wishes = PullWishes(sha256=hashlib.sha256(data).hexdigest())

        def one(url: str = f"{server.url}/m{number}.gguf", rest=(library, host, settings, wishes)):
            library, host, settings, wishes = rest
            return list(pull(url, library, host, settings, CancelToken(), None, wishes))

        for _ in range(chance.randrange(1, 4)):
            served.come_back()
            served.break_off(chance.randrange(0, 900_000))
            with pytest.raises(PullError):
                one()
            assert library.list() == ()
            require_no_wrong_blob(library)
        served.come_back()
        served.cuts = [chance.randrange(0, 900_000) for _ in range(chance.randrange(0, 3))]
        events = one()
        went_on += any(getattr(event, "code", "") == "resumed" for event in events)
        assert library.get(f"m{number}").files["model"].read_bytes() == data
        require_no_wrong_blob(library)
        del server.files[f"/m{number}.gguf"]
    assert went_on > count // 3


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a pull in a process of its own."""
    script = tmp_path / "pull.py"
    script.write_text(PULL)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    started: list[subprocess.Popen[str]] = []

    def one(root: Path, url: str, data: bytes) -> subprocess.Popen[str]:
        sha256 = hashlib.sha256(data).hexdigest()
        process = subprocess.Popen(
            [sys.executable, str(script), str(root), url, sha256],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(process)
        return process

    yield one
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "count", [10, pytest.param(100, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])]
)
def test_pulls_killed_at_random_moments_and_then_finished(
    server: FileServer,
    start: Callable[..., subprocess.Popen[str]],
    tmp_path: Path,
    count: int,
) -> None:
    chance = random.Random(count)
    went_on = 0
    for number in range(count):
        root = tmp_path / str(number)
        library = Library(root / "models")
        data = gguf_of(5_000_000, seed=number)
        url = f"{server.url}/m{number}.gguf"
        served = server.add(f"/m{number}.gguf", data, bytes_per_s=700_000)
        process = start(root, url, data)
        assert process.stdout is not None
        while process.stdout.readline().split()[:1] != ["FetchProgress"]:
            assert process.poll() is None, process.communicate()
        time.sleep(chance.uniform(0, 2.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        require_no_wrong_blob(library)
        served.bytes_per_s = 0.0
        out, err = start(root, url, data).communicate(timeout=60)
        went_on += "resumed" in out
        assert library.has(f"m{number}"), err
        assert library.get(f"m{number}").files["model"].read_bytes() == data
        require_no_wrong_blob(library)
        del server.files[f"/m{number}.gguf"]
    assert went_on > count // 3
