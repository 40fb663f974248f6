"""Model references are read as Ollama reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.errors import UserError
from inglenook.models.reference import parse_reference


@pytest.mark.parametrize(
    ("written", "full", "short"),
    [
        ("smollm2", "registry.ollama.ai/library/smollm2:latest", "smollm2:latest"),
        ("smollm2:135m", "registry.ollama.ai/library/smollm2:135m", "smollm2:135m"),
        ("me/model", "registry.ollama.ai/me/model:latest", "me/model:latest"),
        ("hf.co/me/model.v2:Q4_K_M", "hf.co/me/model.v2:Q4_K_M", "hf.co/me/model.v2:Q4_K_M"),
        ("https://hf.co/me/m", "hf.co/me/m:latest", "hf.co/me/m:latest"),
        ("localhost:5000/a/b:c", "localhost:5000/a/b:c", "localhost:5000/a/b:c"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest", "localhost:5000/a/b:latest"),
        ("registry.ollama.ai/library/x:1", "registry.ollama.ai/library/x:1", "x:1"),
        ("_x", "registry.ollama.ai/library/_x:latest", "_x:latest"),
    ],
)
def test_defaults_fill_what_is_not_said(written: str, full: str, short: str) -> None:
    reference = parse_reference(written)
    assert (reference.full, str(reference)) == (full, short)


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("", "its model is empty"),
        ("model:", "its tag is empty"),
        ("a/", "its model is empty"),
        ("/a", "its namespace is empty"),
        ("../etc/passwd", "its host begins with '.'"),
        ("a/../b", "its namespace begins with '.'"),
        ("./model.gguf", "its namespace begins with '.'"),
        ("my.name/model", "its namespace contains '.'"),
        ("mo del", "its model contains ' '"),
        ("model:tag\n2", "its tag contains '\\n'"),
        ("mödel", "its model contains 'ö'"),
        ("m" * 81, "its model has 81 characters; 80 are allowed"),
        ("h" * 351 + "/a/b", "its host has 351 characters; 350 are allowed"),
        ("a/b/c/d", "its host contains '/'"),
    ],
)
def test_a_bad_reference_is_refused_with_the_part_that_is_wrong(written: str, wrong: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_reference(written)
    assert wrong in caught.value.message
    assert "[host/][namespace/]model[:tag]" in caught.value.hint


def test_references_that_differ_in_case_only_have_one_key() -> None:
    assert parse_reference("HF.co/Me/Model:Q4").key == parse_reference("hf.co/me/model:q4").key


def test_a_tag_that_was_not_written_is_known_as_such() -> None:
    assert not parse_reference("model").tag_given
    assert parse_reference("model:latest").tag_given


NAME = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", fullmatch=True)
SPACE = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", fullmatch=True)


@given(NAME, SPACE, NAME, NAME)
def test_the_short_form_means_the_same_as_the_full_one(
    host: str, namespace: str, model: str, tag: str
) -> None:
    reference = parse_reference(f"{host}/{namespace}/{model}:{tag}")
    assert parse_reference(str(reference)).key == reference.key


@given(st.text(max_size=60))
def test_any_text_is_either_a_reference_or_a_user_error(written: str) -> None:
    try:
        reference = parse_reference(written)
    except UserError:
        return
    assert all(part not in ("", ".", "..") and "/" not in part for part in reference.parts)
