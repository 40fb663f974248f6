"""Whatever goes wrong is one clear message with an exit code, as JSON where JSON was asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def error_of(ran):
    assert ran.out, ran.err
    form = json.loads(ran.out)
    assert form["version"] == 1
    return form["error"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask", "contso", "hello"],
        ["run", "contso", "hello"],
        ["search", "contso", "hello"],
        ["ingest", "contso"],
        ["show", "contso"],
    ],
)
def test_an_unknown_name_is_misuse_with_a_suggestion(nook, arguments):
    ran = nook(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Error: There is no assistant and no model named 'contso'.")
    assert "Did you mean 'contoso'?" in ran.err


def test_the_same_error_as_json_is_on_stdout_alone(nook):
    ran = nook("ask", "contso", "hello", "--json")
    error = error_of(ran)
    assert (ran.code, ran.err) == (2, "")
    assert error["type"] == "UnknownNameError"
    assert "contso" in error["message"]
    assert "contoso" in error["hint"]


def test_a_wrong_option_beside_json_is_json_too(nook):
    ran = nook("list", "--json", "--bogus")
    assert ran.code == 2
    assert error_of(ran)["type"] == "UsageError"


def test_an_early_error_of_a_stream_is_its_one_and_last_line(nook):
    ran = nook("ask", "contso", "hello", "--json", "--stream")
    assert ran.code == 2
    line = json.loads(ran.out)
    assert (line["version"], line["type"], line["error"]) == (1, "failed", "UnknownNameError")
    assert line["details"] == {"exit_code": 2}


def test_a_missing_model_says_how_to_get_it_and_fetches_nothing(nook, home):
    ran = nook("ask", "contoso", "How long must a password be?")
    assert (ran.code, ran.out) == (3, "")
    assert "is not on this machine." in ran.err
    assert "nook pull " in ran.err
    assert not (home / "data" / "models").exists()


def test_create_with_a_missing_model_registers_nothing(nook, folder):
    assert nook("create", "office", "-f", str(folder)).code == 3
    listed = json.loads(nook("list", "--json").out)["assistants"]
    assert "office" not in [record["name"] for record in listed]


def test_a_truncated_model_is_named(nook, tmp_path):
    (tmp_path / "half.gguf").write_bytes(b"GGUF\x03\x00\x00\x00\xff")
    (tmp_path / "Assistantfile").write_text("FROM ./half.gguf\n")
    ran = nook("ask", "./Assistantfile", "hello")
    assert ran.code == 3
    assert "half.gguf" in ran.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("SYSTEM hello\n", "FROM"),
        ("FROM x\nFRUM y\n", "FRUM"),
        ("FROM x\nPARAMETER temperature hot\n", "temperature"),
        ("FROM x\nRUNTIME xlamacpp\n", "xllamacpp"),
    ],
)
def test_a_faulty_assistantfile_is_refused_by_name_and_line(nook, tmp_path, text, said):
    (tmp_path / "Assistantfile").write_text(text)
    ran = nook("create", "it")
    assert ran.code == 2
    assert "Assistantfile" in ran.err
    assert said in ran.err


def test_no_assistantfile_is_said_so(nook):
    ran = nook("create", "it")
    assert ran.code == 2
    assert "Assistantfile" in ran.err


def test_an_empty_question_is_misuse(nook):
    assert nook("ask", "contoso", stdin="  \n").code == 2
    assert nook("ask", "contoso", " ").code == 2


def test_a_question_that_is_no_text_is_misuse(nook):
    ran = nook("ask", "contoso", stdin=b"\xff\xfe\xfd")
    assert ran.code == 2
    assert "UTF-8" in ran.err


def test_what_comes_with_the_program_cannot_be_removed(nook):
    ran = nook("rm", "contoso")
    assert ran.code == 2
    assert "comes with the program" in ran.err


def test_removing_what_is_not_there_is_misuse(nook):
    ran = nook("rm", "nothing")
    assert ran.code == 2
    assert "There is no assistant and no model named 'nothing'" in ran.err


def test_allowing_needs_an_assistant_and_a_path_that_exist(nook, tmp_path):
    assert "no assistant named 'contso'" in nook("allow", "contso", str(tmp_path)).err
    ran = nook("allow", "contoso", str(tmp_path / "gone"))
    assert ran.code == 2
    assert "There is nothing at" in ran.err


def test_an_unknown_model_to_pull_gets_a_suggestion_and_no_contact(nook):
    ran = nook("pull", "smolm2:135m")
    assert ran.code == 3
    assert "Did you mean smollm2:135m?" in ran.err


def test_a_configuration_that_is_not_toml_is_named_and_the_doctor_still_works(nook, home):
    (home / "config").mkdir(parents=True)
    (home / "config" / "config.toml").write_text("plugins = [")
    ran = nook("list")
    assert ran.code == 2
    assert "config.toml" in ran.err
    assert nook("--help").code == 0
    checks = json.loads(nook("doctor", "--json").out)["checks"]
    assert checks[0]["name"] == "configuration"
    assert checks[0]["ok"] is False


def test_a_home_that_is_a_file_is_an_error_and_not_a_bug(nook, home, folder):
    home.write_text("not a folder")
    ran = nook("plugins", "disable", "text")
    assert ran.code == 3
    assert "cannot be written" in ran.err
    assert nook("doctor").code == 1


def test_a_full_disk_under_stdout_is_an_error(nook, environment):
    if not Path("/dev/full").exists():
        pytest.fail("this test needs /dev/full, as Linux has it")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "inglenook", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
        )
    assert done.returncode == 3
    assert b"Error: " in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_reader_that_goes_away_ends_it_quietly(environment):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "inglenook", "list"],
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_that_lacks_the_letters_crashes_nothing(nook, environment, encoding):
    environment["PYTHONIOENCODING"] = encoding
    assert nook("show", "hebrew").code == 0
    assert nook("show", "hebrew", "--system").code == 0
    form = json.loads(nook("show", "hebrew", "--json").out)
    assert "עיריית" in form["system"]


def test_the_c_locale_crashes_nothing(nook, environment):
    environment.pop("PYTHONIOENCODING", None)
    environment.update(LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert nook("show", "hebrew").code == 0
    assert nook("profile", "check", "/no/such/עברית").code == 2
