"""Writing a profile and reading it again gives the same profile."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inglenook.errors import ProfileError
from inglenook.profiles import (
    FileRule,
    PartChoice,
    Profile,
    RetrieveOptions,
    parse,
    validate,
    write,
)
from inglenook.profiles.frozen_mapping import FrozenMapping

PIECES = st.sampled_from(
    [
        '"',
        '"""',
        '""',
        "\n",
        "\r\n",
        "\r",
        " ",
        "\t",
        "a",
        "b c",
        "#",
        "# c",
        "'",
        "\\",
        "=",
        "\u200d",
        "\u00a0",
        "é",
        "שלום",
        "👩\u200d💻",
        "FROM x",
        "\nSYSTEM y\n",
        "k=v",
        "\u2028",
        "\x0b",
        "none",
    ]
)
TEXT = st.lists(PIECES, max_size=8).map("".join)
LINE = TEXT.map(lambda text: "".join(text.split("\n")).replace("\r", "").replace("\x0b", ""))
WORD = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


def read(text: str) -> Profile | None:
    return validate(parse(text))[0]


def parts(names=WORD):
    options = st.dictionaries(WORD, LINE, max_size=3).map(FrozenMapping)
    return st.builds(PartChoice, names, options)


RETRIEVE = st.fixed_dictionaries(
    {},
    optional={
        "top_k": st.integers(1, 50),
        "mode": st.sampled_from(["lexical", "vector", "hybrid"]),
        "knowledge": st.sampled_from(["auto", "retrieve", "inline"]),
        "min_score": st.floats(-1, 1).map(lambda number: number + 0.0),
    },
).map(lambda given: RetrieveOptions(**given, given=tuple(sorted(given))))
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 10).map(lambda number: number + 0.0),
        "seed": st.integers(-1, 2**32 - 1),
        "use_mmap": st.booleans(),
        "stop": st.lists(TEXT.filter(bool), min_size=1, max_size=3).map(tuple),
    },
).map(FrozenMapping)
PROFILES = st.builds(
    Profile,
    models=st.lists(LINE.filter(str.strip), min_size=1, max_size=2).map(tuple),
    runtime=st.none() | parts(),
    devices=st.permutations(["npu", "gpu", "cpu"]).map(tuple) | st.just(()),
    parameters=PARAMETERS,
    system=st.none() | TEXT,
    template=st.none() | TEXT,
    adapter=st.none() | st.just("./a b.gguf"),
    renderer=st.none() | TEXT,
    requires=st.none() | st.just("0.14.0"),
    licences=st.lists(TEXT, max_size=2).map(tuple),
    messages=st.lists(
        st.tuples(st.sampled_from(["system", "user", "assistant"]), TEXT), max_size=3
    ).map(tuple),
    files=st.lists(st.builds(FileRule, LINE.filter(str.strip), st.booleans()), max_size=3).map(
        tuple
    ),
    clear_files=st.booleans(),
    embedder=st.none() | parts(),
    filters=st.lists(parts(), max_size=2).map(tuple),
    retrieve=RETRIEVE,
)


@settings(max_examples=200, deadline=None)
@given(PROFILES)
def test_reading_what_was_written_gives_the_same_profile_or_writing_refuses(profile):
    try:
        text = write(profile)
    except ProfileError:
        return
    assert read(text) == profile


TOKENS = st.sampled_from(
    [
        *("FROM m\n", "SYSTEM ", "TEMPLATE ", "MESSAGE user ", "PARAMETER stop ", "FILE "),
        *("EMBEDDER e ", "FILTER x ", "RETRIEVE top_k=3\n", 'k="v w"', "k=v", "optional=true"),
        *("LICENSE ", "\0", 'FILE "a b" optional=true\n', "ADAPTER ", "DEVICE cpu\n", "FROM "),
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(TOKENS | PIECES, max_size=12).map("".join))
def test_whatever_can_be_read_can_be_written_and_read_again(text):
    profile = read(f"FROM m\n{text}")
    if profile is None:
        return
    written = write(profile)
    assert read(written) == profile
    assert write(read(written)) == written


@pytest.mark.parametrize(
    "text",
    [
        '"',
        '""',
        '"a"',
        'a"',
        '"""',
        "'",
        " a ",
        "a\nb",
        'a"\nb',
        "",
        "\n",
        "# x",
        "\u200d",
        "a\r\nb",
    ],
)
def test_texts_with_quotes_edges_and_newlines_survive(text):
    profile = Profile(models=("m",), system=text, messages=(("user", text),))
    assert read(write(profile)) == profile


@pytest.mark.parametrize("text", ['a"""\nb', 'a""" \nb', "\0"])
def test_refuses_the_texts_that_have_no_spelling(text):
    with pytest.raises(ProfileError, match="cannot be written"):
        write(Profile(models=("m",), system=text))


def test_the_form_for_ollama_holds_only_its_own_instructions():
    profile = read(
        "FROM m\nSYSTEM x\nFILE a\nEMBEDDER e\nRETRIEVE top_k=3\nFILTER f\nRUNTIME r\nDEVICE cpu\n"
    )
    text = write(profile, ollama=True)
    assert "# FILE a\n" in text
    names = {command.statement.instruction for command in parse(text).commands}
    assert names == {"from", "system"}


def test_an_inherited_file_is_written_with_its_folder():
    profile = Profile(models=("m",), files=(FileRule("a.txt", folder="/parent"),))
    assert "FILE /parent/a.txt\n" in write(profile)


def test_the_order_is_fixed():
    one = read("FILE b\nSYSTEM s\nPARAMETER top_k 1\nPARAMETER seed 2\nFROM m\n")
    assert write(one) == ("FROM m\nPARAMETER seed 2\nPARAMETER top_k 1\nSYSTEM s\nFILE b\n")
