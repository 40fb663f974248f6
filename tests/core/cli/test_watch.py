"""`nook ingest --watch`: whatever happens to the files, what is known follows them."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from inglenook.assistants.installation import Installation
from inglenook.assistants.passwords import Passwords
from inglenook.assistants.watching import Place, RunFailed, Watching, WatchTimes, places_of
from inglenook.jobs import Job, JobRoom
from inglenook.types import CancelToken, IngestReport, Notice

NOISE = "\x00\x01\x02" * 50
"""What no loader takes for text."""
WATCHING = "Watching the documents of papers."
LEXICAL = "FROM any\nRETRIEVE mode=lexical\n"


def runs(ran) -> list[dict]:
    """The runs so far that changed something."""
    forms = [json.loads(line) for line in list(ran.out)]
    return [form for form in forms if {*form.get("counts", {})} - {"unchanged"}]


@pytest.fixture
def watched(running, papers):
    """`./papers` is watched and has been caught up with."""
    ran = running("ingest", "./papers", "--watch", "--json")
    ran.until(lambda: runs(ran))
    assert runs(ran)[0]["counts"] == {"added": 2}
    return ran


def test_it_catches_up_and_then_reads_what_changes(watched, papers, nook):
    papers.write("three.txt", "The third paper is about voles.\n")
    watched.until(lambda: len(runs(watched)) == 2)
    papers.write("one.txt", "The first paper is about egrets.\n")
    watched.until(lambda: len(runs(watched)) == 3)
    (papers.documents / "two.txt").unlink()
    watched.until(lambda: len(runs(watched)) == 4)
    (papers.documents / "three.txt").rename(papers.documents / "third.txt")
    watched.until(lambda: len(runs(watched)) == 5)
    ends = [
        [(result["name"], result["outcome"]) for result in run["results"]]
        for run in runs(watched)[1:]
    ]
    assert ends == [
        [("documents/three.txt", "added")],
        [("documents/one.txt", "updated")],
        [("documents/two.txt", "removed")],
        [("documents/third.txt", "renamed")],
    ]
    assert "egrets" in nook("search", "./papers", "egrets").out
    assert watched.stop() == 130


def test_people_see_what_was_done_and_what_failed_once(running, papers):
    papers.write("noise.txt", NOISE)
    ran = running("ingest", "./papers", "--watch")
    ran.wait_for("2 added, 1 failed")
    ran.wait_for(WATCHING)
    papers.write("three.txt", "The third paper is about voles.\n")
    ran.wait_for("added    documents/three.txt")
    ran.wait_for("1 added, 2 unchanged, 1 failed")
    assert ran.stop() == 130
    assert sum("noise.txt" in line for line in ran.out) == 1
    assert "Stopped watching.\n" in ran.err


def test_what_was_told_before_is_counted_when_the_watching_begins_again(running, nook, papers):
    papers.write("noise.txt", NOISE)
    papers.write("film.mov", NOISE)
    nook("ingest", "./papers")
    ran = running("ingest", "./papers", "--watch")
    ran.wait_for("nook kb status ./papers lists them")
    ran.wait_for("1 note as before")
    papers.write("three.txt", "The third paper is about voles.\n")
    ran.wait_for("1 added, 2 unchanged, 1 failed before")
    assert ran.stop() == 130
    assert not any("noise.txt" in line for line in ran.out)
    assert not any("film.mov" in line for line in (*ran.out, *ran.err))
    assert sum("lists them" in line for line in ran.out) == 1


def test_thousands_of_changes_are_a_few_runs(watched, papers):
    for number in range(3000):
        (papers.documents / f"{number}.txt").write_text(f"Number {number}.\n")
    watched.until(lambda: sum(r["counts"].get("added", 0) for r in runs(watched)) == 3002)
    assert len(watched.out) < 15
    shutil.rmtree(papers.documents / "sub", ignore_errors=True)
    for number in range(3000):
        (papers.documents / f"{number}.txt").unlink()
    watched.until(lambda: sum(r["counts"].get("removed", 0) for r in runs(watched)) == 3000)
    assert watched.stop() == 130


def test_a_new_folder_is_read_however_deep(watched, papers):
    papers.write("a/b/c/deep.txt", "Deep down live moles.\n")
    watched.until(lambda: len(runs(watched)) == 2)
    papers.write("a/b/c/deeper.txt", "Deeper down live more moles.\n")
    watched.until(lambda: len(runs(watched)) == 3)
    assert runs(watched)[2]["results"][0]["name"] == "documents/a/b/c/deeper.txt"


def test_a_folder_that_vanishes_and_comes_back_costs_nothing(watched, papers, nook):
    away = papers.folder / "away"
    papers.documents.rename(away)
    watched.wait_for('There is no file \\"')
    away.rename(papers.documents)
    papers.write("three.txt", "The third paper is about voles.\n")
    watched.wait_for("Reading works again.")
    watched.until(lambda: len(runs(watched)) == 2)
    assert runs(watched)[1]["counts"] == {"unchanged": 2, "added": 1}
    papers.write("four.txt", "The fourth paper is about shrews.\n")
    watched.until(lambda: len(runs(watched)) == 3)


def test_a_folder_that_is_replaced_at_once_is_watched_again(watched, papers):
    for number in range(3):
        shutil.rmtree(papers.documents)
        papers.documents.mkdir()
        papers.write(f"new {number}.txt", f"New {number} is here.\n")
        watched.until(
            lambda n=number: any(
                result["name"] == f"documents/new {n}.txt" and result["outcome"] == "added"
                for run in runs(watched)
                for result in run["results"]
            )
        )


def test_the_whole_assistant_may_vanish_and_come_back(watched, papers, tmp_path):
    papers.folder.rename(tmp_path / "elsewhere")
    watched.wait_for('"error"')
    (tmp_path / "elsewhere").rename(papers.folder)
    watched.wait_for("Reading works again.")
    papers.write("three.txt", "The third paper is about voles.\n")
    watched.until(lambda: len(runs(watched)) == 2)
    assert watched.stop() == 130


def test_a_changed_assistantfile_counts_at_once(watched, papers):
    more = papers.folder / "more"
    more.mkdir()
    (more / "extra.txt").write_text("Something extra.\n")
    file = papers.folder / "Assistantfile"
    file.write_text(file.read_text() + "FILE ./more/*.txt\n")
    watched.until(lambda: len(runs(watched)) == 2)
    assert runs(watched)[1]["results"][0]["name"] == "more/extra.txt"
    (more / "late.txt").write_text("Something late.\n")
    watched.until(lambda: len(runs(watched)) == 3)
    file.write_text(file.read_text() + "FIEL ./oops\n")
    watched.wait_for('"ProfileError"')
    file.write_text(file.read_text().replace("FIEL ./oops\n", ""))
    watched.wait_for("Reading works again.")


def test_another_writer_is_waited_for_and_told_of_once(running, papers, nook, home):
    nook("ingest", "./papers")
    [folder] = (home / "data" / "knowledge").iterdir()
    papers.write("three.txt", "The third paper is about voles.\n")
    with FileLock(folder / "writer.lock"):
        ran = running("ingest", "./papers", "--watch", "--json")
        ran.wait_for("Another process is reading documents into this assistant.")
        time.sleep(5)
        assert sum('"error"' in line for line in ran.out) == 1
        assert runs(ran) == []
    ran.until(lambda: runs(ran))
    assert runs(ran)[0]["counts"] == {"unchanged": 2, "added": 1}
    assert ran.stop() == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_it_in_the_middle_of_a_run_too(
    running, nook, live, papers, slow_files, number, code
):
    for index in range(60):
        papers.write(f"{index:02}.slow", f"0.4 Number {index}.")
    ran = running("ingest", "./papers", "--watch", "--json")
    ran.until(lambda: live() > 2)
    before = time.monotonic()
    assert ran.stop(number) == code
    assert time.monotonic() - before < 10
    assert json.loads(ran.out[-1])["cancelled"] is True
    rest = json.loads(nook("ingest", "./papers", "--json").out)
    assert rest["counts"]["added"] + rest["counts"]["unchanged"] == 62


def test_our_own_files_in_a_watched_folder_wake_nobody(running, papers, tmp_path):
    home = papers.documents / "home"
    ran = running("ingest", "./papers", "--watch", "--json", INGLENOOK_HOME=str(home))
    ran.until(lambda: runs(ran))
    time.sleep(4)
    assert len(ran.out) <= 2, ran.out
    papers.write("three.txt", "The third paper is about voles.\n")
    ran.until(lambda: len(runs(ran)) == 2)


def test_what_cannot_begin_is_an_error_at_once(nook, papers):
    assert nook("ingest", "nobody", "--watch").code == 2
    (papers.folder / "Assistantfile").write_text(f"{LEXICAL}FILE ./nothing-there\n")
    ran = nook("ingest", "./papers", "--watch")
    assert ran.code == 2
    assert "nothing-there" in ran.err
    (papers.folder / "Assistantfile").write_text(LEXICAL)
    assert "has no documents" in nook("ingest", "./papers", "--watch").err


def test_without_the_library_it_says_how_to_get_it(nook, papers, tmp_path, environment):
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "watchfiles.py").write_text("raise ImportError('not here')\n")
    environment["PYTHONPATH"] = f"{tmp_path / 'none'}:{environment['PYTHONPATH']}"
    ran = nook("ingest", "./papers", "--watch")
    assert ran.code == 3
    assert "pip install 'inglenook[watch]'" in ran.err
    assert nook("ingest", "./papers").code == 0


# --- with short times -----------------------------------------------------------------------------

BUSY_ENTRY = """
from inglenook import Factory, hookimpl

