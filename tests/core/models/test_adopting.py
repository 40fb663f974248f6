"""Models come into the library with their manifest as it is, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from inglenook.errors import ModelBrokenError, StoreError
from inglenook.models.gguf import read_gguf_tokens
from inglenook.models.library import Library
from inglenook.models.staging import drop_unfinished, staging_folder


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def manifest_of(*blobs: bytes) -> bytes:
    layers = [
        {"mediaType": "m", "digest": f"sha256:{sha(blob)}", "size": len(blob), "name": f"f{n}"}
        for n, blob in enumerate(blobs)
    ]
    return json.dumps({"layers": layers}).encode()


def staged(library: Library, *blobs: bytes) -> dict[str, Path]:
    library.scratch.mkdir(parents=True, exist_ok=True)
    found = {}
    for blob in blobs:
        found[sha(blob)] = library.scratch / f"new-{sha(blob)}"
        found[sha(blob)].write_bytes(blob)
    return found


def blobs_of(library: Library) -> set[str]:
    return {path.name.removeprefix("sha256-") for path in (library.root / "blobs").glob("*")}


def test_a_manifest_is_kept_byte_for_byte(library: Library) -> None:
    data = manifest_of(b"one", b"two")
    library.adopt("mine:v1", data, staged(library, b"one", b"two"))
    stored = library.stored("mine:v1")
    assert stored.manifest_bytes == data
    assert stored.digest == sha(data)
    assert stored.manifest_path.read_bytes() == data
    assert [stored.path(layer).read_bytes() for layer in stored.manifest.blobs] == [b"one", b"two"]


def test_what_gives_way_takes_only_its_own_blobs_along(library: Library) -> None:
    library.adopt("mine:v1", manifest_of(b"one", b"two"), staged(library, b"one", b"two"))
    library.adopt("other:v1", manifest_of(b"two"), {})
    library.adopt("MINE:V1", manifest_of(b"three"), staged(library, b"three"))
    assert blobs_of(library) == {sha(b"two"), sha(b"three")}
    assert [record.name for record in library.list()] == ["mine:v1", "other:v1"]


def test_a_model_of_which_a_blob_is_missing_never_shows(library: Library) -> None:
    library.adopt("mine:v1", manifest_of(b"one"), staged(library, b"one"))
    before = library.stored("mine:v1").manifest_bytes
    with pytest.raises(StoreError, match="missing or damaged"):
        library.adopt("mine:v1", manifest_of(b"one", b"two"), {})
    with pytest.raises(ModelBrokenError):
        library.adopt("mine:v1", b"{}", {})
    assert library.stored("mine:v1").manifest_bytes == before


def test_only_the_very_name_counts_where_a_name_is_taken(library: Library) -> None:
    library.adopt("tiny:one", manifest_of(b"one"), staged(library, b"one"))
    assert library.has("tiny")
    assert library.stored_exactly("tiny") is None
    found = library.stored_exactly("TINY:ONE")
    assert found is not None
    assert found.name == "tiny:one"
    library.blob(sha(b"one")).unlink()
    assert library.stored_exactly("tiny:one") is None


def test_a_staging_folder_is_gone_after_its_block_and_a_dead_ones_before_the_next(
    tmp_path: Path,
) -> None:
    with staging_folder(tmp_path) as folder:
        (folder / "x").write_bytes(b"x")
        assert drop_unfinished(tmp_path) == 0
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []
    dead = tmp_path / "import-1"
    dead.mkdir()
    (dead / "x").write_bytes(b"xyz")
    (tmp_path / "import-1.lock").touch()
    with staging_folder(tmp_path):
        assert not dead.exists()
    assert list(tmp_path.iterdir()) == []


def test_the_texts_of_tokens_are_read_from_a_file(gguf_file: Path) -> None:
    assert read_gguf_tokens(gguf_file, [0, 3, 299, 300]) == {
        0: "<|begin|>",
        3: "plain",
        299: "t295",
    }
    gguf_file.write_bytes(gguf_file.read_bytes()[:-1])
    with pytest.raises(ModelBrokenError):
        read_gguf_tokens(gguf_file, [0])
