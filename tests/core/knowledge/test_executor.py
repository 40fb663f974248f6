"""Files are read by several processes, never far ahead of who uses them, and all end once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from inglenook.errors import LoadError
from inglenook.host import Host
from inglenook.knowledge.executor import FileToRead, LocalExecutor
from inglenook.knowledge.loaders import LoaderTable
from inglenook.knowledge.reader_process import ReaderProcess, ReadingLimits, no_password
from inglenook.types import Section


@pytest.fixture
def table():
    return LoaderTable.of(Host())


def executor(table, readers: int = 2) -> LocalExecutor[int]:
    return LocalExecutor(lambda: ReaderProcess(table, ReadingLimits()), readers, no_password)


def files(folder: Path, count: int) -> list[FileToRead[int]]:
    made = []
    for number in range(count):
        path = folder / f"{number}.txt"
        path.write_text(f"File number {number}." if number % 7 else "")
        made.append(FileToRead(number, path, path.name))
    return made


def test_every_file_ends_once_with_its_text_or_its_error(table, tmp_path) -> None:
    texts: dict[int, str] = {}
    ended: list[int] = []
    with executor(table, 3) as running:
        for piece in running.run(files(tmp_path, 60)):
            if piece is None:
                continue
            for item in piece.items:
                assert isinstance(item, Section)
                texts[piece.file.key] = item.text
            if piece.ended:
                ended.append(piece.file.key)
                assert isinstance(piece.error, LoadError) is (piece.file.key % 7 == 0)
    assert list(range(60)) == sorted(ended)
    assert {n: f"File number {n}." for n in range(60) if n % 7} == texts


def test_readers_wait_for_who_uses_what_they_read(table, tmp_path) -> None:
    taken = []

    def one_by_one():
        for file in files(tmp_path, 200):
            taken.append(file.key)
            yield file

    with executor(table) as running:
        pieces = running.run(one_by_one())
        first = next(piece for piece in pieces if piece is not None)
        time.sleep(1.0)
        assert len(taken) < 30
        ended = first.ended + sum(piece is not None and piece.ended for piece in pieces)
    assert 200 == ended


def test_leaving_in_the_middle_ends_every_thread_and_process(table, tmp_path) -> None:
    before = threading.active_count()
    with executor(table) as running:
        for piece in running.run(files(tmp_path, 200)):
            if piece is not None:
                break
        pids = [reader.pid for reader in running._readers]
    assert all(pid is None or not Path(f"/proc/{pid}").exists() for pid in pids)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert before == threading.active_count()


def test_a_bug_in_the_list_of_files_is_raised_and_not_waited_for(table, tmp_path) -> None:
    def broken():
        yield from files(tmp_path, 3)
        raise ZeroDivisionError

    with executor(table) as running, pytest.raises(ZeroDivisionError):
        list(running.run(broken()))
