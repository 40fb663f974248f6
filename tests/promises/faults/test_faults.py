"""Whatever ends or hinders `nook ingest`, what is visible is whole, and a clean run mends it."""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .faults import LEXICAL, Shim, Stage, build_shim, differences, end_of, ingest, start, state_of
from .faults import kill_after as killed_after

pytestmark = pytest.mark.timeout(300)
linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="the disk is disturbed with LD_PRELOAD, which Linux has"
)
AT_ONCE = 2
"""Trials that run side by side; each is a process or two."""
ANY_CALL = "wsn"
_SPACE = re.compile(r"full|space|disk", re.IGNORECASE)


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Shim:
    folder = tmp_path_factory.mktemp("shim")
    return Shim(build_shim(folder), folder / "counter")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("stage"))


@pytest.fixture(scope="module")
def rebuilt_stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("rebuilt"), rebuilt=True)


@pytest.fixture(scope="module")
def large_stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("large"), sources=30)


def spread(total: int, most: int) -> list[int]:
    """At most so many numbers from 1 to `total`, evenly, both ends too."""
    if total <= most:
        return list(range(1, total + 1))
    return sorted({1 + round(step * (total - 1) / (most - 1)) for step in range(most)})


def what_went_wrong(trial: Callable[[int], list[str]], numbers: Iterable[int]) -> dict[int, str]:
    """Number -> what was wrong, of the trials in which something was."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = [(number, pool.submit(trial, number)) for number in numbers]
        results = [(number, future.result()) for number, future in tried]
    return {number: " ".join("; ".join(wrong).split())[-400:] for number, wrong in results if wrong}


# --- kill -9 --------------------------------------------------------------------------------------


def kill_trial(
    stage: Stage, seed: int, *, first: bool, most: int = 1
) -> Callable[[int], list[str]]:
    """Kill runs at random moments, every third time one of their children; then let one end."""

    def trial(number: int) -> list[str]:
        chance = random.Random(seed * 1000 + number)
        name = f"kill-{number}"
        home = stage.empty_home(name) if first else stage.copy_of_old(name)
        wrong: list[str] = []
        for _ in range(chance.randint(1, most)):
            after_s = chance.uniform(0.25, 1.1) * stage.took_s
            kill = killed_after(home, stage.profile, after_s, child=number % 3 == 0)
            wrong += [f"still runs after its parent: {left}" for left in kill.left]
            if kill.whom == "child" and kill.run.exit_code not in (0, 1):
                wrong.append(f"did not outlive a child: {kill.run.exit_code} {kill.run.error}")
            wrong += stage.wrong_with(home, first=first)
        wrong += stage.wrong_after_a_clean_run(home)
        shutil.rmtree(home)
        return wrong

    return trial


def test_a_kill_at_any_moment_shows_only_whole_sources_and_a_clean_run_mends_it(
    stage: Stage,
) -> None:
    assert {} == what_went_wrong(kill_trial(stage, 1, first=False), range(18))


def test_a_kill_of_the_first_run_shows_only_whole_sources_and_a_clean_run_mends_it(
    stage: Stage,
) -> None:
    assert {} == what_went_wrong(kill_trial(stage, 2, first=True), range(6))


def test_a_kill_while_everything_is_read_anew_leaves_the_old_or_the_new(
    rebuilt_stage: Stage,
) -> None:
    assert {} == what_went_wrong(kill_trial(rebuilt_stage, 3, first=False), range(6))


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_kill_at_any_of_many_moments_shows_only_whole_sources_and_a_clean_run_mends_it(
    large_stage: Stage,
) -> None:
    assert {} == what_went_wrong(kill_trial(large_stage, 4, first=False, most=3), range(120))
    assert {} == what_went_wrong(kill_trial(large_stage, 5, first=True, most=3), range(80))


# --- faults at the n-th call ----------------------------------------------------------------------


def fault_trial(
    stage: Stage, shim: Shim, mode: str, calls: str, *, first: bool = False
) -> Callable[[int], list[str]]:
    """Disturb one run at the n-th call; then run it once undisturbed."""

    def trial(number: int) -> list[str]:
        # A name without any word that an error is looked through for.
        name = f"trial-{number}"
        home = stage.empty_home(name) if first else stage.copy_of_old(name)
        run, faults = shim.run(home, stage.profile, mode, number, calls)
        wrong = stage.wrong_with(home, first=first)
        if mode in ("kill", "tear") and faults and run.exit_code != -signal.SIGKILL:
            wrong.append(f"was to be killed and ended with {run.exit_code}")
        if mode in ("full", "once"):
            wrong += _told_badly(run.exit_code, run.error, faults)
            if run.exit_code == stage.exit_code:
                seen = state_of(home, stage.folder / f"look-{name}")
                wrong += differences(seen, stage.new)
        wrong += stage.wrong_after_a_clean_run(home)
        shutil.rmtree(home)
        return wrong

    return trial


def _told_badly(exit_code: int, error: str, faults: int) -> Iterable[str]:
    """A full disk is told in words with exit code 3, or did not matter."""
    if "Traceback" in error:
        yield f"a traceback in front of a user: {error[-300:]}"
    if exit_code not in (0, 1, 3):
        yield f"ended with {exit_code}: {error[-300:]}"
    if exit_code == 3 and not _SPACE.search(error):
        yield f"does not say that the disk is full: {error[-300:]}"
    if exit_code == 3 and not faults:
        yield f"failed without a fault: {error[-300:]}"


@linux_only
def test_a_kill_after_any_commit_point_leaves_whole_sources(stage: Stage, shim: Shim) -> None:
    commits = shim.count(stage.copy_of_old("count-commits"), stage.profile, "s")
    assert commits
    trial = fault_trial(stage, shim, "kill", "s")
    assert {} == what_went_wrong(trial, range(1, commits + 1))


@linux_only
def test_a_kill_in_the_middle_of_a_write_leaves_whole_sources(stage: Stage, shim: Shim) -> None:
    writes = shim.count(stage.copy_of_old("count-writes"), stage.profile, "w")
    assert {} == what_went_wrong(fault_trial(stage, shim, "tear", "w"), spread(writes, 6))


@linux_only
def test_a_disk_that_fills_up_at_the_nth_write_is_told_and_loses_nothing(
    stage: Stage, shim: Shim
) -> None:
    calls = shim.count(stage.copy_of_old("count-calls"), stage.profile, ANY_CALL)
    trial = fault_trial(stage, shim, "full", ANY_CALL)
    assert {} == what_went_wrong(trial, spread(calls + 1, 14))


@linux_only
def test_a_disk_that_is_full_for_a_moment_is_told_and_loses_nothing(
    stage: Stage, shim: Shim
) -> None:
    calls = shim.count(stage.copy_of_old("count-moment"), stage.profile, ANY_CALL)
    trial = fault_trial(stage, shim, "once", ANY_CALL)
    assert {} == what_went_wrong(trial, spread(calls + 1, 6))


@linux_only
def test_a_disk_that_fills_up_in_the_first_run_is_told_and_loses_nothing(
    stage: Stage, shim: Shim
) -> None:
    calls = shim.count(stage.empty_home("count-first"), stage.profile, ANY_CALL)
    trial = fault_trial(stage, shim, "full", ANY_CALL, first=True)
    assert {} == what_went_wrong(trial, spread(calls + 1, 8))


@linux_only
def test_the_state_after_a_disk_that_filled_up_is_not_called_in_order(
    stage: Stage, shim: Shim
) -> None:
    calls = shim.count(stage.empty_home("count-state"), stage.profile, ANY_CALL)
    home = stage.empty_home("state")
    run, _ = shim.run(home, stage.profile, "full", calls // 2, ANY_CALL)
    assert run.exit_code == 3, run.error
    status = (sys.executable, "-m", "inglenook", "--home", str(home), "kb", "status")
    told = subprocess.run(
        [*status, str(stage.profile)], capture_output=True, text=True, check=False, timeout=60
    ).stdout
    assert "in order" not in told.lower()
    assert re.search(r"Reading the documents has begun|No documents have been read yet", told), told
    assert f"nook ingest {stage.profile}" in told


@linux_only
@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", ["full", "once", "kill", "tear"])
@pytest.mark.parametrize("which", ["changed", "first", "rebuilt"])
def test_a_fault_at_every_call_until_it_runs_through_loses_nothing(
    stage: Stage, rebuilt_stage: Stage, shim: Shim, mode: str, which: str
) -> None:
    own = rebuilt_stage if which == "rebuilt" else stage
    first = which == "first"
    home = own.empty_home("count-all") if first else own.copy_of_old("count-all")
    calls = shim.count(home, own.profile, ANY_CALL)
    trial = fault_trial(own, shim, mode, ANY_CALL, first=first)
    # A run makes a few more or fewer calls than the one that was counted.
    assert {} == what_went_wrong(trial, range(1, calls + 8))


@linux_only
def test_what_names_the_catalog_is_on_the_disk_before_it_takes_over(
    rebuilt_stage: Stage, tmp_path: Path
) -> None:
    """After a power cut an empty pointer would make everything look as if never read."""
    strace = shutil.which("strace")
    assert strace, "this test needs strace: run `make strace` (or install it with your packages)"
    home = rebuilt_stage.copy_of_old("synced")
    log = tmp_path / "calls"
    calls = "trace=fsync,fdatasync,rename,renameat,renameat2"
    ingest(
        home, rebuilt_stage.profile, under=(strace, "-f", "-qq", "-y", "-e", calls, "-o", str(log))
    )
    lines = log.read_text("utf-8", errors="replace").splitlines()
    (renamed,) = [n for n, line in enumerate(lines) if re.search(r'rename.*/current"', line)]
    name = re.findall(r'"([^"]+)"', lines[renamed])[0]
    synced = [line for line in lines[:renamed] if "sync(" in line and f"<{name}>" in line]
    assert synced, f"{name} was renamed before its bytes were on the disk"


# --- two at once ----------------------------------------------------------------------------------


def written(log: Path) -> int:
    """The bytes in it; 0 if it has just been taken away."""
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0


def stopped_while_it_writes(home: Path, profile: Path):
    """A run that holds the writer's lock and stands still until it gets SIGCONT."""
    process = start(home, profile)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        # An empty log is one that SQLite is still opening: it lets nobody in until it has.
        logs = (home / "data" / "knowledge").glob("*/catalog-*.sqlite-wal")
        if any(written(log) for log in logs):
            process.suspend()
            return process
        assert process.poll() is None, "it ended before it could be stopped"
        time.sleep(0.002)
    raise AssertionError("it never began to write")


