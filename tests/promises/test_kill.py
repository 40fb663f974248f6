"""Killed at any moment, ingestion loses nothing and shows nothing half."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

SOURCES = 40


def make_profile(folder: Path) -> Path:
    folder.mkdir()
    for number in range(SOURCES):
        paragraphs = [f"Source {number} says {number * 31 + n} in part {n}." for n in range(40)]
        (folder / f"{number:02}.txt").write_text("\n\n".join(paragraphs), "utf-8")
    path = folder / "Assistantfile"
    path.write_text("FROM any\nRETRIEVE mode=lexical\nFILE ./*.txt\n", "utf-8")
    return path


def state(home: Path) -> list[tuple[str, int, str]]:
    """Every visible chunk: its source, its place, its text."""
    for pointer in (home / "data" / "knowledge").glob("*/current"):
        with closing(sqlite3.connect(pointer.with_name(pointer.read_text()))) as connection:
            rows = connection.execute("SELECT source_name, place_start, text FROM live")
            return sorted(rows)
    return []


def ingest(home: Path, profile: Path, seconds: float | None = None) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "inglenook", "--home", str(home), "ingest", str(profile)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if seconds is None:
        assert 0 == process.wait(120)
        return
    time.sleep(seconds)
    process.kill()
    process.wait()


def check(tmp_path: Path, moments: int, seed: int) -> None:
    profile = make_profile(tmp_path / "documents")
    undisturbed = tmp_path / "undisturbed"
    started = time.monotonic()
    ingest(undisturbed, profile)
    took = time.monotonic() - started
    expected = state(undisturbed)
    assert SOURCES == len({c[0] for c in expected})
    whole = {s: [c for c in expected if c[0] == s] for s in {c[0] for c in expected}}
    chance = random.Random(seed)
    for moment in range(moments):
        home = tmp_path / f"home-{moment}"
        for _ in range(chance.randint(1, 3)):
            ingest(home, profile, chance.uniform(0.05, took))
            seen = state(home)
            for source in {c[0] for c in seen}:
                assert whole[source] == [c for c in seen if c[0] == source]
        ingest(home, profile)
        assert expected == state(home)
        shutil.rmtree(home)


def test_a_kill_at_some_moments_shows_only_whole_sources_and_a_rerun_ends_the_same(
    tmp_path: Path,
) -> None:
    check(tmp_path, 3, seed=1)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_kill_at_many_moments_shows_only_whole_sources_and_a_rerun_ends_the_same(
    tmp_path: Path,
) -> None:
    check(tmp_path, 60, seed=2)
