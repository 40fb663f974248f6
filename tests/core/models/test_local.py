"""Models that a user points at are checked before anything opens them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.local import files_from_path

ONNX = b"\x08\x07\x12\x05tests\x3a\x06\x12\x04main"
SAFETENSORS = {
    "__metadata__": {"format": "pt"},
    "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
}


def safetensors(content: object = SAFETENSORS, data: bytes = bytes(8)) -> bytes:
    header = json.dumps(content).encode()
    return struct.pack("<Q", len(header)) + header + data


@pytest.fixture
def embedder(tmp_path: Path) -> Path:
    folder = tmp_path / "embedder"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "tokenizer.json").write_text("{}")
    (folder / "config.json").write_text('{"model_type": "bert", "max_position_embeddings": 512}')
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 256}')
    (folder / "1_Pooling/config.json").write_text('{"pooling_mode_cls_token": true}')
    (folder / "config_sentence_transformers.json").write_text(
        '{"prompts": {"query": "query: ", "passage": "passage: "}}'
    )
    return folder


def test_a_gguf_file_is_a_model(gguf_file: Path) -> None:
    files = files_from_path(gguf_file)
    assert (files.format, files.files) == ("gguf", {"model": gguf_file})
    assert len(files.digest) == 64


def test_the_digest_of_a_file_changes_with_its_content(gguf_file: Path) -> None:
    before = files_from_path(gguf_file).digest
    gguf_file.write_bytes(gguf_file.read_bytes()[:-1] + b"\1")
    assert files_from_path(gguf_file).digest != before


def test_an_onnx_folder_is_an_embedder(embedder: Path) -> None:
    (embedder / "onnx").mkdir()
    (embedder / "onnx/model.onnx").write_bytes(ONNX)
    files = files_from_path(embedder)
    assert files.format == "sentence-onnx"
    assert files.files == {
        "model.onnx": embedder / "onnx/model.onnx",
        "tokenizer.json": embedder / "tokenizer.json",
    }
    assert (files.details["pooling"], files.details["max_tokens"]) == ("cls", 256)
    assert files.details["query_prefix"] == "query: "
    assert files.details["passage_prefix"] == "passage: "


def test_a_safetensors_folder_is_an_embedder(embedder: Path) -> None:
    (embedder / "model.safetensors").write_bytes(safetensors())
    files = files_from_path(embedder)
    assert files.format == "sentence-safetensors"
    assert set(files.files) == {"model.safetensors", "tokenizer.json", "config.json"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff\xff\xff\xff\xff\xff\xff{}",
        safetensors()[:-1],
        safetensors("no object"),
        safetensors({"w": {}}),
        safetensors({"w": {"data_offsets": [0, 2**70]}}),
        struct.pack("<Q", 2) + b"{x",
    ],
)
def test_damaged_safetensors_are_refused(embedder: Path, data: bytes) -> None:
    (embedder / "model.safetensors").write_bytes(data)
    with pytest.raises(ModelBrokenError, match=r"model\.safetensors"):
        files_from_path(embedder)


@pytest.mark.parametrize("data", [b"", ONNX[:-1], ONNX + b"\xff", b"<html>", b"\0" * 20])
def test_damaged_onnx_is_refused(embedder: Path, data: bytes) -> None:
    (embedder / "model.onnx").write_bytes(data)
    with pytest.raises(ModelBrokenError, match=r"model\.onnx"):
        files_from_path(embedder)


def test_a_damaged_tokenizer_is_refused(embedder: Path) -> None:
    (embedder / "model.onnx").write_bytes(ONNX)
    (embedder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelBrokenError, match=r"tokenizer\.json"):
        files_from_path(embedder)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("nowhere.gguf", "no model at"), ("notes.txt", "not a model"), ("empty", "is missing")],
)
def test_what_is_no_model_is_refused_by_name(tmp_path: Path, name: str, wrong: str) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=wrong) as caught:
        files_from_path(tmp_path / name)
    assert caught.value.hint


def test_one_piece_of_a_split_model_is_refused(tmp_path: Path) -> None:
    key = b"split.count"
    entry = struct.pack("<Q", len(key)) + key + struct.pack("<IH", 2, 3)
    path = tmp_path / "model-00001-of-00003.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + entry)
    with pytest.raises(UserError, match="one of 3 pieces"):
        files_from_path(path)
