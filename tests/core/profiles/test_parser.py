"""The parser against Ollama's own outcomes, and each deliberate deviation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.profiles.check import check_report, exit_code
from inglenook.profiles.deviations import DEVIATIONS
from inglenook.profiles.parser import parse

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text("utf-8"))["cases"]


def commands(source: str | bytes) -> list[list[str]] | None:
    """The commands as [name, args], None for a syntax error."""
    parsed = parse(source)
    return None if parsed.failed else [[c.name, c.args] for c in parsed.commands]


def visible(text: str) -> str:
    """What is left when the characters that Ollama drops are dropped."""
    return "".join(char for char in text if char.isprintable() or char in " \t\r\n")


def differs_on_purpose(case: dict[str, object]) -> bool:
    """Whether a vector shows one of the deviations in syntax."""
    text = str(case["input"])
    return (
        "\nFILE " in text  # extensions
        or "PARAMETER  a 1" in text  # blanks
        or visible(text) != text  # characters
    )


def test_gives_what_ollama_gives_for_every_vector_without_a_listed_deviation():
    ordinary = [case for case in VECTORS if not differs_on_purpose(case)]
    wrong = [c for c in ordinary if commands(c["input"].encode()) != c.get("commands")]
    assert wrong == []
    assert len(ordinary) > 1280


def test_differs_from_ollama_only_in_the_invisible_characters_that_it_drops():
    cases = [case for case in VECTORS if visible(case["input"]) != case["input"]]
    for case in cases:
        ours = commands(case["input"].encode())
        theirs = case.get("commands")
        assert (ours is None) == (theirs is None), case
        if ours is not None:
            assert [[name, visible(args)] for name, args in ours] == theirs
    assert len(cases) > 80


def test_every_deviation_has_a_test_here():
    tested = {
        name.removeprefix("test_deviation_") for name in globals() if name.startswith("test_dev")
    }
    assert {deviation.name.replace("-", "_") for deviation in DEVIATIONS} == tested


def test_deviation_extensions():
    assert commands("FROM m\nFILE a.txt\nRETRIEVE top_k=3\n") == [
        ["model", "m"],
        ["file", "a.txt"],
        ["retrieve", "top_k=3"],
    ]


def test_deviation_quoted_word():
    assert commands('FROM m\nFILE "a b.txt" optional=true') == [
        ["model", "m"],
        ["file", '"a b.txt" optional=true'],
    ]


def test_deviation_blanks():
    assert commands("FROM m\nPARAMETER \t temperature   1\nMESSAGE  user  hi\n") == [
        ["model", "m"],
        ["temperature", "1"],
        ["message", "user: hi"],
    ]


@pytest.mark.parametrize(
    "text", ["x\u200dy\u00a0z\u200f!", "👩\u200d💻", "می\u200cخواهم", "\u200eabc", "a\u202fb\x0bc"]
)
def test_deviation_characters(text):
    assert commands(f'FROM m\nSYSTEM {text}\nLICENSE "{text}"\n') == [
        ["model", "m"],
        ["system", text],
        ["license", text],
    ]
    assert commands("FROM m\nSYSTEM a\0b") == [["model", "m"], ["system", "ab"]]


def test_deviation_invalid_text():
    (problem,) = parse(b"FROM m\nSYSTEM \xff\n").problems
    assert (problem.line, problem.severity) == (2, "error")
    assert "UTF-8" in problem.message


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_deviation_line_numbers(newline):
    (problem,) = parse(newline.join(["FROM m", "# c", "", "SYSTEM", "LICENSE x"])).problems
    assert (problem.line, problem.column) == (4, 1)


def test_deviation_all_problems():
    problems = parse("FROM m\nSYTEM x\nMESSAGE usr x\nPARAMETER top-k 1\nSYSTEM ok\n").problems
    assert [(problem.line, problem.column) for problem in problems] == [(2, 1), (3, 9), (4, 14)]
    assert 'Did you mean "SYSTEM"?' in problems[0].message
    assert 'Did you mean "user"?' in problems[1].message


@pytest.mark.parametrize("source", ["FROM ", 'FROM ""', "FROM m\nfrom\t\n"])
def test_deviation_empty_from(source):
    report = check_report(source.encode())
    assert "commands" in report
    assert exit_code(report) == 2


def test_deviation_clearing_system():
    from inglenook.profiles import Profile, validate

    child, _ = validate(parse('FROM base\nSYSTEM ""\n'))
    assert child is not None
    assert child.inherit(Profile(models=("m",), system="You are loud.")).system == ""


@pytest.mark.parametrize("name", ["system", "model", "template"])
def test_deviation_parameter_is_no_instruction(name):
    report = check_report(f"FROM m\nPARAMETER {name} x".encode())
    assert report["commands"] == [["model", "m"], [name, "x"]]
    assert "Unknown parameter" in report["problems"][0]["message"]


@pytest.mark.parametrize("line", ["top_p NaN", "temperature inf", "top_k -1", "num_ctx 1e3"])
def test_deviation_ranges(line):
    report = check_report(f"FROM m\nPARAMETER {line}".encode())
    assert "commands" in report
    assert exit_code(report) == 2


@pytest.mark.parametrize("line", ["numa true", "num_gqa 8", "tfs_z 1", "context_length 4096"])
def test_deviation_outdated_parameters(line):
    report = check_report(f"FROM m\nPARAMETER {line}".encode())
    assert [problem["severity"] for problem in report["problems"]] == ["warning"]
    assert exit_code(report) == 0


@pytest.mark.parametrize("line", ["FROM m # mine", "EMBEDDER minilm # fast", "FILE a.txt # x"])
def test_deviation_comments_behind_values(line):
    report = check_report(f"FROM m\n{line}".encode())
    assert "commands" in report
    assert "line of its own" in report["problems"][0]["message"]


def test_deviation_template_form():
    source = "FROM m\nTEMPLATE {{ range .Messages }}{{ .Content }}{{ end }}"
    report = check_report(source.encode())
    assert report["commands"][1][0] == "template"
    assert "range" in report["problems"][0]["message"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_reads_every_encoding_that_a_byte_order_mark_names(encoding):
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    source = marks.get(encoding, b"") + "FROM m\nSYSTEM שלום\n".encode(encoding)
    assert commands(source) == [["model", "m"], ["system", "שלום"]]


def test_says_where_a_quote_was_opened_that_is_never_closed():
    (problem,) = parse('FROM m\nSYSTEM """a\nb\n').problems
    assert (problem.line, problem.column) == (2, 8)
    assert "never closed" in problem.message


def test_goes_on_behind_the_quoted_text_of_an_unknown_instruction():
    problems = parse('FROM m\nSYTEM """a\nb\nc"""\nFOO x\n').problems
    assert [problem.line for problem in problems] == [2, 5]


def test_an_empty_file_is_an_error_of_its_own():
    assert "empty" in parse("").problems[0].message
    assert "FROM" in parse("SYSTEM x").problems[0].message


@given(st.binary(max_size=200))
def test_never_raises_for_any_bytes(source):
    parsed = parse(source)
    assert parsed.failed or any(command.name == "model" for command in parsed.commands)


def test_a_megabyte_of_open_quote_takes_no_time():
    lines = '"""' + "\n" * 300_000 + '"a"" b\n' * 100_000
    assert parse(f"FROM m\nSYSTEM {lines}").failed


def test_messages_hold_no_control_characters():
    for problem in parse("FROM m\n\x1b[31mX y\nMESSAGE us\x1b x\nPARAMETER a\x07 1").problems:
        assert problem.message.isprintable()
