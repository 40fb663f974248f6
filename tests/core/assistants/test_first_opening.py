"""A stranger's graph is opened in a process of its own before this one opens it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from inglenook.assistants.first_opening import require_opens
from inglenook.assistants.installation import Installation
from inglenook.errors import ModelBrokenError, ModelError
from inglenook.factories import Factory
from inglenook.host import Host, Registered
from inglenook.models.known import load_catalog
from inglenook.models.local import files_from_path
from inglenook.settings import Paths
from inglenook.types import ModelFiles

PARTS = """
import os, time
from inglenook.errors import ModelError

class Part:
    def __init__(self, files, options):
        self.files = files
        with open(os.path.join(os.path.dirname(__file__), "opened"), "a") as file:
            file.write("x")

    def close(self):
        pass

class Whole(Part):
    def open(self):
        pass

class Crashing(Part):
    def open(self):
        os.abort()

class Endless(Part):
    def open(self):
        time.sleep(600)

class Refusing(Part):
    def open(self):
        raise ModelError("This graph is refused.", hint="Take another one.")
"""


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with parts that open a model well, or crash, hang, refuse."""
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "trial_parts.py").write_text(PARTS)
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "config", tmp_path / "data", tmp_path / "cache")


@pytest.fixture
def model(tmp_path: Path) -> ModelFiles:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"graph")
    return ModelFiles("./mine", "sentence-onnx", {"model.onnx": path})


def part(name: str) -> Registered:
    factory = Factory(name="trial", summary="A test.", load=f"trial_parts:{name}")
    return Registered("embedder", factory, "trial", "trial")


def opened(parts: Path) -> int:
    path = parts / "opened"
    return len(path.read_text()) if path.exists() else 0


def test_a_model_is_tried_once_until_a_file_of_it_changes(
    parts: Path, paths: Paths, model: ModelFiles
) -> None:
    for _ in range(2):
        require_opens(part("Whole"), model, {}, load_catalog(), paths)
    assert opened(parts) == 1

    path = model.files["model.onnx"]
    os.utime(path, ns=(1, 1))
    require_opens(part("Whole"), model, {}, load_catalog(), paths)
    assert opened(parts) == 2


def test_a_graph_that_crashes_its_library_is_told(
    parts: Path, paths: Paths, model: ModelFiles
) -> None:
    for _ in range(2):
        with pytest.raises(ModelBrokenError, match=r"\./mine cannot be used: .*crashed.*SIGABRT"):
            require_opens(part("Crashing"), model, {}, load_catalog(), paths)


def test_a_graph_that_hangs_its_library_is_given_up(
    parts: Path, paths: Paths, model: ModelFiles
) -> None:
    began = time.monotonic()
    with pytest.raises(ModelBrokenError, match="was not open after 3 s"):
        require_opens(part("Endless"), model, {}, load_catalog(), paths, longest_s=3)
    assert time.monotonic() - began < 30


def test_what_the_part_says_itself_is_told(parts: Path, paths: Paths, model: ModelFiles) -> None:
    with pytest.raises(ModelError, match="This graph is refused") as said:
        require_opens(part("Refusing"), model, {}, load_catalog(), paths)
    assert said.value.hint == "Take another one."


def test_what_the_catalog_vouches_for_is_not_tried(
    parts: Path, paths: Paths, minilm: ModelFiles
) -> None:
    require_opens(part("Crashing"), minilm, {}, load_catalog(), paths)
    assert opened(parts) == 0


def test_other_formats_and_parts_without_a_model_are_not_tried(parts: Path, paths: Paths) -> None:
    plain = ModelFiles("./mine", "sentence-safetensors", {})
    require_opens(part("Crashing"), plain, {}, load_catalog(), paths)
    require_opens(part("Crashing"), None, {}, load_catalog(), paths)
    assert opened(parts) == 0


def test_a_cache_that_cannot_be_written_only_costs_another_trial(
    parts: Path, paths: Paths, model: ModelFiles
) -> None:
    paths.cache.write_text("no folder")
    for _ in range(2):
        require_opens(part("Whole"), model, {}, load_catalog(), paths)
    assert opened(parts) == 2


def test_the_embedder_of_an_assistant_is_tried(
    tmp_path: Path, minilm: ModelFiles, assistant_home: Path
) -> None:
    folder = tmp_path / "embedder"
    folder.mkdir()
    for name, path in minilm.files.items():
        shutil.copyfile(path, folder / name)
    (tmp_path / "Assistantfile").write_text(
        "FROM smollm2:135m\nEMBEDDER ./embedder\nRETRIEVE mode=vector\nFILE ./*.txt\n"
    )
    (tmp_path / "kettle.txt").write_text("The kettle is green.")
    assert files_from_path(folder).format == "sentence-onnx"
    assert Host().names("embedder")

    with Installation.open() as installation, installation.assistant(str(tmp_path)) as assistant:
        assistant.ingest()
        found = assistant.search("kettle")

    assert found
    assert len(list((assistant_home / "cache" / "opened").iterdir())) == 1
