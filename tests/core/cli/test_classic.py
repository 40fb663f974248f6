"""What fingers from Ollama and Foundry Local type does what one of our commands does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BOT = {
    "$schema": "https://example.invalid/assistant.json",
    "version": "1.0",
    "name": "Corporate Bot",
    "model": {"name": "smollm2:135m", "quantization": "q4_1", "device": "auto"},
    "systemPrompt": ["Answer briefly.", "Be kind."],
    "parameters": {"temperature": 0, "maxTokens": 20, "seed": 1, "stop": ["END"]},
    "knowledge": {"files": ["./papers/*.txt"]},
    "retrieval": {"top_k": 3, "mode": "lexical"},
}


@pytest.fixture
def home(assistant_home: Path) -> Path:
    """A home with the models of the tests."""
    return assistant_home


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "a.txt").write_text("The office in Utrecht opens at nine.\n")
    path = tmp_path / "bot.json"
    path.write_text(json.dumps(BOT))
    return path


def names(ran) -> list[str]:
    assert ran.code == 0, ran.err
    return [model["name"] for model in json.loads(ran.out)["models"]]


class TestListing:
    def test_everything_that_is_here_or_known_is_listed(self, nook):
        found = names(nook("models", "list", "--json"))
        assert {"smollm2:135m", "qwen2.5-coder:0.5b", "minilm:int8", "e5:q4"} <= set(found)

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            (("--type", "code"), ["qwen2.5-coder:0.5b"]),
            (("--type", "CHAT", "--size", "small"), ["qwen2.5-coder:0.5b", "smollm2:135m"]),
            (("--size", "large"), []),
            (("--device", "npu"), []),
            (("--format", "onnx"), ["minilm:int8"]),
            (("--filter", "task=embedding", "--filter", "alias=e5"), ["e5:q4"]),
            (("--filter", "device=gpu", "--type", "code"), ["qwen2.5-coder:0.5b"]),
        ],
    )
    def test_the_list_is_narrowed(self, nook, asked, found):
        assert names(nook("models", "list", "--json", *asked)) == found

    @pytest.mark.parametrize("word", ["model", "models"])
    def test_the_list_says_what_is_here(self, nook, word):
        ran = nook(word, "ls")
        assert ran.code == 0
        assert "smollm2:135m" in ran.out
        assert "here" in ran.out

    @pytest.mark.parametrize(
        "wrong",
        [
            ("--size", "tiny"),
            ("--filter", "colour=red"),
            ("--filter", "device"),
            ("--filter", "task=cooking"),
        ],
    )
    def test_what_cannot_be_asked_is_one_error(self, nook, wrong):
        ran = nook("models", "list", *wrong)
        assert ran.code == 2
        assert len(ran.err.splitlines()) == 2

    def test_an_empty_home_names_the_command_that_fetches(self, nook, tmp_path, environment):
        environment["INGLENOOK_HOME"] = str(tmp_path / "new")
        assert "nook pull smollm2:135m" in nook("models", "list", "--type", "chat").out
        assert nook("cache", "list").out == "No models.\n"


class TestModels:
    def test_info_is_show(self, nook):
        shown = json.loads(nook("show", "smollm2", "--json").out)
        assert json.loads(nook("model", "info", "smollm2", "-o", "json").out) == shown
        assert nook("models", "info", "smollm2", "--license").out == "Apache-2.0\n"

    def test_verbose_shows_the_header(self, nook):
        ran = nook("show", "smollm2", "-v")
        assert ran.code == 0
        assert "llama.block_count" in ran.out
        assert "llama.block_count" not in nook("show", "smollm2").out

    @pytest.mark.parametrize("word", ["pull", "download"])
    def test_pull_and_download_are_one(self, nook, word):
        ran = nook("model", word, "smollm2:135M-Q4_1")
        assert ran.code == 0
        assert "smollm2:135m is already here" in ran.out + ran.err

    def test_a_model_is_tested(self, nook):
        ran = nook("models", "test", "smollm2:135m", "--json")
        assert ran.code == 0, ran.err
        assert "smollm2:135m" in ran.out

    def test_a_model_is_loaded_once(self, nook):
        ran = nook("model", "load", "smollm2:135m")
        assert ran.code == 0, ran.err
        assert "can be loaded" in ran.out

    def test_what_is_not_loaded_cannot_be_unloaded(self, nook):
        assert nook("model", "unload", "smollm2:135m").code == 2

    def test_cache_says_where_and_removes(self, nook, home):
        assert nook("cache", "location").out == f"{home / 'data' / 'models'}\n"
        assert nook("cache", "remove", "minilm:int8").code == 0
        assert "minilm:int8" not in nook("cache", "list").out
        assert "INGLENOOK_HOME=/elsewhere" in nook("cache", "cd", "/elsewhere").err


class TestQuantisedTags:
    @pytest.mark.parametrize(
        "name", ["smollm2:q4_1", "SMOLLM2:135m-Q4_1", "smollm2:135m-instruct-q4_1"]
    )
    def test_the_quantisation_may_be_named(self, nook, name):
        assert "smollm2:135m" in nook("show", name).out

    def test_another_quantisation_is_not_here(self, nook):
        ran = nook("show", "smollm2:135m-q8_0")
        assert ran.code == 2
        assert "smollm2:135m" in ran.err


class TestHelp:
    def test_the_help_does_not_list_what_is_understood_besides(self, nook):
        listed = nook("--help").out
        assert "deploy" not in listed
        assert "cache" not in listed

    def test_help_shows_a_command_and_the_aliases(self, nook):
        assert nook("help").out == nook("--help").out
        assert "--size" in nook("help", "models", "list").out
        assert "nook models test NAME --benchmark" in nook("help", "aliases").out
        assert nook("help", "nothing").code == 2


class TestInit:
    def test_what_it_writes_is_an_assistantfile(self, nook, tmp_path):
        assert nook("init", "new").code == 0
        assert nook("profile", "check", "new").code == 0
        assert [p.name for p in (tmp_path / "new").iterdir()] == ["Assistantfile"]

    @pytest.mark.parametrize("name", ["Assistantfile", "Modelfile"])
    def test_it_replaces_nothing(self, nook, tmp_path, name):
        (tmp_path / name).write_text("FROM mine\n")
        ran = nook("init")
        assert ran.code == 2
        assert f"nook create NAME -f {name}" in ran.err
        assert (tmp_path / name).read_text() == "FROM mine\n"

    def test_what_it_cannot_do_is_one_error(self, nook, tmp_path):
        (tmp_path / "file").write_text("")
        assert "not a folder" in nook("init", "file").err
        assert "not a model reference" in nook("init", "x", "--model", "a\nb").err
        assert nook("init", "file/below").code == 3
        assert not (tmp_path / "x").exists()


class TestDeploy:
    def test_a_configuration_becomes_an_assistant(self, nook, bot):
        ran = nook("deploy", "--config", str(bot))
        assert ran.code == 0, ran.err
        asked = nook("ask", "corporate-bot", "When does the office open?")
        assert "nine" in asked.out
        text = bot.with_suffix(".Assistantfile").read_text()
        assert "FROM smollm2:135m-q4_1" in text
        assert "PARAMETER num_predict 20" in text
        assert nook("deploy", "--config", str(bot), "--name", "twin").code == 0

    def test_it_replaces_no_other_file_unless_told(self, nook, bot):
        path = bot.with_suffix(".Assistantfile")
        path.write_text("FROM mine\n")
        ran = nook("deploy", "--config", str(bot))
        assert ran.code == 2
        assert "--force" in ran.err
        assert path.read_text() == "FROM mine\n"
        assert nook("deploy", "--config", str(bot), "--force").code == 0

    def test_a_credential_is_refused_and_kept_nowhere(self, nook, bot, home):
        bot.write_text(json.dumps({**BOT, "apiKey": "hush-hush"}))
        ran = nook("deploy", "--config", str(bot))
        assert ran.code == 2
        assert "'apiKey' is a credential" in ran.err
        assert "hush-hush" not in ran.err
        assert not bot.with_suffix(".Assistantfile").exists()

    def test_a_place_that_cannot_be_written_is_told(self, nook, bot):
        bot.with_suffix(".Assistantfile").mkdir()
        ran = nook("deploy", "--config", str(bot), "--force")
        assert ran.code in (2, 3)
        assert len(ran.err.splitlines()) <= 2


class TestVariables:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("OLLAMA_CONTEXT_LENGTH", "many"),
            ("OLLAMA_FLASH_ATTENTION", "perhaps"),
            ("OLLAMA_KV_CACHE_TYPE", "q3"),
            ("OLLAMA_NUM_GPU", "-2"),
        ],
    )
    def test_a_bad_one_is_named(self, nook, environment, name, value):
        environment[name] = value
        ran = nook("ask", "smollm2:135m", "Hi")
        assert ran.code == 2
        assert ran.err.startswith(f"Error: The environment variable {name} is '{value}'.")
        assert len(ran.err.splitlines()) == 2
        assert nook("list").code == 0

    def test_they_are_heeded_and_the_doctor_lists_them(self, nook, environment, home):
        environment |= {
            "OLLAMA_CONTEXT_LENGTH": "64",
            "OLLAMA_KV_CACHE_TYPE": "Q8_0",
            "OLLAMA_DEBUG": "1",
        }
        ran = nook("ask", "smollm2:135m", "Tell me of ducks, swans, geese and herons. " * 9)
        assert ran.code == 2
        assert "64" in ran.err
        found = nook("doctor").out
        assert "OLLAMA_CONTEXT_LENGTH=64" in found
        assert "OLLAMA_KV_CACHE_TYPE=Q8_0" in found
        log = (home / "cache" / "logs" / "xllamacpp.log").read_text("utf-8", "replace")
        assert "q8_0" in log

    def test_the_doctor_tells_of_a_bad_one(self, nook, environment):
        environment["OLLAMA_NOPRUNE"] = "maybe"
        ran = nook("doctor")
        assert ran.code == 1
        assert "The environment variable OLLAMA_NOPRUNE is 'maybe'." in ran.out
