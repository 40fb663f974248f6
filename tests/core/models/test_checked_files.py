"""A file of the library that changed since it was compared is compared again, and never opened."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from inglenook.errors import ModelBrokenError
from inglenook.models.checked_files import require_as_seen, seen_now
from inglenook.models.library import Library
from inglenook.models.worker import RuntimeWorker
from inglenook.testing.fake_runtime import FAKE_RUNTIME, fake_model
from inglenook.types import RuntimeOptions


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def own(tmp_path: Path, gguf_file: Path, told: list[str]) -> Library:
    """A library with one model."""
    library = Library(tmp_path / "models", tell=told.append)
    library.add_file("mine", gguf_file)
    return library


def blob(library: Library) -> Path:
    return library.get("mine").files["model"]


def later(path: Path) -> None:
    """Give a file another time of modification."""
    now = path.stat().st_mtime_ns
    os.utime(path, ns=(now, now + 5_000_000_000))


def flip(path: Path, place: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(bytes(data))


def notes(library: Library) -> dict[str, list[int]]:
    found: dict[str, list[int]] = json.loads((library.root / "checked.json").read_bytes())["files"]
    return found


def test_what_is_added_is_noted(own: Library) -> None:
    path = blob(own)
    seen = [path.stat().st_size, path.stat().st_mtime_ns]
    assert notes(own)[f"blobs/{path.name}"] == seen


def test_a_file_that_looks_as_it_did_is_not_read_again(own: Library) -> None:
    path = blob(own)
    time = path.stat().st_mtime_ns
    flip(path)
    os.utime(path, ns=(time, time))
    assert blob(own) == path


def test_a_changed_file_is_refused_each_time_and_the_command_that_mends_it_is_named(
    own: Library,
) -> None:
    path = blob(own)
    flip(path)
    later(path)
    for _ in range(2):
        with pytest.raises(
            ModelBrokenError, match="has changed: it should have the sha256"
        ) as said:
            own.get("mine")
        assert "nook rm mine:latest" in said.value.hint
    assert not own.has("mine")


def test_a_file_that_was_only_touched_is_compared_once(own: Library) -> None:
    path = blob(own)
    later(path)
    assert blob(own) == path
    assert notes(own)[f"blobs/{path.name}"][1] == path.stat().st_mtime_ns


def test_a_large_file_that_is_read_again_is_told(
    own: Library, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inglenook.models.checked_files._COMPARED_BYTES", 1000)
    path = blob(own)
    assert told == []
    later(path)
    own.get("mine")
    own.get("mine")
    assert len(told) == 1
    assert "mine:latest changed on the disk" in told[0]


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"version": 9, "files": {}}', b"\0"])
def test_without_notes_small_files_are_compared(own: Library, content: bytes | None) -> None:
    path = blob(own)
    (own.root / "checked.json").unlink()
    if content is not None:
        (own.root / "checked.json").write_bytes(content)
    assert blob(own) == path
    (own.root / "checked.json").unlink()
    flip(path)
    with pytest.raises(ModelBrokenError, match="has changed"):
        own.get("mine")


def test_without_notes_the_header_of_a_large_file_is_checked(
    own: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inglenook.models.checked_files._COMPARED_BYTES", 1000)
    path = blob(own)
    (own.root / "checked.json").unlink()
    flip(path, 8)  # The number of tensors.
    with pytest.raises(ModelBrokenError, match="truncated"):
        own.get("mine")


def test_a_verified_model_that_is_damaged_is_not_opened_any_more(own: Library) -> None:
    path = blob(own)
    time = path.stat().st_mtime_ns
    flip(path)
    os.utime(path, ns=(time, time))
    with pytest.raises(ModelBrokenError, match="has changed"):
        own.verify("mine")
    with pytest.raises(ModelBrokenError, match="has changed"):
        own.get("mine")


def test_a_store_that_is_only_read_is_noted_in_the_library(own: Library, tmp_path: Path) -> None:
    theirs = own.root.rename(tmp_path / "theirs")
    (theirs / "checked.json").unlink()
    ours = Library(tmp_path / "ours", (theirs,))
    ours.root.mkdir()
    path = ours.get("mine").files["model"]
    assert str(path) in notes(ours)
    assert not (theirs / "checked.json").exists()
    flip(path)
    later(path)
    with pytest.raises(ModelBrokenError) as said:
        ours.get("mine")
    assert "its own program" in said.value.hint


def test_notes_of_files_that_are_gone_go_too(own: Library, gguf_file: Path) -> None:
    old = blob(own).name
    own.remove("mine")
    flip(gguf_file)
    own.add_file("other", gguf_file)
    assert f"blobs/{old}" not in notes(own)


def test_a_library_that_cannot_be_written_is_checked_each_time(own: Library) -> None:
    path = blob(own)
    (own.root / "checked.json").unlink()
    (own.root / "checked.json").mkdir()
    assert blob(own) == path


def test_a_file_that_changes_between_check_and_opening_is_refused(own: Library) -> None:
    files = own.get("mine")
    require_as_seen(files)
    later(files.files["model"])
    with pytest.raises(ModelBrokenError, match="changed on the disk after it was checked"):
        require_as_seen(files)
    files.files["model"].unlink()
    with pytest.raises(ModelBrokenError, match="cannot be read"):
        require_as_seen(files)


def test_a_runtime_that_is_started_again_does_not_open_a_file_that_changed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"weights")
    files = replace(fake_model(), files={"model": path}, seen={"model": seen_now(path)})
    worker = RuntimeWorker(FAKE_RUNTIME, files, RuntimeOptions(), tmp_path / "log")
    try:
        worker.open()
        worker.close()
        later(path)
        with pytest.raises(ModelBrokenError, match="changed on the disk after it was checked"):
            worker.open()
        assert worker.pid is None
    finally:
        worker.close()
