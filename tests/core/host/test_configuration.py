"""Folders, the configuration file and the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from inglenook.assistants.reading_settings import reading_limits
from inglenook.configuration import change_configuration, find_paths, load_settings
from inglenook.errors import StoreError, UserError


def write(home: Path, text: str) -> None:
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config" / "config.toml").write_text(text, "utf-8")


def test_inglenook_home_moves_all_three_folders(tmp_path: Path) -> None:
    paths = find_paths({"INGLENOOK_HOME": str(tmp_path)})

    expected = (tmp_path / "config", tmp_path / "data", tmp_path / "cache")
    assert expected == (paths.config, paths.data, paths.cache)


def test_without_a_home_the_platform_says_where() -> None:
    paths = find_paths({})

    assert all("inglenook" in str(p) for p in (paths.config, paths.data, paths.cache))


def test_no_file_means_defaults(tmp_path: Path) -> None:
    settings = load_settings({}, home=tmp_path)

    assert settings.plugins.enabled
    assert "open" == settings.plugins.policy
    assert {} == settings.grants


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, '[plugins]\ndisabled = ["chroma"]\n')

    settings = load_settings(
        {"INGLENOOK_PLUGINS": "text, pypdf", "INGLENOOK_STRICT_PLUGINS": "1"}, home=tmp_path
    )

    assert ("text", "pypdf") == settings.plugins.only
    assert ("chroma",) == settings.plugins.disabled
    assert settings.plugins.strict


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not toml at all [", "not valid TOML"),
        ('[plugins]\npolicy = "trusting"', "`open` or `pinned`"),
        ("plugins = 3", "must be a table"),
        ('[plugins]\ndisabled = "chroma"', "list of texts"),
        ("[grants]\nx = [1]", "list of texts"),
    ],
)
def test_a_wrong_file_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, text)

    with pytest.raises(UserError, match=said) as caught:
        load_settings({}, home=tmp_path)

    assert "config.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            "# mine\n\n[readin]\ndepth = 2\n",
            3,
            ("unknown table 'readin'", "Did you mean 'reading'?"),
        ),
        ('[plugins]\npolcy = "pinned"\n', 2, ("has no key 'polcy'", "Did you mean 'policy'?")),
        ('[models]\n"source" = ["pip"]\n', 2, ("has no key 'source'", "Did you mean 'sources'?")),
        ("plugins.disbled = []\n", 1, ("has no key 'disbled'", "Did you mean 'disabled'?")),
        (
            "colour = 3\n",
            1,
            ("unknown key 'colour'", "It can be: plugins, models, grants, reading."),
        ),
        ("[plugins.pins]\n[weather]\n", 2, ("unknown table", "It can be")),
    ],
)
def test_what_nothing_reads_is_an_error_at_its_line(
    tmp_path: Path, text: str, line: int, said: tuple[str, ...]
) -> None:
    write(tmp_path, text)

    with pytest.raises(UserError) as caught:
        load_settings({}, home=tmp_path)

    assert f"config.toml:{line}: " in str(caught.value)
    assert all(part in str(caught.value) for part in said), str(caught.value)


def test_every_key_that_is_documented_may_stand_in_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        '\ufeff[plugins]\ndisabled = []\npolicy = "open"\n[plugins.pins.other]\nversion = "1"\n'
        '[models]\nsources = ["pip"]\n[grants]\n"/any/path" = ["/another"]\n[reading]\ndepth = 2\n',
    )

    assert {"depth": 2} == load_settings({}, home=tmp_path).extra["reading"]


@pytest.mark.parametrize(
    ("key", "said"),
    [("dept = 2", "Did you mean 'depth'?"), ('depth = "deep"', "not a whole number")],
)
def test_a_wrong_limit_of_reading_is_told_at_its_line(tmp_path: Path, key: str, said: str) -> None:
    write(tmp_path, f"[reading]\nmembers = 20\n{key}\n")

    with pytest.raises(UserError) as caught:
        reading_limits(load_settings({}, home=tmp_path))

    assert "config.toml:3: " in str(caught.value)
    assert said in str(caught.value)


def test_the_line_is_told_of_a_file_with_a_byte_order_mark_too(tmp_path: Path) -> None:
    write(tmp_path, '\ufeff[reading]\nmembers = "many"\n')

    with pytest.raises(UserError) as caught:
        reading_limits(load_settings({}, home=tmp_path))

    assert "config.toml:2: " in str(caught.value)


def test_a_change_keeps_comments_and_everything_else(tmp_path: Path) -> None:
    write(tmp_path, '# mine\n[plugins]\npolicy = "open" # why\n')
    paths = find_paths({}, tmp_path)

    def add(document: Any) -> None:
        document["plugins"]["disabled"] = ["chroma"]

    change_configuration(paths, add)

    text = paths.config_file.read_text("utf-8")
    assert "# mine" in text
    assert "# why" in text
    assert ("chroma",) == load_settings({}, home=tmp_path).plugins.disabled


def test_a_change_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, '[plugins]\npolicy = "open"\n')
    paths = find_paths({}, tmp_path)

    def fail(document: Any) -> None:
        document["plugins"]["policy"] = "pinned"
        raise UserError("no")

    with pytest.raises(UserError):
        change_configuration(paths, fail)

    assert '[plugins]\npolicy = "open"\n' == paths.config_file.read_text("utf-8")


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")

    with pytest.raises(StoreError, match="cannot be written"):
        change_configuration(find_paths({}, blocker), lambda document: None)


def test_telemetry_switches_are_set_but_the_users_own_choice_stands() -> None:
    from inglenook.privacy import SWITCHES, imported_too_early, silence_telemetry

    environment = {"HF_HUB_OFFLINE": "0"}
    silence_telemetry(environment)

    assert "0" == environment.pop("HF_HUB_OFFLINE")
    assert {k: v for k, v in SWITCHES.items() if k != "HF_HUB_OFFLINE"} == environment
    assert () == imported_too_early(environment)
    assert os.environ is not environment
