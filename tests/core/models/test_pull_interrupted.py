"""Whatever ends a pull, nothing half is visible and the next one goes on."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from inglenook.errors import StoreError
from inglenook.host import Host
from inglenook.models.known import Catalog, parse_catalog
from inglenook.models.library import Library
from inglenook.models.pull import Verifying, pull
from inglenook.settings import Settings
from inglenook.types import CancelToken

Publish = Callable[[str], list[Path]]

PULL = """
import sys
from pathlib import Path
import inglenook_model_sources
from inglenook.models.known import parse_catalog
from inglenook.models.library import Library
from inglenook.models.pull import pull
from inglenook.settings import Paths, Settings
from inglenook.testing.host import host_with
from inglenook.types import CancelToken

root = Path(sys.argv[1])
library = Library(root, catalog=parse_catalog(Path(sys.argv[2]).read_text(encoding="utf-8")))
host = host_with(sources=inglenook_model_sources)
settings = Settings(Paths(root, root, root))
for event in pull("tiny:four", library, host, settings, CancelToken()):
    print(type(event).__name__, flush=True)
"""


@pytest.fixture
def start(
    tmp_path: Path, library: Library, catalog_text: str, index: Path
) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a pull of `tiny:four` in a process of its own."""
    script, catalog = tmp_path / "pull.py", tmp_path / "catalog.toml"
    script.write_text(PULL)
    catalog.write_text(catalog_text)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    started: list[subprocess.Popen[str]] = []

    def one() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(script), str(library.root), str(catalog)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        started.append(process)
        return process

    yield one
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def assert_nothing_half_is_visible(library: Library) -> None:
    """Every model that is listed is whole, and so is every blob.

    A kill between the placing of a blob and of its manifest leaves a whole blob, which the next
    pull uses.
    """
    records = library.list()
    assert [record.problem for record in records if record.problem] == []
    for record in records:
        library.verify(record.name)
    for blob in (library.root / "blobs").glob("sha256-*"):
        assert blob.name == f"sha256-{hashlib.sha256(blob.read_bytes()).hexdigest()}"


def test_kill_9_at_random_moments_leaves_nothing_half_and_loses_no_finished_part(
    start: Callable[[], subprocess.Popen[str]],
    publish: Publish,
    library: Library,
    wide_bytes: bytes,
) -> None:
    publish("tiny:four")
    chance = random.Random(7)
    for _ in range(5):
        process = start()
        assert process.stdout is not None
        process.stdout.readline()  # The plan: from here on it works.
        time.sleep(chance.uniform(0.0, 1.5))
        process.kill()
        process.communicate()
        assert_nothing_half_is_visible(library)
    process = start()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert library.get("tiny:four").files["model"].read_bytes() == wide_bytes
    assert [p.name for p in library.scratch.rglob("*") if p.suffix != ".lock"] == []


def test_ctrl_c_ends_it_and_the_next_pull_goes_on(
    start: Callable[[], subprocess.Popen[str]], publish: Publish, library: Library
) -> None:
    publish("tiny:four")
    process = start()
    assert process.stdout is not None
    while process.stdout.readline().strip() != "Verifying":
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode != 0
    assert_nothing_half_is_visible(library)
    again = start()
    again.communicate(timeout=60)
    assert (again.returncode, library.has("tiny:four")) == (0, True)


def test_no_process_is_left_behind(
    library: Library, host: Host, settings: Settings, publish: Publish
) -> None:
    publish("tiny:one")
    before = set(psutil.Process().children(recursive=True))
    iterator = pull("tiny:one", library, host, settings, CancelToken())
    next(iter(iterator))
    iterator.close()  # type: ignore[attr-defined]
    assert set(psutil.Process().children(recursive=True)) - before == set()


@pytest.fixture
def small_disk(tmp_path: Path, publish: Publish) -> Iterator[Path]:
    """A folder that holds 1.6 MB and no more: a small disk, else a limit on file sizes."""
    publish("tiny:four")
    folder = tmp_path / "small"
    folder.mkdir()
    if mounted(folder, "size=1600k"):
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
        return
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def mounted(folder: Path, options: str) -> bool:
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or not shutil.which("mount"):
        return False
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_disk_that_becomes_full_is_a_clear_error_and_loses_nothing(
    small_disk: Path, catalog_text: str, host: Host, settings: Settings
) -> None:
    # The catalog understates the download, so that the check beforehand lets it start.
    text = catalog_text.replace("download_bytes = 256000", "download_bytes = 1")
    library = Library(small_disk / "models", catalog=parse_catalog(text))

    def pull_while_others_fill_the_disk() -> None:
        for event in pull("tiny:four", library, host, settings, CancelToken()):
            if isinstance(event, Verifying):
                fill_up(small_disk / "filling")

    with pytest.raises(StoreError) as caught:
        pull_while_others_fill_the_disk()
    assert "full" in caught.value.message or "too large" in caught.value.message
    assert caught.value.hint
    assert_nothing_half_is_visible(library)


def fill_up(path: Path) -> None:
    """Let other files take what space there is."""
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        return


def test_too_little_space_is_told_before_anything_is_fetched(
    tmp_path: Path, host: Host, settings: Settings, publish: Publish, catalog_text: str
) -> None:
    publish("tiny:four")
    free = shutil.disk_usage(tmp_path).free
    text = catalog_text.replace("download_bytes = 256000", f"download_bytes = {free + 10**9}")
    library = Library(tmp_path / "models", catalog=parse_catalog(text))
    with pytest.raises(StoreError, match="not enough space") as caught:
        list(pull("tiny:four", library, host, settings, CancelToken()))
    assert str(library.root) in caught.value.message
    assert library.list() == ()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing can be made."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if mounted(folder, "ro"):
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
    elif os.geteuid() == 0:
        yield Path("/sys")
    else:
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)


def test_a_read_only_home_is_a_clear_error(
    read_only: Path,
    host: Host,
    settings: Settings,
    publish: Publish,
    catalog: Catalog,
    gguf_file: Path,
) -> None:
    publish("tiny:one")
    library = Library(read_only / "models", catalog=catalog)
    with pytest.raises(StoreError) as caught:
        list(pull("tiny:one", library, host, settings, CancelToken()))
    assert str(library.root) in caught.value.message
    assert "INGLENOOK_HOME" in caught.value.hint
    with pytest.raises(StoreError):
        library.add_file("mine", gguf_file)
    assert library.list() == ()
