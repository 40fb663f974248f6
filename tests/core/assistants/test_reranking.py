"""The reranker of a profile: which model it opens, and what is refused before anything is read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inglenook import Assistant
from inglenook.assistants.reranking import reranker_maker
from inglenook.errors import InglenookError, UserError
from inglenook.factories import Factory, Option
from inglenook.host import Host
from inglenook.models.library import Library
from inglenook.profiles.frozen_mapping import FrozenMapping
from inglenook.profiles.profile import PartChoice
from inglenook.protocols import Reranker
from inglenook.settings import Paths
from inglenook.testing.host import host_with, plugin_of
from inglenook.types import CancelToken

DATA = Path(__file__).parents[2] / "data" / "rerankers"
RERANKER = "RERANKER cross-encoder model=./my-reranker max_length=48"
QUESTION = "How long must a password be?"
TEXTS = ["Ducks live near ponds.", "A password must have at least fourteen characters."]


def choice(name: str = "cross-encoder", **options: str) -> PartChoice:
    return PartChoice(name, FrozenMapping(options))


def places(base: Path) -> Paths:
    return Paths(base / "config", base / "data", base / "cache")


def made(at: PartChoice, base: Path, host: Host | None = None) -> Reranker:
    make = reranker_maker(at, base, Library(base / "models"), host or Host(), places(base))
    assert make is not None
    return make()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    shutil.copytree(DATA / "bert", tmp_path / "my-reranker")
    return tmp_path


@pytest.mark.parametrize("path", ["./my-reranker", "my-reranker"])
def test_a_relative_path_starts_from_the_assistantfile_s_folder(base: Path, path: str) -> None:
    reranker = made(choice(model=path, max_length="48"), base)
    reranker.open()

    assert len(reranker.rerank(QUESTION, TEXTS, CancelToken())) == 2
    reranker.close()


def test_an_absolute_path_is_taken_as_it_is(base: Path, tmp_path_factory) -> None:
    reranker = made(choice(model=str(base / "my-reranker")), tmp_path_factory.mktemp("elsewhere"))
    reranker.open()

    assert reranker.fingerprint
    reranker.close()


def test_a_profile_without_a_reranker_has_none(base: Path) -> None:
    assert reranker_maker(None, base, Library(base / "models"), Host(), places(base)) is None


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (choice(), "needs a model"),
        (choice(model="./absent"), "no model at"),
        (choice(model="absent:latest"), "absent"),
        (choice(model="./my-reranker", max_lenght="3"), "max_lenght"),
        (choice(model="./my-reranker", max_length="many"), "whole number"),
        (choice("cross-encodr", model="./my-reranker"), "cross-encodr"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(base: Path, at: PartChoice, said: str) -> None:
    with pytest.raises(InglenookError, match=said):
        made(at, base)


def test_a_model_of_another_format_is_refused_with_what_it_opens(base: Path) -> None:
    factory = Factory(
        "other",
        "Another.",
        "inglenook.testing.fake_reranker:FakeReranker",
        options=(Option("model"),),
        capabilities={"formats": ("cross-encoder-onnx",)},
    )
    host = host_with(other=plugin_of(register_rerankers=factory))

    with pytest.raises(UserError, match="cross-encoder-safetensors") as caught:
        made(choice("other", model="./my-reranker"), base, host)
    assert "cross-encoder-onnx" in (caught.value.hint or "")


def test_a_reranker_that_opens_no_formats_gets_no_model(base: Path) -> None:
    factory = Factory("words", "By words.", "inglenook.testing.fake_reranker:FakeReranker")
    reranker = made(choice("words"), base, host_with(w=plugin_of(register_rerankers=factory)))

    scores = reranker.rerank(QUESTION, TEXTS, CancelToken())
    assert scores[1] > scores[0]


def test_an_assistant_s_passages_stand_in_the_reranker_s_order(base: Path) -> None:
    (base / "notes").mkdir()
    for number, text in enumerate(TEXTS * 2):
        (base / "notes" / f"{number}.txt").write_text(f"{text} Note {number}.")
    lines = ("FROM smollm2:135m", "FILE notes", "RETRIEVE mode=lexical", RERANKER)
    (base / "Assistantfile").write_text("\n".join(lines))

    with Assistant.from_file(base / "Assistantfile") as assistant:
        assistant.ingest()
        found = assistant.search("Which password, and which note of ducks?")

    scores = [passage.rerank for passage in found]
    assert len(scores) > 1
    assert None not in scores
    assert scores == sorted(scores, reverse=True)
