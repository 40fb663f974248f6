"""A JSON configuration becomes a profile, or one error that names the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inglenook.errors import ProfileError
from inglenook.profiles import Profile, write
from inglenook.profiles.json_configuration import read_json_profile
from inglenook.profiles.parser import parse
from inglenook.profiles.validation import validate


def read(tmp_path: Path, content: Any) -> Profile:
    path = tmp_path / "bot.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return read_json_profile(path).profile


def test_every_key_has_its_instruction(tmp_path: Path) -> None:
    profile = read(
        tmp_path,
        {
            "model": {"id": "phi4:mini", "quantization": "q4_k_m", "devices": ["NPU", "cpu"]},
            "system_message": "Be kind.",
            "maxTokens": 100,
            "options": {"context_length": 4096.0, "use_mmap": False, "stop": ["a", "b"]},
            "documents": ["a.txt", {"path": "b/*.pdf"}],
            "embedding_model": {"name": "e5"},
            "rag": {"k": 4, "score_threshold": 0.5},
            "examples": [{"role": "user", "content": "Hi"}],
            "template": "{{ .Prompt }}",
            "licence": "MIT",
        },
    )
    text = write(profile)
    again, problems = validate(parse(text.encode()))
    assert again == profile, problems
    for line in (
        "FROM phi4:mini-q4_k_m",
        "DEVICE npu,cpu",
        "PARAMETER num_predict 100",
        "PARAMETER num_ctx 4096",
        "PARAMETER use_mmap false",
        "PARAMETER stop a",
        "PARAMETER stop b",
        "FILE a.txt",
        "FILE b/*.pdf",
        "EMBEDDER e5",
        "RETRIEVE min_score=0.5 top_k=4",
        "MESSAGE user Hi",
        "SYSTEM Be kind.",
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize("key", ["max_tokens", "maxTokens", "max-tokens", "MAX_TOKENS"])
def test_a_key_is_understood_in_every_spelling(tmp_path: Path, key: str) -> None:
    assert read(tmp_path, {"model": "m", key: 5}).parameters["num_predict"] == 5


def test_an_object_around_it_is_looked_through(tmp_path: Path) -> None:
    assert read(tmp_path, {"version": 2, "assistant": {"model": "m"}}).models == ("m",)


def test_null_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, {"model": "m", "system": None, "device": "auto"}) == Profile(("m",))


@pytest.mark.parametrize(
    ("content", "said", "hint"),
    [
        ("", "is not JSON", ""),
        ("[" * 100_000, "is not JSON", ""),
        ("[]", "no JSON object", ""),
        ({}, "names no model", ""),
        ({"model": 3}, "'model' must be a text", ""),
        ({"model": {}}, "'model' names no model", ""),
        ({"model": "m", "systemPrompts": "x"}, "'systemPrompts' is not", "'system_prompt'"),
        ({"model": "m", "parameters": {"temprature": 1}}, "'parameters.temprature'", "temperature"),
        ({"model": "m", "parameters": {"temperature": 11}}, "from 0 to 10", ""),
        ({"model": "m", "parameters": {"top_k": "many"}}, "top_k must be", ""),
        ({"model": "m", "parameters": [1]}, "'parameters' must be an object", ""),
        ({"model": "m", "max_tokens": 1, "num_predict": 2}, "say the same|said twice", ""),
        ({"model": "m", "system": "x", "instructions": "y"}, "say the same", ""),
        ({"model": "m", "auth": {"token": "t"}}, "'auth' is not understood", ""),
        ({"model": "m", "client_secret": "t"}, "is a credential", "Remove it"),
        ({"model": {"name": "m", "apiKey": "t"}}, "'model.apiKey' is a credential", "Remove it"),
        ({"model": "m", "device": "tpu"}, "names 'tpu'", "npu, gpu, cpu"),
        ({"model": "m", "files": ["a\nFROM b"]}, "on one line", ""),
        ({"model": "m", "files": [7]}, "must be a text", ""),
        ({"model": "m", "system": "a\0b"}, "NUL", ""),
        ({"model": "m", "rag": {"top_k": 0}}, "from 1 to 50", ""),
        ({"model": "m", "rag": {"mode": "magic"}}, "must be one of", ""),
        ({"model": "m", "messages": [{"role": "robot", "content": "x"}]}, "role and content", ""),
        ({"model": "m", "embedder": {}}, "names no model", ""),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: Any, said: str, hint: str) -> None:
    with pytest.raises(ProfileError, match=said) as error:
        read(tmp_path, content)
    assert str(tmp_path / "bot.json") in error.value.message
    assert hint in error.value.hint
    assert len(str(error.value).splitlines()) <= 2


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="no file"):
        read_json_profile(tmp_path / "none.json")
    with pytest.raises(ProfileError, match="cannot be read"):
        read_json_profile(tmp_path)
