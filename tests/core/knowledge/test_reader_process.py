"""A parser that hangs, dies, floods, eats memory or calls home costs one source, not the run."""

from __future__ import annotations

import importlib
import io
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from inglenook.errors import LoadError
from inglenook.host import Host
from inglenook.knowledge.file_reader import ReadLimits
from inglenook.knowledge.loaders import LoaderEntry, LoaderTable
from inglenook.knowledge.reader_process import AGAIN, ReaderProcess, ReadingLimits
from inglenook.processes.worker_protocol import Frames, Raised
from inglenook.types import Notice, Section

FOLDER = Path(__file__).parent
LIMITS = ReadingLimits(
    silence_s=3,
    total_s=8,
    memory_bytes=512 << 20,
    content=ReadLimits(characters=300_000, members=50, inflated_bytes=4 << 20, depth=3),
)


def entry(name: str, **more: bool) -> LoaderEntry:
    return LoaderEntry(name.lower(), f"bad_loaders:{name}", f"{name}/1", **more)


FIRST = entry("Misbehaving")
ALONE = LoaderTable({".bad": (FIRST,)})
TWO = LoaderTable({".bad": (FIRST, entry("Second"))})
WITH_RECOGNISER = LoaderTable({".bad": (FIRST, entry("Recogniser", recognises=True))})


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    readers = []

    def run(text: str, table: LoaderTable = ALONE, **options):
        path = tmp_path / "file.bad"
        path.write_text(text)
        if not readers or readers[-1][0] is not table:
            readers.append((table, ReaderProcess(table, LIMITS)))
        batches = readers[-1][1].read(path, "file.bad", **options)
        return [item for batch in batches for item in batch]

    run.process = lambda: readers[-1][1]
    yield run
    for _, reader in readers:
        reader.close()


def texts(items) -> list[str]:
    return [item.text for item in items if isinstance(item, Section)]


def codes(items) -> list[str]:
    return [item.code for item in items if isinstance(item, Notice)]


def failure(read, text: str, table: LoaderTable = ALONE) -> LoadError:
    with pytest.raises(LoadError) as caught:
        read(text, table)
    assert ["fine"] == texts(read("say fine", table)), "the next file is read"
    return caught.value


def test_a_parser_that_hangs_is_ended(read) -> None:
    started = time.monotonic()
    assert "timed out" == failure(read, "hang").reason
    assert time.monotonic() - started < 8


def test_a_parser_that_never_ends_is_held_to_its_output(read) -> None:
    error = failure(read, "flood")
    assert "too large" == error.reason
    assert "300,000 characters" in error.message


@pytest.mark.parametrize("how", ["die", "exit"])
def test_a_parser_that_dies_costs_one_file(read, how: str) -> None:
    error = failure(read, how)
    assert "broken" == error.reason
    assert "ended" in error.message


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
def test_a_parser_that_eats_memory_is_stopped_before_the_machine_is(read) -> None:
    before = psutil.Process().memory_info().rss
    assert "too large" == failure(read, "eat").reason
    assert psutil.Process().memory_info().rss - before < 50 << 20


def test_what_a_parser_quotes_in_its_error_is_not_repeated(read) -> None:
    error = failure(read, "raise oops")
    assert "broken" == error.reason
    assert "RuntimeError" in error.message
    assert "secret" not in str(error)


@pytest.mark.parametrize("how", ["die", "raise oops"])
def test_the_next_loader_is_asked_when_one_fails_or_dies(read, how: str) -> None:
    items = read(how, TWO)
    assert ["second reads it"] == texts(items)
    assert ["other-loader"] == codes(items)


def test_pages_without_text_are_recognised_in_their_place(read) -> None:
    items = read("pages", WITH_RECOGNISER)
    assert ["first page", "recognised 2", "third page"] == texts(items)
    assert ["page-by-other-loader"] == codes(items)


def test_pages_without_text_are_told_where_nobody_recognises_them(read) -> None:
    assert ["page-without-text"] == codes(read("pages"))


