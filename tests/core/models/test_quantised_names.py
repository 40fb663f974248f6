"""A tag may end in its quantisation, and a name is found by its letters."""

from __future__ import annotations

import pytest

from inglenook.models.known import load_catalog
from inglenook.models.quantised_names import (
    nearest_names,
    same_quantisation,
    without_quantisation,
)
from inglenook.models.reference import parse_reference


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("phi4:mini-q4_k_m", [("phi4:mini", "q4_k_m")]),
        ("a:Q8_0", [("a:latest", "Q8_0")]),
        ("a:1b-instruct-fp16", [("a:1b-instruct", "fp16"), ("a:1b", "fp16")]),
        ("a:7b-iq3_xxs", [("a:7b", "iq3_xxs")]),
        ("a:1b", []),
        ("a", []),
        ("a:q-tip", []),
    ],
)
def test_the_quantisation_is_taken_from_the_tag(name: str, means: list[tuple[str, str]]) -> None:
    found = [(str(ref), kind) for ref, kind in without_quantisation(parse_reference(name))]
    assert found == means


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("smollm2:135m-q4_1", "smollm2:135m"),
        ("SmolLM2:Q4_1", "smollm2:135m"),
        ("qwen2.5-coder:0.5b-instruct-q4_K_M", "qwen2.5-coder:0.5b"),
        ("minilm:int8", "minilm:int8"),
        ("smollm2:135m-q8_0", None),
        ("qwen2.5-coder:0.5b-base-q4_K_M", None),
    ],
)
def test_the_catalog_knows_such_tags(name: str, found: str | None) -> None:
    known = load_catalog().find(parse_reference(name))
    assert (known.name if known else None) == found


def test_spellings_of_a_quantisation_are_one() -> None:
    assert same_quantisation("q4_K_M", "Q4_K_M")
    assert same_quantisation("fp16", "F16")
    assert not same_quantisation("q4_0", "q4_1")


@pytest.mark.parametrize(
    ("name", "near"),
    [("phi4:mini", ["phi4-mini:latest"]), ("smolm2", ["smollm2"]), ("zebra", []), ("::", [])],
)
def test_the_nearest_name_has_the_same_letters(name: str, near: list[str]) -> None:
    assert nearest_names(name, ["phi4-mini:latest", "smollm2"]) == near
