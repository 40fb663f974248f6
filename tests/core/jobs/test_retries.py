"""The queue of what is to be tried again: waits, restarts, and files that cannot be used."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from inglenook.jobs import Retry, RetryQueue


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "knowledge" / "retries.sqlite"


def make(file, clock) -> RetryQueue:
    return RetryQueue(file, first_s=10, longest_s=60, clock=clock)


def test_the_waits_double_up_to_the_longest(file, clock):
    queue = make(file, clock)
    waits = []
    for _ in range(5):
        queue.record(failed={"a.txt": "unreadable"})
        waits.append(queue.wait_s())
    assert waits == [10, 20, 40, 60, 60]
    assert queue.all() == (Retry("a.txt", "unreadable", 5, clock.now + 60),)
    for _ in range(2000):
        queue.record(failed={"a.txt": "unreadable"})
    assert queue.wait_s() == 60


def test_what_is_due_is_given_in_order_and_what_is_settled_never_again(file, clock):
    queue = make(file, clock)
    queue.record(failed={"a": "timed out"})
    clock.now += 5
    queue.record(failed={"b": "unreadable"})
    assert queue.due() == ()
    clock.now += 5
    assert [retry.key for retry in queue.due()] == ["a"]
    clock.now += 5
    assert [retry.key for retry in queue.due()] == ["a", "b"]
    queue.record(failed={"a": "timed out"}, settled=["b", "never heard of"])
    assert [(retry.key, retry.attempts) for retry in queue.all()] == [("a", 2)]


def test_another_process_finds_what_this_one_left(file, clock):
    make(file, clock).record(failed={"ä/א.txt": "unreadable"})
    code = (
        "import sys; from pathlib import Path; from inglenook.jobs import RetryQueue\n"
        "print(*RetryQueue(Path(sys.argv[1]), clock=lambda: 1e6).all())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, str(file)],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    ).stdout.decode()
    expected = Retry("ä/א.txt", "unreadable", 1, 1_000_010.0)
    assert printed.strip() == str(expected)
    again = make(file, clock)
    again.record(failed={}, settled=["ä/א.txt"])
    assert make(file, clock).all() == ()


def test_a_clock_that_was_set_back_puts_nothing_off_for_long(file, clock):
    make(file, clock).record(failed={"a": "unreadable"})
    clock.now -= 10**8
    assert make(file, clock).wait_s() == 60


def test_no_file_is_made_for_nothing(file, clock):
    make(file, clock).record(failed={}, settled=["a"])
    assert not file.parent.exists()


def test_a_damaged_file_is_replaced(file, clock):
    file.parent.mkdir()
    file.write_bytes(os.urandom(4096))
    queue = make(file, clock)
    assert queue.all() == ()
    queue.record(failed={"a": "unreadable"})
    assert [retry.key for retry in make(file, clock).all()] == ["a"]


def test_a_file_of_something_else_is_no_obstacle(file, clock):
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE retries (key TEXT, attempts TEXT)")
    assert make(file, clock).all() == ()
    make(file, clock).record(failed={"a": "unreadable"})


def test_what_cannot_be_written_is_kept_in_memory_and_written_later(file, clock, tmp_path):
    obstacle = file.parent
    obstacle.write_text("a file where the folder should be")
    queue = make(file, clock)
    queue.record(failed={"a": "unreadable"})
    assert [retry.key for retry in queue.all()] == ["a"]
    obstacle.unlink()
    queue.record(failed={"b": "unreadable"})
    assert [retry.key for retry in make(file, clock).all()] == ["a", "b"]


def test_a_file_that_another_process_has_locked_loses_nothing(file, clock):
    queue = make(file, clock)
    queue.record(failed={"a": "unreadable"})
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        queue.record(failed={"b": "unreadable"})
        other.execute("ROLLBACK")
    queue.record(failed={"c": "unreadable"})
    assert [retry.key for retry in make(file, clock).all()] == ["a", "b", "c"]


def test_a_folder_that_vanished_is_made_again(file, clock):
    import shutil

    queue = make(file, clock)
    queue.record(failed={"a": "unreadable"})
    shutil.rmtree(file.parent)
    queue.record(failed={"b": "unreadable"})
    assert [retry.key for retry in make(file, clock).all()] == ["a", "b"]