def test_a_file_that_is_not_what_its_name_says_is_read_as_what_it_is(tmp_path) -> None:
    table = LoaderTable.of(Host())
    path = tmp_path / "page.pdf"
    path.write_text("<!DOCTYPE html><html><body><p>It is a page.</p></body></html>")
    reader = ReaderProcess(table, ReadingLimits())
    try:
        items = [item for batch in reader.read(path, "page.pdf") for item in batch]
        assert ["It is a page."] == texts(items)
        assert "other-type" in codes(items)
        path.write_text("plain text is no PDF")
        with pytest.raises(LoadError) as caught:
            list(reader.read(path, "page.pdf"))
        assert "broken" == caught.value.reason
    finally:
        reader.close()


def test_parts_are_read_and_named_and_a_bad_one_is_told(read) -> None:
    items = read("parts")
    assert ["outer", "from the part"] == texts(items)
    place = [item.locator for item in items if isinstance(item, Section)][1]
    assert "docs/good.bad, page 1" == str(place)
    assert ["part-failed", "part-skipped"] == codes(items)
    assert "docs/broken.bad: broken" in next(i.message for i in items if isinstance(i, Notice))


def test_parts_in_parts_end_somewhere(read) -> None:
    items = read("nest 0")
    assert [f"level {n}" for n in range(4)] == texts(items)
    assert ["part-failed"] == codes(items)
    assert "inner.bad/inner.bad/inner.bad, page 1" == str(items[3].locator)


def test_too_many_parts_fail_the_whole_file(read) -> None:
    error = failure(read, "many")
    assert "too large" == error.reason
    assert "50 files" in error.message


def test_a_very_long_section_comes_in_windows_that_join_to_it(read) -> None:
    items = [item for item in read("huge") if isinstance(item, Section)]
    assert "word " * 40_000 == "".join(item.text for item in items)
    assert [7 + sum(len(i.text) for i in items[:n]) for n in range(len(items))] == [
        item.start for item in items
    ]
    assert max(len(item.text) for item in items) <= 100_000


def test_an_encrypted_file_is_read_with_the_password_that_is_asked_for_once(read) -> None:
    asked = []

    def passwords(name, path):
        asked.append(name)
        return "tulip"

    assert ["opened"] == texts(read("encrypted tulip", passwords=passwords))
    with pytest.raises(LoadError) as caught:
        read("encrypted rose", passwords=passwords)
    assert "encrypted" == caught.value.reason
    assert ["file.bad", "file.bad"] == asked


def test_notices_and_places_are_made_fit_to_be_kept_and_are_not_endless(read) -> None:
    items = read("say nothing", LoaderTable({".bad": (entry("Odd"),)}))
    for item in items:
        item.message.encode() if isinstance(item, Notice) else str(item.locator).encode()
    (section,) = [item for item in items if isinstance(item, Section)]
    assert ("key \ufffd", ("head \ufffd",)) == (section.locator.value, section.headings)
    notices = [item for item in items if isinstance(item, Notice)]
    assert 1001 == len(notices)
    assert "4,001 more notices" in notices[-1].message
    assert max(len(notice.message) for notice in notices) <= 301


