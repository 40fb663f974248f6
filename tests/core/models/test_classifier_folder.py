"""The folder of a cross-encoder becomes model files, or one clear error."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.classifier_folder import classifier_files

DATA = Path(__file__).parents[2] / "data" / "rerankers"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(DATA / "bert", tmp_path / "model")


def change(path: Path, edit: Callable[[dict[str, object]], object]) -> None:
    content = json.loads(path.read_text("utf-8"))
    edit(content)
    path.write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(
    ("name", "format_", "max_tokens"),
    [
        ("bert", "cross-encoder-safetensors", 64),
        ("bert-onnx", "cross-encoder-onnx", 64),
        # Two of its 98 positions are never used.
        ("xlm-roberta", "cross-encoder-safetensors", 96),
    ],
)
def test_a_folder_says_its_format_and_how_much_it_takes(
    name: str, format_: str, max_tokens: int
) -> None:
    files = classifier_files(DATA / name)

    assert (files.format, files.details["max_tokens"]) == (format_, max_tokens)
    assert all(path.is_file() for path in files.files.values())
    assert len(files.digest) == 64


def test_an_export_in_its_own_folder_is_found(folder: Path) -> None:
    (folder / "onnx").mkdir()
    shutil.copy(DATA / "bert-onnx" / "model.onnx", folder / "onnx" / "model.onnx")

    assert classifier_files(folder).format == "cross-encoder-onnx"


@pytest.mark.parametrize("stated", [32, 1e30])
def test_the_tokenizer_s_limit_counts_where_it_is_smaller(folder: Path, stated: float) -> None:
    change(folder / "tokenizer_config.json", lambda c: c.update(model_max_length=stated))

    assert classifier_files(folder).details["max_tokens"] == min(64, stated)


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model at"):
        classifier_files(tmp_path / "absent")


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()

    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        classifier_files(folder)


def test_an_embedder_is_refused_by_the_name_of_its_class(folder: Path) -> None:
    change(folder / "config.json", lambda c: c.update(architectures=["BertModel"]))

    with pytest.raises(UserError, match="BertModel"):
        classifier_files(folder)


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_damaged_configuration_is_a_broken_model(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)

    with pytest.raises(ModelBrokenError, match=r"config\.json"):
        classifier_files(folder)


def test_the_weights_beside_a_large_export_belong_to_it(tmp_path: Path) -> None:
    folder = shutil.copytree(DATA / "bert-onnx", tmp_path / "model")
    before = classifier_files(folder).digest
    model = onnx.load(folder / "model.onnx")
    onnx.save_model(
        model,
        folder / "model.onnx",
        save_as_external_data=True,
        location="model.onnx_data",
        size_threshold=0,
    )

    files = classifier_files(folder)
    assert files.files["model.onnx_data"] == folder / "model.onnx_data"
    assert files.digest != before

    with (folder / "model.onnx_data").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(ModelBrokenError, match="truncated"):
        classifier_files(folder)


@pytest.mark.parametrize("name", ["bert", "bert-onnx"])
def test_a_cut_file_of_weights_is_refused(tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(DATA / name, tmp_path / "model")
    (weights,) = folder.glob("model.*")
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelBrokenError, match=weights.name):
        classifier_files(folder)
