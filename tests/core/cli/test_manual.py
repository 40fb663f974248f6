"""The page of the manual that lists the commands says what the commands say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from inglenook.cli.command_table import COMMANDS
from inglenook.cli.manual import built_in_host, command_page

PROJECT = Path(__file__).resolve().parents[3]
PAGE = PROJECT / "docs" / "commands.md"


def test_the_page_is_what_the_commands_say_today():
    expected = command_page(built_in_host())
    assert PAGE.read_text("utf-8") == expected, "run: make docs"


def test_make_docs_writes_the_page(tmp_path):
    text = (PROJECT / "Makefile").read_text("utf-8")
    rule = re.search(r"^docs:.*\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert rule is not None
    commands = rule[1].replace("\t@", "\t").replace("$(BIN)/python", sys.executable)
    (tmp_path / "docs").mkdir()
    subprocess.run(["sh", "-ec", commands], cwd=tmp_path, check=True, timeout=60)
    written = {path.name: path.read_text("utf-8") for path in (tmp_path / "docs").iterdir()}
    assert written == {"commands.md": command_page(built_in_host())}


def test_make_runs_only_files_that_are_there():
    named = re.findall(r"\$\(BIN\)/python (\S+\.py)", (PROJECT / "Makefile").read_text("utf-8"))
    assert named
    assert [name for name in named if not (PROJECT / name).is_file()] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_place_in_the_page(name):
    assert f"\n## nook {name}\n" in PAGE.read_text("utf-8")
