"""The page of the manual that lists the commands says what the commands say."""

from __future__ import annotations

from pathlib import Path

import pytest

from inglenook.cli.command_table import COMMANDS
from inglenook.cli.manual import built_in_host, command_page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "commands.md"


def test_the_page_is_what_the_commands_say_today():
    expected = command_page(built_in_host())
    assert PAGE.read_text("utf-8") == expected, "run: python -m inglenook.cli.manual"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_place_in_the_page(name):
    assert f"\n## nook {name}\n" in PAGE.read_text("utf-8")