def test_a_second_ingester_is_told_at_once_and_the_first_is_not_disturbed(stage: Stage) -> None:
    home = stage.copy_of_old("two")
    first = stopped_while_it_writes(home, stage.profile)
    began = time.monotonic()
    second = ingest(home, stage.profile)
    took_s = time.monotonic() - began
    first.resume()
    ended = end_of(first)
    assert 3 == second.exit_code
    assert "Another process" in second.error
    assert took_s < 5
    assert stage.exit_code == ended.exit_code
    assert [] == differences(state_of(home, stage.folder / "look-two"), stage.new)


def test_many_ingesters_at_once_end_as_one(stage: Stage) -> None:
    home = stage.copy_of_old("many")
    runs = [end_of(process) for process in [start(home, stage.profile) for _ in range(4)]]
    assert stage.exit_code in [run.exit_code for run in runs]
    assert {run.exit_code for run in runs} <= {stage.exit_code, 3}
    assert [] == differences(state_of(home, stage.folder / "look-many"), stage.new)


def test_what_was_visible_is_found_while_another_process_writes(stage: Stage) -> None:
    from inglenook import Assistant

    home = stage.copy_of_old("reader")
    writer = stopped_while_it_writes(home, stage.profile)
    try:
        with Assistant.from_file(stage.profile, home=home) as assistant:
            (passage, *_) = assistant.search("cabinet changed3", mode="lexical")
    finally:
        writer.resume()
        end_of(writer)
    assert "changed.txt" == passage.source
    assert "version 1" in passage.text


def test_a_source_is_kept_that_changes_while_it_is_read(tmp_path: Path) -> None:
    """The bytes that are recorded are those that were read, or the next run reads it again."""
    stage = Stage(tmp_path, (LEXICAL,))
    home = stage.copy_of_old("changing")
    target = stage.documents / "changed.txt"
    process = start(home, stage.profile)
    number = 0
    while process.poll() is None:
        number += 1
        target.write_text(f"Version {number} of it. " * 200, "utf-8")
        time.sleep(0.01)
    end_of(process)
    target.write_text("The last version of it, which holds a quincunx.", "utf-8")
    assert stage.exit_code == ingest(home, stage.profile).exit_code
    seen = state_of(home, tmp_path / "look")
    assert ["The last version of it, which holds a quincunx."] == [
        chunk.text for chunk in seen.sources["changed.txt"].chunks
    ]