def test_the_time_for_a_file_is_the_readers_not_that_of_who_waits(tmp_path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("The harbour opens at dawn.\n" * 40_000)
    reader = ReaderProcess(LoaderTable.of(Host()), ReadingLimits(total_s=1.5))
    try:
        read = 0
        for batch in reader.read(path, "long.txt"):
            read += sum(len(item.text) for item in batch if isinstance(item, Section))
            time.sleep(0.25)
        assert read > 1_000_000
    finally:
        reader.close()


def test_a_reader_that_was_killed_is_replaced_and_the_file_is_read_all_the_same(tmp_path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("The harbour opens at dawn.\n" * 40_000)
    reader = ReaderProcess(LoaderTable.of(Host()), ReadingLimits())
    try:
        batches = reader.read(path, "long.txt")
        read = list(next(batches))
        assert reader.pid is not None
        os.kill(reader.pid, signal.SIGKILL)
        again = 0
        for batch in batches:
            if batch == (AGAIN,):
                again += 1
                read.clear()
            else:
                read += batch
    finally:
        reader.close()
    assert 1 == again
    # Sections of a text file are cut at line ends.
    assert path.read_text().split() == " ".join(texts(read)).split()


def test_what_a_reader_sends_can_make_nothing_but_plain_data() -> None:
    class Evil:
        def __reduce__(self):
            return os.system, ("true",)

    def received(message: object):
        source = io.BytesIO()
        Frames(io.BytesIO(), source).send(message)
        source.seek(0)
        return Frames(source, io.BytesIO(), trusted=False).receive()

    sent = Raised(1, LoadError("broken", reason="broken", hint="mend it"))
    assert ("broken", "mend it") == (received(sent).error.reason, received(sent).error.hint)
    for evil in (Evil(), importlib.import_module, LoaderTable):
        with pytest.raises(pickle.UnpicklingError):
            received(evil)


def test_the_process_sees_little_of_the_environment(read, monkeypatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    (seen,) = texts(read("environment"))
    assert "\nPATH=" in f"\n{seen}"
    assert "SECRET_TOKEN" not in seen
    assert f"\nHOME={os.sep}\n" in f"\n{seen}\n"


def test_no_file_larger_than_allowed_can_be_written(read, tmp_path) -> None:
    target = tmp_path / "written"
    with pytest.raises(LoadError):
        read(f"write {target}")
    assert not target.exists() or target.stat().st_size <= 4 << 20


def can_leave_the_network() -> bool:
    code = (
        "import ctypes,os,sys;f=0x40000000|(0 if os.geteuid()==0 else 0x10000000);"
        "sys.exit(ctypes.CDLL(None).unshare(f)!=0)"
    )
    return sys.platform == "linux" and os.system(f'{sys.executable} -c "{code}"') == 0


def test_the_process_cannot_speak_to_anybody_where_the_kernel_lets_it_be_shut_in(read) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        text = f"connect {server.getsockname()[1]}"
        if can_leave_the_network():
            with pytest.raises(LoadError) as caught:
                read(text)
            assert "unreadable" == caught.value.reason
        else:
            assert ["connected"] == texts(read(text))


def test_stopping_ends_a_reading_at_once_and_leaves_no_process(read) -> None:
    read("say warm")
    reader = read.process()
    child = psutil.Process(reader.pid)
    ended: list[float] = []

    def run() -> None:
        with pytest.raises(LoadError):
            read("hang")
        ended.append(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.5)
    stopped = time.monotonic()
    reader.stop()
    thread.join(10)
    assert ended[0] - stopped < 3
    deadline = time.monotonic() + 5
    while has_ended(child) is False and time.monotonic() < deadline:
        time.sleep(0.02)
    assert has_ended(child)


def test_a_large_parent_does_not_cost_a_process_for_every_file(tmp_path) -> None:
    (tmp_path / "file.bad").write_text("say hello")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from inglenook.knowledge.loaders import LoaderEntry, LoaderTable\n"
        "from inglenook.knowledge.reader_process import ReaderProcess, ReadingLimits\n"
        f"sys.path.insert(0, {str(FOLDER)!r})\n"
        "ballast = b'1' * (400 << 20)\n"
        "entry = LoaderEntry('bad', 'bad_loaders:Misbehaving', 'bad/1')\n"
        "limits = ReadingLimits(recycle_bytes=300 << 20)\n"
        "reader = ReaderProcess(LoaderTable({'.bad': (entry,)}), limits)\n"
        "for _ in range(2):\n"
        f"    list(reader.read(Path({str(tmp_path / 'file.bad')!r}), 'file.bad'))\n"
        "    print(reader.pid)\n"
        "reader.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stdout.split()
    assert first == second != "None"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has classes of priority instead")
def test_it_steps_back_for_the_process_that_it_reads_for(read) -> None:
    read("say warm")
    assert psutil.Process(read.process().pid).nice() > psutil.Process().nice()


def has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_parser_stuck_in_native_code_ends_with_a_killed_parent(tmp_path) -> None:
    (tmp_path / "file.bad").write_text("stick")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from inglenook.knowledge.loaders import LoaderEntry, LoaderTable\n"
        "from inglenook.knowledge.reader_process import ReaderProcess, ReadingLimits\n"
        f"sys.path.insert(0, {str(FOLDER)!r})\n"
        "entry = LoaderEntry('bad', 'bad_loaders:Misbehaving', 'bad/1')\n"
        "reader = ReaderProcess(LoaderTable({'.bad': (entry,)}), ReadingLimits())\n"
        f"list(reader.read(Path({str(tmp_path / 'file.bad')!r}), 'file.bad'))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 20
    children: list[psutil.Process] = []
    while not children and time.monotonic() < deadline:
        children = psutil.Process(parent.pid).children()
        time.sleep(0.05)
    time.sleep(1.0)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert [] == alive
