"""The same with the real embedder and the real vector store, and an embedder that fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from inglenook import Assistant, Installation
from inglenook.configuration import load_settings
from inglenook.factories import Factory
from inglenook.host import Host
from inglenook.testing.fake_embedder import FakeEmbedder
from inglenook.testing.host import plugin_of
from inglenook.types import CancelToken

from .faults import Stage, differences, kill_after, state_of

pytestmark = pytest.mark.timeout(300)
REAL = ("EMBEDDER minilm:int8", "STORE chroma", "RETRIEVE mode=hybrid")
QUESTIONS = ("Which part is in cabinet changed5?", "What does source grown say?", "new version 2")


@pytest.fixture(scope="module")
def real_stage(tmp_path_factory: pytest.TempPathFactory, model_library) -> Stage:
    models = model_library.root

    def prepare(home: Path) -> None:
        shutil.copytree(models, home / "data" / "models", copy_function=_link)

    return Stage(tmp_path_factory.mktemp("real"), REAL, prepare=prepare)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def found(stage: Stage, home: Path) -> list[tuple[str, str, float]]:
    """What the questions find by vectors: source, text and score."""
    with Assistant.from_file(stage.profile, home=home) as assistant:
        return [
            (passage.source, passage.text, round(passage.vector or 0.0, 4))
            for question in QUESTIONS
            for passage in assistant.search(question, limit=5, mode="vector")
        ]


def check_kills(stage: Stage, moments: Sequence[float]) -> None:
    expected = found(stage, stage.new_home)
    for number, moment in enumerate(moments):
        home = stage.copy_of_old(f"real-{number}")
        kill = kill_after(home, stage.profile, moment * stage.took_s, child=number % 3 == 2)
        assert () == kill.left
        assert [] == stage.wrong_with(home), moment
        assert [] == stage.wrong_after_a_clean_run(home), moment
        assert expected == found(stage, home), moment
        shutil.rmtree(home)


def test_a_kill_leaves_real_vectors_and_their_store_to_be_mended(real_stage: Stage) -> None:
    check_kills(real_stage, (0.6, 0.9))


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_kills_at_many_moments_leave_real_vectors_to_be_mended(real_stage: Stage) -> None:
    check_kills(real_stage, [0.3 + 0.75 * n / 30 for n in range(30)])


# --- an embedder that fails on a changed file -----------------------------------------------------


class FailingEmbedder(FakeEmbedder):
    """Raises what `INGLENOOK_TEST_RAISES` names for a text with a certain word in it."""

    def embed_documents(self, texts: Sequence[str], cancel: CancelToken):
        kind = os.environ.get("INGLENOOK_TEST_RAISES")
        if kind and any("calamity" in text for text in texts):
            raise {"ValueError": ValueError, "RuntimeError": RuntimeError}[kind]("it broke here")
        return super().embed_documents(texts, cancel)


@pytest.fixture
def open_assistant(tmp_path: Path, assistant_home: Path) -> Callable[[], Assistant]:
    """The same assistant over the same documents, opened anew."""
    documents = tmp_path / "documents"
    documents.mkdir()
    for name in ("first", "second", "third"):
        (documents / f"{name}.txt").write_text(f"The {name} text of the old version.", "utf-8")
    profile = documents / "Assistantfile"
    profile.write_text("FROM any\nEMBEDDER minilm:int8\nFILE ./*.txt\n", "utf-8")
    factory = Factory(
        name="failing",
        summary="Fails on purpose.",
        load=f"{__name__}:FailingEmbedder",
        capabilities={"formats": ("sentence-onnx",)},
    )
    plugin = plugin_of(register_embedders=factory)

    def make() -> Assistant:
        settings = load_settings(home=assistant_home)
        # Plugins that are handed over come before the installed ones.
        host = Host(settings.plugins, plugins={"failing": plugin})
        return Installation(settings, host).assistant_from_file(profile)

    return make


def texts_found(assistant: Assistant, mode: str) -> list[str]:
    return [p.text for p in assistant.search("second text version", limit=5, mode=mode)]


@pytest.mark.parametrize("kind", ["ValueError", "RuntimeError"])
def test_the_old_version_stays_answerable_when_the_embedder_fails_on_the_new_one(
    open_assistant: Callable[[], Assistant],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    with open_assistant() as assistant:
        assert 0 == assistant.ingest().exit_code
    second = tmp_path / "documents" / "second.txt"
    second.write_text("The second text of the new version, a calamity.", "utf-8")
    (tmp_path / "documents" / "first.txt").write_text("The first text, newer.", "utf-8")
    monkeypatch.setenv("INGLENOOK_TEST_RAISES", kind)
    with open_assistant() as assistant:
        report = assistant.ingest()
    assert 1 == report.exit_code
    ends = {result.name: result.outcome for result in report.results}
    # One text that the embedder cannot take must not keep the others out, now and for ever.
    assert {"first.txt": "updated", "second.txt": "failed", "third.txt": "unchanged"} == ends
    with open_assistant() as assistant:
        assert "The second text of the old version." in texts_found(assistant, "lexical")
        assert "The second text of the old version." in texts_found(assistant, "vector")
    monkeypatch.delenv("INGLENOOK_TEST_RAISES")
    with open_assistant() as assistant:
        assert 0 == assistant.ingest().exit_code
        assert "The second text of the new version, a calamity." in texts_found(assistant, "vector")
        assert "The second text of the old version." not in texts_found(assistant, "vector")


def test_a_home_that_was_never_disturbed_is_its_own_measure(real_stage: Stage, tmp_path) -> None:
    """The oracle itself: an equal home differs in nothing, a changed one is found out."""
    seen = state_of(real_stage.new_home, tmp_path / "look")
    assert [] == differences(seen, real_stage.new)
    assert differences(seen, real_stage.old)
    assert not real_stage.wrong_with(real_stage.new_home)
    assert real_stage.wrong_with(real_stage.empty_home("empty"))