@hookimpl
def register_loaders(register):
    register(Factory(
        name="busy", summary="Reads if nothing is in its way.", load="busy_loader:Busy",
        capabilities={"extensions": (".busy",), "media_types": ("text/x-busy",)},
    ))
"""
BUSY_LOADER = """
import time
from inglenook.types import Locator, Section

class Busy:
    def __init__(self, options):
        pass

    def load(self, request, cancel):
        if (request.path.parent / "obstacle").exists():
            time.sleep(60)
        yield Section(request.path.read_text(), Locator("whole", ""))
"""


class Watched:
    """A watching in this process, with times that suit a test."""

    def __init__(self, home: Path, papers, **times: float) -> None:
        usual = {"settle": 0.1, "longest_burst": 0.5, "look": 0.2, "again": 0.2}
        self.stop = CancelToken()
        self.reports: list[IngestReport] = []
        self.notices: list[Notice | RunFailed] = []
        self.room = JobRoom(at_once=1)
        self.watching = Watching(
            lambda: Installation.open(home).assistant(str(papers.folder)),
            self.room,
            passwords=Passwords(),
            ignored=[home],
            times=WatchTimes(**{**usual, **times}),
        )
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def _follow(self) -> None:
        for event in self.watching.runs(self.stop):
            if isinstance(event, Job):
                event.wait()
                if isinstance(event.latest, IngestReport):
                    self.reports.append(event.latest)
            else:
                self.notices.append(event)

    def until(self, condition, timeout_s: float = 40) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, (self.notices, self.reports[-1:])
            assert self.thread.is_alive()
            time.sleep(0.05)

    def outcomes(self, name: str) -> list[str]:
        return [
            result.outcome
            for report in list(self.reports)
            for result in report.results
            if result.name == f"documents/{name}"
        ]

    def end(self) -> None:
        self.stop.cancel()
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.room.close()


@pytest.fixture
def watch(home, papers):
    started: list[Watched] = []

    def start(**times: float) -> Watched:
        started.append(Watched(home, papers, **times))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def busy_files(site, monkeypatch, home, papers):
    """A file `x.busy` cannot be read in time while there is an `obstacle` beside it."""
    site.install("nook-busy", BUSY_ENTRY, files={"busy_loader.py": BUSY_LOADER})
    monkeypatch.syspath_prepend(str(site.folder))
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text("[reading]\nsilence_s = 1.0\n")
    obstacle = papers.documents / "obstacle"
    obstacle.touch()
    papers.write("a.busy", "The busy paper is about bees.")
    yield obstacle
    sys.modules.pop("busy_loader", None)
    sys.modules.pop("nook_busy", None)


def test_what_may_pass_is_tried_again_until_it_does_and_what_is_broken_is_not(
    watch, papers, busy_files
):
    papers.write("noise.txt", NOISE)
    ran = watch(retry=0.5)
    ran.until(lambda: ran.outcomes("a.busy").count("failed") >= 3)
    [timed_out] = [r for r in ran.reports[0].results if r.name == "documents/a.busy"]
    assert timed_out.reason == "timed out"
    busy_files.unlink()
    ran.until(lambda: "added" in ran.outcomes("a.busy"))
    runs_then = len(ran.reports)
    time.sleep(2)
    assert len(ran.reports) <= runs_then + 1, "nothing is left to be tried again"
    assert set(ran.outcomes("noise.txt")) == {"failed"}


def test_what_waits_to_be_tried_again_survives_a_restart(watch, papers, busy_files):
    first = watch(retry=2.0)
    first.until(lambda: first.outcomes("a.busy"))
    first.end()
    busy_files.unlink()
    second = watch(retry=2.0)
    second.until(lambda: "added" in second.outcomes("a.busy"))


def test_where_nothing_can_be_watched_everything_is_looked_at_from_time_to_time(
    watch, papers, monkeypatch
):
    def refuse(*_folders, **_options):
        raise OSError('OS file watch limit reached. about ["/x"] (Error { kind: MaxFilesWatch })')

    monkeypatch.setattr("watchfiles.watch", refuse)
    ran = watch(blind_sweep=0.5)
    ran.until(lambda: ran.reports)
    [notice] = [n for n in ran.notices if isinstance(n, Notice) and n.code == "cannot-watch"]
    assert "OS file watch limit reached." in notice.message
    assert "sysctl fs.inotify.max_user_watches" in notice.message
    papers.write("three.txt", "The third paper is about voles.\n")
    ran.until(lambda: "added" in ran.outcomes("three.txt"))
    assert sum(isinstance(n, Notice) and n.code == "cannot-watch" for n in ran.notices) == 1


def test_a_name_that_the_library_cannot_take_does_not_end_the_watching(watch, papers):
    ran = watch(blind_sweep=0.5)
    ran.until(lambda: ran.reports)
    bad = papers.documents / "bad\udcff"
    bad.mkdir()
    ran.until(lambda: any(n.code == "cannot-watch" for n in ran.notices))
    papers.write("three.txt", "The third paper is about voles.\n")
    ran.until(lambda: "added" in ran.outcomes("three.txt"))
    bad.rmdir()
    time.sleep(2)
    seen = len(ran.reports)
    time.sleep(2)
    assert len(ran.reports) <= seen + 1, "it still looks again and again"
    papers.write("four.txt", "The fourth paper is about shrews.\n")
    ran.until(lambda: "added" in ran.outcomes("four.txt"))


def test_a_folder_that_is_closed_to_us_does_not_hide_the_others(watch, papers, monkeypatch):
    import watchfiles

    real = watchfiles.watch

    def refuse(*folders, ignore_permission_denied, **options):
        if not ignore_permission_denied:
            raise PermissionError(13, "Permission denied")
        yield from real(*folders, ignore_permission_denied=True, **options)

    monkeypatch.setattr("watchfiles.watch", refuse)
    ran = watch(blind_sweep=600.0)
    ran.until(lambda: ran.reports)
    time.sleep(1)
    papers.write("three.txt", "The third paper is about voles.\n")
    ran.until(lambda: "added" in ran.outcomes("three.txt"))
    assert [n.code for n in ran.notices] == ["watching"]


def test_what_no_system_tells_of_is_found_by_a_look_from_time_to_time(watch, papers, monkeypatch):
    def blind(*_folders, stop_event, **_options):
        while not stop_event.wait(0.05):
            yield set()

    monkeypatch.setattr("watchfiles.watch", blind)
    ran = watch(sweep=0.5)
    ran.until(lambda: ran.reports)
    papers.write("three.txt", "The third paper is about voles.\n")
    ran.until(lambda: "added" in ran.outcomes("three.txt"))


# --- where to look --------------------------------------------------------------------------------


def places(home: Path, folder: Path, *lines: str) -> set[Place]:
    (folder / "Assistantfile").write_text(LEXICAL + "".join(f"FILE {line}\n" for line in lines))
    with Installation.open(home).assistant(str(folder)) as assistant:
        return set(places_of(assistant))


def test_a_place_is_no_deeper_and_no_wider_than_its_line(home, papers):
    folder, base = papers.folder, str(papers.folder)
    (folder / "really [1].txt").touch()
    own = Place(base, ("Assistantfile",))
    docs = str(papers.documents)
    assert places(home, folder, "./documents") == {own, Place(docs)}
    assert places(home, folder, "./documents/*.txt") == {own, Place(docs, ("*.txt",))}
    assert places(home, folder, "./documents/**/*.txt") == {own, Place(docs)}
    assert places(home, folder, "./documents/*/a.txt") == {own, Place(docs)}
    assert places(home, folder, "./documents/**") == {own, Place(docs)}
    assert places(home, folder, "./documents/one.txt") == {own, Place(docs, ("one.txt",))}
    assert places(home, folder, "./absent") == {Place(base, ("Assistantfile", "absent"))}
    assert places(home, folder, '"./really [1].txt"') == {
        Place(base, ("Assistantfile", "really [[]1].txt"))
    }


def test_a_place_within_another_is_not_watched_twice(home, papers):
    base = str(papers.folder)
    assert places(home, papers.folder, ".", "./documents", "./documents/*.txt") == {Place(base)}
    (papers.documents / "sub").mkdir()
    assert places(home, papers.folder, "./documents", "./documents/sub") == {
        Place(base, ("Assistantfile",)),
        Place(str(papers.documents)),
    }
