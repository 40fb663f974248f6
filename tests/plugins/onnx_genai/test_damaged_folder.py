"""A folder of which a file was cut or changed is refused in words or serves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from inglenook.models.local import files_from_path

from ...promises.damage import asked, tried, try_all  # noqa: TID252


@pytest.fixture
def folder(tmp_path: Path, windowed_folder: Path) -> Path:
    return shutil.copytree(windowed_folder, tmp_path / "genai")


def is_refused_or_serves(folder: Path, flips: int, cuts: int) -> None:
    log = folder.parent / "library.log"
    for name in ("genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json"):
        path = folder / name
        everywhere = [(0, path.stat().st_size)]
        outcomes = try_all(
            path, everywhere, flips, cuts, lambda: tried(folder, lambda files: asked(files, log))
        )
        assert outcomes["cut refused"] == cuts, name
    assert asked(files_from_path(folder), log) == "served"


def test_a_damaged_folder_is_refused_or_serves(folder: Path) -> None:
    is_refused_or_serves(folder, 1, 1)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_a_folder_damaged_anywhere_is_refused_or_serves(folder: Path) -> None:
    is_refused_or_serves(folder, 15, 5)
