"""`nook profile check` and `nook profile format`, for people and for machines."""

from __future__ import annotations

import json

import pytest

from inglenook.profiles import parse, validate

FILE = "from  x\nparameter  temperature   0.5\nSYSTEM hello\nFILE ./a.txt\nMESSAGE user hi\n"


def test_a_good_file_has_its_commands_and_no_problems(nook, tmp_path):
    (tmp_path / "Assistantfile").write_text(FILE)
    ran = nook("profile", "check", "Assistantfile", "--json")
    assert ran.code == 0
    assert json.loads(ran.out) == {
        "version": 1,
        "commands": [
            ["model", "x"],
            ["temperature", "0.5"],
            ["system", "hello"],
            ["file", "./a.txt"],
            ["message", "user: hi"],
        ],
        "problems": [],
    }


def test_a_bad_value_has_its_place_and_the_exit_code_is_2(nook, tmp_path):
    (tmp_path / "Modelfile").write_text("FROM x\n\nPARAMETER temperature hot\n")
    ran = nook("profile", "check", "Modelfile", "--json")
    report = json.loads(ran.out)
    assert ran.code == 2
    assert "commands" in report
    (problem,) = report["problems"]
    assert (problem["line"], problem["severity"]) == (3, "error")
    assert set(problem) == {"line", "column", "severity", "message"}
    shown = nook("profile", "check", "Modelfile")
    assert shown.code == 2
    assert shown.out.startswith("Modelfile:3:")


def test_broken_syntax_is_an_error_instead_of_commands(nook):
    ran = nook("profile", "check", "-", "--json", stdin='FROM x\nSYSTEM """never closed\n')
    report = json.loads(ran.out)
    assert ran.code == 2
    assert report["error"]
    assert "commands" not in report


def test_a_file_that_is_not_there_is_a_problem_like_any_other(nook):
    ran = nook("profile", "check", "gone", "--json")
    assert ran.code == 2
    assert "gone" in json.loads(ran.out)["error"]


def test_names_of_parts_are_checked_against_what_is_installed(nook):
    text = "FROM x\nFILTER marcup\n"
    ran = nook("profile", "check", "-", stdin=text)
    assert ran.code == 2
    assert "markup" in ran.out


def test_format_writes_the_same_profile_in_canonical_form(nook, tmp_path):
    (tmp_path / "Assistantfile").write_text(FILE)
    ran = nook("profile", "format", "Assistantfile")
    assert ran.code == 0
    assert "FROM x\nPARAMETER temperature 0.5\nSYSTEM hello\n" in ran.out
    assert validate(parse(ran.out))[0] == validate(parse(FILE))[0]
    assert nook("profile", "format", "-", stdin=ran.out).out == ran.out


def test_format_for_ollama_comments_out_what_is_ours(nook):
    assert "# FILE ./a.txt" in nook("profile", "format", "-", "--ollama", stdin=FILE).out


@pytest.mark.parametrize("text", ["", "FRUM x\n"])
def test_format_refuses_what_is_no_profile(nook, text):
    ran = nook("profile", "format", "-", stdin=text)
    assert (ran.code, ran.out) == (2, "")
