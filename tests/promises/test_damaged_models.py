"""A model file that was cut or changed is refused in words or serves; nobody dies or waits."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from inglenook.assistants.composition import model_files
from inglenook.assistants.embedder_choice import chosen_embedder
from inglenook.assistants.first_opening import require_opens
from inglenook.errors import InglenookError, ModelBrokenError
from inglenook.host import Host
from inglenook.models.library import Library
from inglenook.models.local import files_from_path
from inglenook.models.worker import RuntimeWorker
from inglenook.profiles.profile import PartChoice
from inglenook.settings import Paths
from inglenook.types import CancelToken, Done, Failed, GenerateRequest, ModelFiles, RuntimeOptions

from .damage import asked, clear, gguf_regions, tried, try_all, within_deadline


def embedded(folder: Path, paths: Paths) -> str:
    """Open an embedder as the program does, and embed a text in this very process."""
    host, library = Host(), Library(paths.models)
    try:
        with within_deadline(lambda: None):
            entry, files, options = chosen_embedder(
                PartChoice(str(folder)), None, host, lambda at: model_files(at, None, library)
            )
            made_with = host.options_for("embedder", entry.factory.name, options)
            require_opens(entry, files, made_with, library.catalog, paths)
            embedder = host.make_embedder(entry.factory.name, files, options)
            try:
                embedder.open()
                assert len(embedder.embed_query("kettle")) == embedder.dimension
            finally:
                embedder.close()
            return "served"
    except InglenookError as error:
        return clear(error)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "config", tmp_path / "data", tmp_path / "cache")


@pytest.fixture
def gguf(tmp_path: Path, smollm2: ModelFiles) -> Path:
    return Path(shutil.copyfile(smollm2.files["model"], tmp_path / "model.gguf"))


@pytest.fixture
def own_library(tmp_path: Path, smollm2: ModelFiles) -> Library:
    """A library with a model of its own, which nothing vouches for but its sha256."""
    library = Library(tmp_path / "models")
    library.add_file("mine", smollm2.files["model"])
    return library


# --- GGUF -----------------------------------------------------------------------------------------

FEW_OF_GGUF = (8, 4)
MANY_OF_GGUF = (100, 20)


def library_refuses(library: Library, flips: int, cuts: int) -> None:
    path = library.get("mine").files["model"]

    def attempt() -> str:
        try:
            library.get("mine")
        except ModelBrokenError as error:
            return clear(error) if "mine:latest" in str(error) else "unclear"
        return "served"

    outcomes = try_all(path, gguf_regions(path), flips, cuts, attempt)

    assert outcomes == Counter({"flip refused": flips, "cut refused": cuts})
    assert library.get("mine").files["model"] == path


def stranger_is_refused_or_serves(gguf: Path, log: Path, flips: int, cuts: int) -> None:
    outcomes = try_all(
        gguf, gguf_regions(gguf), flips, cuts, lambda: tried(gguf, lambda f: asked(f, log))
    )

    assert outcomes["cut refused"] == cuts
    assert outcomes["flip refused"] + outcomes["flip served"] == flips
    assert outcomes["flip served"] < flips
    assert asked(files_from_path(gguf), log) == "served"


def test_the_library_never_opens_a_damaged_gguf(own_library: Library) -> None:
    library_refuses(own_library, *FEW_OF_GGUF)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_the_library_never_opens_a_gguf_damaged_anywhere(own_library: Library) -> None:
    library_refuses(own_library, *MANY_OF_GGUF)


def test_a_damaged_gguf_of_a_stranger_is_refused_or_serves(gguf: Path, paths: Paths) -> None:
    stranger_is_refused_or_serves(gguf, paths.logs / "x.log", *FEW_OF_GGUF)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_a_gguf_of_a_stranger_damaged_anywhere_is_refused_or_serves(
    gguf: Path, paths: Paths
) -> None:
    stranger_is_refused_or_serves(gguf, paths.logs / "x.log", *MANY_OF_GGUF)


# --- an embedder ----------------------------------------------------------------------------------


def embedder_is_refused_or_serves(folder: Path, paths: Paths, flips: int, cuts: int) -> None:
    assert embedded(folder, paths) == "served"
    for name in ("model.onnx", "tokenizer.json"):
        path = folder / name
        outcomes = try_all(
            path, [(0, path.stat().st_size)], flips, cuts, lambda: embedded(folder, paths)
        )
        assert outcomes["cut refused"] == cuts, name
    assert embedded(folder, paths) == "served"


@pytest.fixture
def embedder(tmp_path: Path, minilm: ModelFiles) -> Path:
    folder = tmp_path / "embedder"
    folder.mkdir()
    for name, path in minilm.files.items():
        shutil.copyfile(path, folder / name)
    return folder


def test_a_damaged_embedder_is_refused_or_serves(embedder: Path, paths: Paths) -> None:
    embedder_is_refused_or_serves(embedder, paths, 2, 2)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_an_embedder_damaged_anywhere_is_refused_or_serves(embedder: Path, paths: Paths) -> None:
    embedder_is_refused_or_serves(embedder, paths, 30, 10)


# --- a runtime that is killed ---------------------------------------------------------------------


def test_a_runtime_that_is_killed_in_mid_answer_is_told_at_once_and_answers_again(
    smollm2: ModelFiles, paths: Paths
) -> None:
    entry = Host().able_to_open("runtime", smollm2.format)[0]
    options = RuntimeOptions(context_length=512)
    worker = RuntimeWorker(entry.factory.load, smollm2, options, paths.logs / "x.log")
    try:
        ids = tuple(worker.tokenize("Once upon a time", special=False))
        request = GenerateRequest(tokens=ids, max_tokens=400, parameters={"temperature": 0.0})
        stream = worker.generate(request, CancelToken())
        next(stream)
        assert worker.pid is not None
        killed = time.monotonic()
        os.kill(worker.pid, signal.SIGKILL)
        end = list(stream)[-1]

        assert isinstance(end, Failed)
        assert time.monotonic() - killed < 1.0
        assert "SIGKILL" in end.message
        short = GenerateRequest(tokens=ids, max_tokens=4, parameters={"temperature": 0.0})
        assert isinstance(list(worker.generate(short, CancelToken()))[-1], Done)
    finally:
        worker.close()
