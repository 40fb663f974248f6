"""The help, the version, and what is said to a mistyped command line."""

from __future__ import annotations

import pytest

from inglenook import __version__
from inglenook.cli.command_table import COMMANDS


def test_help_lists_every_built_in_command_and_those_of_plugins(nook):
    ran = nook("--help")
    assert (ran.code, ran.err) == (0, "")
    for name, (_, line) in COMMANDS.items():
        assert f"  {name} " in ran.out
        assert line in ran.out
    assert "scan" in ran.out.partition("Commands of plugins:")[2]


def test_without_a_terminal_no_command_prints_the_help(nook):
    assert nook().out == nook("--help").out


def test_every_command_has_the_same_line_in_the_table_and_starts_its_own_help(nook):
    for name in COMMANDS:
        ran = nook(name, "--help")
        assert ran.code == 0
        assert ran.out.startswith(f"Usage: nook {name} ")


def test_version_says_which_one_it_is(nook):
    assert nook("--version").out == f"nook {__version__}\n"


def test_help_comes_whatever_the_order_of_the_options(nook):
    assert "scan" not in nook("--help", "--no-plugins").out
    assert "scan" not in nook("--no-plugins", "--help").out


def test_ls_is_list_and_is_not_listed(nook):
    assert nook("ls").out == nook("list").out
    assert "\n  ls " not in nook("--help").out


@pytest.mark.parametrize(
    ("typed", "meant"), [("lsit", "list"), ("serch", "search"), ("scann", "scan")]
)
def test_a_mistyped_command_gets_a_suggestion_and_exit_code_2(nook, typed, meant):
    ran = nook(typed)
    assert (ran.code, ran.out) == (2, "")
    assert f"There is no command '{typed}'. Did you mean '{meant}'?" in ran.err


def test_an_unknown_option_is_misuse(nook):
    ran = nook("list", "--jsno")
    assert ran.code == 2
    assert "--jsno" in ran.err
    assert "nook list --help" in ran.err


def test_a_missing_argument_is_misuse(nook):
    ran = nook("show")
    assert ran.code == 2
    assert "REFERENCE" in ran.err


@pytest.mark.parametrize("group", ["kb", "profile"])
def test_a_group_without_a_command_shows_its_help(nook, group):
    ran = nook(group)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"Usage: nook {group} ")
    assert "Error" not in ran.err


def test_stream_without_json_is_misuse(nook):
    ran = nook("ask", "contoso", "hello", "--stream")
    assert ran.code == 2
    assert "--stream needs --json" in ran.err


def test_home_as_an_option_goes_before_the_environment(nook, home, tmp_path):
    other = tmp_path / "other"
    nook("--home", str(other), "plugins", "disable", "text")
    assert (other / "config" / "config.toml").is_file()
    assert not (home / "config").exists()
