"""The vector store `chroma` with the real library, whole, damaged and fought over."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy
import pytest

from inglenook.errors import StoreError
from inglenook.testing.vector_store import DIMENSION, VectorStoreKit, clustered_vectors
from inglenook_chroma.store import ChromaStore

ROWS = 300
IDS = [f"row-{row}" for row in range(ROWS)]


class TestChromaStore(VectorStoreKit):
    @pytest.fixture
    def make_store(self):
        return lambda folder: ChromaStore(folder, DIMENSION, {})


@pytest.fixture
def filled(tmp_path):
    """The folder of a store that was closed cleanly."""
    store = ChromaStore(tmp_path, DIMENSION, {})
    store.open()
    store.upsert(IDS, clustered_vectors(ROWS))
    store.close()
    return tmp_path


def in_child(program, folder, **arguments):
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from inglenook_chroma.store import ChromaStore\n"
        "from inglenook.testing.vector_store import DIMENSION, clustered_vectors\n"
        f"store = ChromaStore(Path({str(folder)!r}), DIMENSION, {{}})\n{program}"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **arguments
    )


def test_a_new_store_says_that_it_must_be_filled(tmp_path):
    store = ChromaStore(tmp_path, DIMENSION, {})
    store.open()
    assert store.was_reset
    assert store.set_aside is None
    store.close()


def test_a_store_that_was_closed_cleanly_opens_as_it_was(filled):
    store = ChromaStore(filled, DIMENSION, {})
    store.open()
    assert not store.was_reset
    assert store.count() == ROWS
    store.close()


def test_a_killed_owner_loses_nothing_that_it_was_told_is_written(tmp_path):
    child = in_child(
        "store.open(); store.upsert([f'row-{n}' for n in range(300)], clustered_vectors(300))\n"
        "print('written', flush=True); import time; time.sleep(60)",
        tmp_path,
    )
    assert child.stdout.readline() == b"written\n"
    child.kill()
    child.communicate()
    store = ChromaStore(tmp_path, DIMENSION, {})
    store.open()
    vectors = clustered_vectors(ROWS)
    assert not store.was_reset
    assert sorted(store.ids()) == sorted(IDS)
    assert [store.search(vectors[row], 1)[0][0] for row in range(0, ROWS, 30)] == IDS[::30]
    store.close()


def test_a_second_process_is_refused_at_once(filled):
    child = in_child("store.open(); print('open', flush=True); import time; time.sleep(60)", filled)
    assert child.stdout.readline() == b"open\n"
    store = ChromaStore(filled, DIMENSION, {})
    started = time.monotonic()
    with pytest.raises(StoreError, match="in use by another process"):
        store.open()
    assert time.monotonic() - started < 1
    child.kill()
    child.communicate()


def _flip(path, offset, count=200):
    content = bytearray(path.read_bytes())
    for place in range(offset, min(len(content), offset + count)):
        content[place] ^= 0x55
    path.write_bytes(content)


def _halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {
    "vectors flipped": lambda store: _flip(next(store.rglob("data_level0.bin")), 1_000),
    "vectors halved": lambda store: _halve(next(store.rglob("data_level0.bin"))),
    "header halved": lambda store: _halve(next(store.rglob("header.bin"))),
    "database flipped": lambda store: _flip(store / "chroma.sqlite3", 4_096, 20_000),
    "database emptied": lambda store: (store / "chroma.sqlite3").write_bytes(b""),
    "index deleted": lambda store: [
        path.unlink() for path in store.rglob("*.bin") if path.is_file()
    ],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_set_aside_or_still_right_and_never_kills_its_owner(tmp_path, damage):
    rows = 2_500
    vectors = clustered_vectors(rows)
    store = ChromaStore(tmp_path, DIMENSION, {})
    store.open()
    store.upsert([str(row) for row in range(rows)], vectors)
    store.close()
    DAMAGES[damage](tmp_path / "store")
    store.open()
    if store.was_reset:
        assert store.count() == 0
        assert store.set_aside is not None
        assert store.set_aside.is_dir()
        store.upsert([str(row) for row in range(rows)], vectors)
    assert store.count() == rows
    assert len(store.search(vectors[0], rows)) == rows
    found = [store.search(vectors[row], 1)[0][0] for row in range(0, rows, 50)]
    assert found == [str(row) for row in range(0, rows, 50)]
    store.close()


def test_a_version_change_makes_it_check_and_keep_a_sound_store(filled):
    marker = filled / "store.json"
    marker.write_text(marker.read_text().replace('"chroma": "', '"chroma": "0.'))
    store = ChromaStore(filled, DIMENSION, {})
    store.open()
    assert not store.was_reset
    assert store.count() == ROWS
    store.close()


def test_a_store_of_another_dimension_is_set_aside(filled):
    (filled / "store.json").unlink()
    store = ChromaStore(filled, 8, {})
    store.open()
    assert store.was_reset
    store.upsert(["a"], numpy.eye(8, dtype=numpy.float32)[:1])
    assert store.count() == 1
    store.close()


def test_only_ids_and_vectors_are_on_disk(filled):
    import sqlite3

    connection = sqlite3.connect(filled / "store" / "chroma.sqlite3")
    assert connection.execute("select count(*) from embedding_fulltext_search").fetchone() == (0,)
    connection.close()


def test_vectors_of_the_wrong_size_are_refused(tmp_path):
    store = ChromaStore(tmp_path, DIMENSION, {})
    store.open()
    with pytest.raises(ValueError, match="32"):
        store.upsert(["a"], numpy.ones((1, 3), dtype=numpy.float32))
    store.close()


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="could not be opened"):
        ChromaStore(tmp_path / "file" / "vectors", DIMENSION, {}).open()


def test_nothing_lands_on_the_terminal(tmp_path):
    child = in_child(
        "store.open(); store.upsert(['a'], clustered_vectors(1)); store.close()", tmp_path
    )
    assert child.communicate() == (b"", b"")
    assert child.returncode == 0
