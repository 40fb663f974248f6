"""A sentence-transformers folder becomes model files as it is, apart from what would run code."""

from __future__ import annotations

from pathlib import Path

import pytest

from inglenook.errors import UserError
from inglenook.models.sentence_transformers_folder import sentence_transformers_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    for name in (
        "modules.json",
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "pytorch_model.bin",
        "README.md",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/pytorch_model.bin",
        "onnx/model.onnx",
        "openvino/openvino_model.bin",
        ".git/config.json",
        "code.py",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def test_every_file_that_the_model_is_made_of_goes_by_its_path(folder: Path) -> None:
    files = sentence_transformers_files(folder)

    assert files.format == "sentence-transformers"
    assert set(files.files) == {
        "modules.json",
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/pytorch_model.bin",
    }
    assert all(files.files[name] == folder / name for name in files.files)


@pytest.mark.parametrize("name", ["model.safetensors", "1_Pooling/config.json"])
def test_the_digest_changes_with_weights_and_settings(folder: Path, name: str) -> None:
    before = sentence_transformers_files(folder).digest
    (folder / name).write_text("other")

    assert sentence_transformers_files(folder).digest != before


def test_a_folder_of_another_kind_is_refused_with_what_to_do(folder: Path) -> None:
    (folder / "modules.json").unlink()

    with pytest.raises(UserError, match=r"modules\.json is missing") as caught:
        sentence_transformers_files(folder)
    assert "save_pretrained" in (caught.value.hint or "")


def test_weights_as_a_pickle_alone_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "2_Dense/pytorch_model.bin").unlink()

    with pytest.raises(UserError, match="safetensors"):
        sentence_transformers_files(folder)
