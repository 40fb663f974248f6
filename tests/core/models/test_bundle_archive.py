"""The file of a bundle appears whole or not at all, on every kind of disk."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from inglenook.errors import StoreError
from inglenook.models import bundle_archive
from inglenook.models.bundle_archive import BundleReader, write_bundle
from inglenook.models.bundle_contents import BundledAssistant, BundledFile, Contents, Member


@pytest.fixture(params=["files without a name", "no such files"])
def disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a disk that knows files without a name, as a stick does not."""
    if request.param == "no such files":
        monkeypatch.setattr(bundle_archive, "_open_nameless", lambda folder: None)
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "document.txt"
    path.write_bytes(b"Words. " * 500_000)
    return path


def contents_of(document: Path) -> tuple[Contents, dict[str, Path]]:
    data = document.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    file = BundledFile("Assistantfile", sha256, 5)
    assistant = BundledAssistant("a", "Assistantfile", (file,))
    return Contents((), (assistant,), (Member(sha256, len(data)),)), {sha256: document}


def test_what_is_written_is_read_again(disk: Path, document: Path) -> None:
    contents, sources = contents_of(document)
    *_, sha256 = write_bundle(disk / "x.nook", contents, sources, replace=False)
    data = (disk / "x.nook").read_bytes()
    assert hashlib.sha256(data).hexdigest() == sha256
    assert [path.name for path in disk.iterdir()] == ["x.nook"]
    reader = BundleReader(io.BytesIO(data), "x")
    assert reader.contents() == contents
    assert b"".join(piece for _, piece in reader.pieces()) == document.read_bytes()


def test_nothing_shows_before_the_end_and_nothing_stays_if_it_is_given_up(
    disk: Path, document: Path
) -> None:
    contents, sources = contents_of(document)
    writing = write_bundle(disk / "x.nook", contents, sources, replace=False)
    next(writing)
    assert not (disk / "x.nook").exists()
    writing.close()  # type: ignore[attr-defined]
    assert list(disk.iterdir()) == []


def test_a_document_that_changes_meanwhile_is_not_exported(disk: Path, document: Path) -> None:
    contents, sources = contents_of(document)
    document.write_bytes(b"Other words.")
    (disk / "x.nook").write_bytes(b"the old one")
    with pytest.raises(StoreError, match="is not what it was"):
        list(write_bundle(disk / "x.nook", contents, sources, replace=True))
    document.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        list(write_bundle(disk / "x.nook", contents, sources, replace=True))
    assert [(path.name, path.read_bytes()) for path in disk.iterdir()] == [
        ("x.nook", b"the old one")
    ]


def test_a_file_that_came_into_being_meanwhile_is_left_alone(disk: Path, document: Path) -> None:
    contents, sources = contents_of(document)
    writing = write_bundle(disk / "x.nook", contents, sources, replace=False)
    next(writing)
    (disk / "x.nook").write_bytes(b"theirs")
    with pytest.raises(StoreError, match="has come into being meanwhile"):
        list(writing)
    assert [(path.name, path.read_bytes()) for path in disk.iterdir()] == [("x.nook", b"theirs")]


def test_a_file_may_be_replaced(disk: Path, document: Path) -> None:
    contents, sources = contents_of(document)
    (disk / "x.nook").write_bytes(b"the old one")
    list(write_bundle(disk / "x.nook", contents, sources, replace=True))
    assert (disk / "x.nook").stat().st_size > 3_000_000
    assert [path.name for path in disk.iterdir()] == ["x.nook"]


def test_sizes_that_an_old_tar_cannot_state_can_be_stated() -> None:
    header = bundle_archive._header("blobs/sha256-" + "0" * 64, 1 << 45)
    parsed = bundle_archive._parsed(header)
    assert parsed is not None
    assert parsed.size == 1 << 45
