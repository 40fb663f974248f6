"""A real small model for the library, made once for each machine from the GGUF of the tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from inglenook.models.local import files_from_path
from inglenook.types import ModelFiles

from . import windowed_model
from .converted_once import converted_once
from .gguf_to_genai import built_once

CACHE = Path(os.environ.get("INGLENOOK_TEST_MODELS", Path(__file__).parents[3] / ".local/test"))


@pytest.fixture(scope="session")
def genai_folder(smollm2: ModelFiles) -> Path:
    """SmolLM2-135M in 4 bits, as `nook convert` writes it."""
    return converted_once(smollm2, CACHE / "cache" / "onnx-genai")


@pytest.fixture(scope="session")
def genai_model(genai_folder: Path) -> ModelFiles:
    return files_from_path(genai_folder)


@pytest.fixture(scope="session")
def windowed_folder(genai_folder: Path) -> Path:
    """A tiny model with a sliding window of 64 tokens, of random weights."""
    return built_once(genai_folder, CACHE / "cache" / "onnx-genai", windowed_model.__file__)


@pytest.fixture
def own_folder(genai_folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder that a test may damage."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in genai_folder.iterdir():
        shutil.copy2(path, folder)
    return folder
