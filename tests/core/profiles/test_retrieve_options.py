"""RETRIEVE narrows an assistant for good: read, checked, inherited, written back."""

from __future__ import annotations

import pytest

from inglenook.profiles import write
from inglenook.profiles.parser import parse
from inglenook.profiles.validation import validate
from inglenook.types import Narrowing


def read(text: str):
    return validate(parse(text))


def test_paths_types_dates_and_sections_are_read() -> None:
    profile, problems = read(
        "FROM x\nRETRIEVE path=policies/**,notes.txt type=pdf,text/* since=2025-01\n"
        'RETRIEVE section="annual leave" until=2025-06-30\n'
    )

    assert () == problems
    assert profile is not None
    assert profile.retrieve.narrowing == Narrowing(
        paths=("policies/**", "notes.txt"),
        types=("pdf", "text/*"),
        since="2025-01",
        until="2025-06-30",
        sections=("annual leave",),
    )


def test_without_them_nothing_is_left_out() -> None:
    profile, _ = read("FROM x\nRETRIEVE top_k=3\n")

    assert profile is not None
    assert not profile.retrieve.narrowing


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RETRIEVE since=soon", "'soon' is no date"),
        ("RETRIEVE until=2025-02-30", "'2025-02-30' is no date"),
        ("RETRIEVE since=2025 until=2024", "until=2024 lies before since=2025"),
        ('RETRIEVE path=" "', "path needs a value: path=policies/**"),
        ("RETRIEVE paths=policies", 'RETRIEVE has no option "paths". Did you mean "path"?'),
    ],
)
def test_what_is_wrong_is_said_with_its_place(line: str, said: str) -> None:
    profile, problems = read(f"FROM x\n{line}\n")

    assert profile is None
    assert [2] == [problem.line for problem in problems]
    assert said in problems[0].message


def test_they_are_written_back_as_they_were_read() -> None:
    text = 'FROM x\nRETRIEVE path=a/**,b section="annual leave" since=2025\n'
    profile, _ = read(text)
    assert profile is not None

    again, _ = read(write(profile))

    assert again is not None
    assert profile.retrieve == again.retrieve


def test_each_is_inherited_until_it_is_stated_anew() -> None:
    parent, _ = read("FROM x\nRETRIEVE path=policies since=2024\n")
    child, _ = read("FROM parent\nRETRIEVE since=2025\n")
    assert parent is not None
    assert child is not None

    both = child.inherit(parent)

    assert Narrowing(paths=("policies",), since="2025") == both.retrieve.narrowing
