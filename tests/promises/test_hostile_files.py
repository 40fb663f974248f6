"""Files made to hurt: each is refused by name, the others get in, and nothing leaks or grows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict:
    target = tmp_path_factory.mktemp("hostile") / "report.json"
    done = subprocess.run(
        [sys.executable, str(BENCH / "hostile.py"), "--json", str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert target.exists(), done.stderr
    return json.loads(target.read_text("utf-8"))


@pytest.mark.timeout(300)
def test_each_of_thirteen_hostile_files_is_refused_and_its_neighbours_are_read(report) -> None:
    ends = report["hostile"]["ends"]
    assert 13 == len(ends)
    assert {} == {name: end for name, end in ends.items() if not end["refused"]}
    assert [] == report["hostile"]["neighbours_out"]
    assert 1 == report["hostile"]["exit_code"]


def test_the_process_that_talks_to_the_user_hardly_grows(report) -> None:
    assert report["hostile"]["own_growth_mb"] < 50


def test_no_document_reaches_a_file_outside(report) -> None:
    assert 0 == report["tricks"]["leaks"]
    assert [] == report["tricks"]["written_outside"]
    assert [] == report["tricks"]["neighbours_out"]
