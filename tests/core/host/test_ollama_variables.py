"""Ollama's variables are read as Ollama's users write them, and a bad one is named."""

from __future__ import annotations

import pytest

from inglenook.errors import UserError
from inglenook.ollama_variables import (
    OllamaVariables,
    read_ollama_variables,
    variables_in_force,
)


def test_nothing_set_changes_nothing() -> None:
    assert read_ollama_variables({}) == OllamaVariables()
    assert read_ollama_variables({"OLLAMA_NUM_GPU": " ", "PATH": "x"}) == OllamaVariables()
    assert OllamaVariables().runtime_options == {}
    assert variables_in_force({"OLLAMA_DEBUG": "", "OLLAMA_HOST": "x"}) == ()


def test_all_are_read() -> None:
    found = read_ollama_variables(
        {
            "OLLAMA_CONTEXT_LENGTH": "8192",
            "OLLAMA_FLASH_ATTENTION": "1",
            "OLLAMA_KV_CACHE_TYPE": "Q8_0",
            "OLLAMA_GPU_LAYERS": "12",
            "OLLAMA_NUM_THREAD": " 4 ",
            "OLLAMA_NOPRUNE": "true",
            "OLLAMA_DEBUG": "2",
        }
    )
    assert found == OllamaVariables(8192, "on", "q8_0", 12, 4, no_prune=True, debug=True)
    assert found.runtime_options == {"flash_attention": "on", "kv_cache": "q8_0"}


def test_the_first_of_two_names_wins() -> None:
    both = {"OLLAMA_NUM_GPU": "-1", "OLLAMA_GPU_LAYERS": "7"}
    assert read_ollama_variables(both).gpu_layers == -1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OLLAMA_CONTEXT_LENGTH", "4k"),
        ("OLLAMA_CONTEXT_LENGTH", "-1"),
        ("OLLAMA_CONTEXT_LENGTH", "9" * 5000),
        ("OLLAMA_NUM_THREAD", "5000"),
        ("OLLAMA_NUM_GPU", "½"),
        ("OLLAMA_NUM_GPU", "--1"),
        ("OLLAMA_FLASH_ATTENTION", "auto"),
        ("OLLAMA_KV_CACHE_TYPE", "q4"),
        ("OLLAMA_NOPRUNE", "2"),
        ("OLLAMA_DEBUG", "loud"),
    ],
)
def test_a_bad_one_is_named(name: str, value: str) -> None:
    with pytest.raises(UserError, match=f"The environment variable {name} is") as error:
        read_ollama_variables({name: value})
    assert "unset it" in error.value.hint
    assert len(str(error.value)) < 300


def test_what_excludes_each_other_is_told() -> None:
    with pytest.raises(UserError, match="needs flash attention"):
        read_ollama_variables({"OLLAMA_KV_CACHE_TYPE": "q4_0", "OLLAMA_FLASH_ATTENTION": "false"})
