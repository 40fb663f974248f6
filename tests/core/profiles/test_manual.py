"""The manual's page on the Assistantfile says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from inglenook.profiles import parse, validate
from inglenook.profiles.deviations import DEVIATIONS
from inglenook.profiles.lexer import INSTRUCTIONS
from inglenook.profiles.parameters import DEPRECATED, IGNORED, PARAMETERS

PAGE = (Path(__file__).parents[3] / "docs" / "assistantfile.md").read_text("utf-8")


def test_every_deviation_is_in_its_table():
    for deviation in DEVIATIONS:
        row = f"| `{deviation.name}` | {deviation.ollama} | {deviation.ours} | {deviation.reason} |"
        assert row in PAGE


def test_every_parameter_is_in_its_table_with_its_default():
    for spec in PARAMETERS.values():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{spec.name}` |"))
        shown = {None: "runtime", (): "none"}.get(spec.default, str(spec.default))
        assert row.split("|")[2].strip() == spec.type.__name__
        assert row.split("|")[3].strip() == shown


def test_every_instruction_and_outdated_parameter_is_named():
    for name in INSTRUCTIONS:
        assert f"`{name.upper()}`" in PAGE
    for name in (*DEPRECATED, *IGNORED):
        assert f"`{name}`" in PAGE


def test_its_example_is_valid():
    example = re.search(r"```\n(# Answers.*?)```", PAGE, re.DOTALL)
    assert example is not None
    profile, problems = validate(parse(example[1]))
    assert profile is not None
    assert problems == ()
