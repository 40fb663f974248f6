"""Opening a profile on disk, and the form for machines."""

from __future__ import annotations

import json
import os

import pytest

from inglenook.errors import ProfileError
from inglenook.profiles import load_profile
from inglenook.profiles.check import check_report, exit_code


def test_loads_a_file_or_its_folder(tmp_path):
    (tmp_path / "Modelfile").write_text("FROM old\n")
    assert load_profile(tmp_path).model == "old"
    (tmp_path / "Assistantfile").write_text("FROM m\n")
    assert load_profile(tmp_path).model == "m"
    assert load_profile(tmp_path / "Modelfile").model == "old"


def test_an_error_shows_file_line_column_and_what_is_allowed(tmp_path):
    file = tmp_path / "Assistantfile"
    file.write_text("FROM m\nPARAMETER temperature 99\n")
    with pytest.raises(ProfileError) as caught:
        load_profile(file)
    assert str(caught.value) == (
        f'{file}:2:23: temperature must be a number from 0 to 10, not "99".'
    )
    assert caught.value.problems[0].line == 2


def test_only_the_first_few_of_many_problems_are_shown(tmp_path):
    file = tmp_path / "Assistantfile"
    file.write_text("FROM m\n" + "FOO x\n" * 20)
    with pytest.raises(ProfileError) as caught:
        load_profile(file)
    assert len(caught.value.problems) == 20
    assert "15 more" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"FROM m\n" + b"#" * 1_000_001, "too large"),
        (b"FROM m\n\xff\xfe", "not UTF-8"),
        (b"\xff\xfeF", "not UTF-16"),
    ],
)
def test_what_is_no_profile_is_one_clear_error(tmp_path, content, said):
    file = tmp_path / "Assistantfile"
    file.write_bytes(content)
    with pytest.raises(ProfileError, match=said):
        load_profile(file)
    assert exit_code(check_report(file)) == 2


def test_a_missing_file_a_bare_folder_and_a_name_with_nul_are_clear_errors(tmp_path):
    with pytest.raises(ProfileError, match="There is no file"):
        load_profile(tmp_path / "nothing")
    with pytest.raises(ProfileError, match="holds no Assistantfile"):
        load_profile(tmp_path)
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(tmp_path / "a\0b")


def test_a_fifo_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "Assistantfile")
    with pytest.raises(ProfileError, match="not a regular file"):
        load_profile(tmp_path / "Assistantfile")


def test_the_report_of_a_good_file(tmp_path):
    file = tmp_path / "Assistantfile"
    file.write_text("FROM m\nMESSAGE user hi\nFILE a\nPARAMETER numa 1\n")
    report = check_report(file)
    assert json.loads(json.dumps(report)) == {
        "version": 1,
        "commands": [["model", "m"], ["message", "user: hi"], ["file", "a"], ["numa", "1"]],
        "problems": [
            {
                "line": 4,
                "column": 1,
                "severity": "warning",
                "message": "PARAMETER numa is outdated and has no effect.",
            }
        ],
    }
    assert exit_code(report) == 0


def test_the_report_of_broken_syntax_has_an_error_and_no_commands():
    report = check_report(b"FROM m\nFOO x\nPARAMETER top_k z\n")
    assert set(report) == {"version", "error", "problems"}
    assert [problem["line"] for problem in report["problems"]] == [2, 3]
    assert exit_code(report) == 2


def test_the_report_checks_names_where_they_are_given():
    report = check_report(b"FROM m\nEMBEDDER x\n", {"embedder": ["minilm"]})
    assert "Unknown embedder" in report["problems"][0]["message"]
    assert exit_code(check_report(b"FROM m\nEMBEDDER x\n")) == 0
