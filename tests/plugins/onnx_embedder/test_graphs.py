"""The graphs that are built without torch, against what transformers made of the same weights."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy
import pytest

from inglenook.errors import ModelBrokenError, ModelError
from inglenook_onnx_embedder.architecture import FAMILIES, Architecture
from inglenook_onnx_embedder.bert_graph import (
    BUILDER_VERSION,
    build_bert_graph,
    product_names,
)
from inglenook_onnx_embedder.calibration import Choice, choose_graph
from inglenook_onnx_embedder.derived import kept_graph
from inglenook_onnx_embedder.quantised import QuantisationPlan
from inglenook_onnx_embedder.safetensors import read_safetensors
from inglenook_onnx_embedder.sessions import feed_for, open_session

FOLDER = Path(__file__).parents[2] / "data" / "encoders"
LENGTHS = (1, 5, 140)


def read(family):
    folder = FOLDER / family
    config = json.loads((folder / "config.json").read_text())
    return config, read_safetensors(folder / "model.safetensors")


def states(graph, family):
    """What the graph makes of the texts of the reference, and the reference."""
    session = open_session(graph)
    with numpy.load(FOLDER / family / "expected.npz") as kept:
        for length in LENGTHS:
            ids = kept[f"ids_{length}"][0].tolist()
            found = session.run(None, feed_for(session, ids))[0]
            yield found, kept[f"states_{length}"]


def letters(text):
    """A tokenizer for the small vocabulary."""
    return [2 + ord(letter) % 88 for letter in text[:140]]


def worst_cosine(found, expected):
    lengths = numpy.linalg.norm(found, axis=-1) * numpy.linalg.norm(expected, axis=-1)
    return ((found * expected).sum(axis=-1) / lengths).min()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_graph_in_float32_computes_what_transformers_computes(family):
    for found, expected in states(build_bert_graph(*read(family), family), family):
        numpy.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_graph_in_8_bits_stays_near_it(family):
    config, weights = read(family)
    choice = choose_graph(config, weights, family, letters, "int8")
    assert choice.variant == "int8"
    for found, expected in states(choice.graph, family):
        assert worst_cosine(found.mean(axis=1), expected.mean(axis=1)) > 0.99


def test_the_largest_values_of_every_product_can_be_seen():
    config, weights = read("bert")
    session = open_session(build_bert_graph(config, weights, "bert", peaks=True))
    names = [output.name for output in session.get_outputs()]
    assert names == ["last_hidden_state", *product_names(Architecture.of(config, "bert"))]
    found = dict(zip(names, session.run(None, feed_for(session, [2, 3, 4])), strict=True))
    assert found["outer_1"].shape == (64,)
    assert (found["outer_1"] > 0).all()


def test_8_bits_that_are_not_right_are_not_taken(monkeypatch):
    config, weights = read("bert")
    monkeypatch.setattr("inglenook_onnx_embedder.calibration.SMALLEST_COSINE", 1.1)
    choice = choose_graph(config, weights, "bert", letters, "int8")
    assert choice.variant == "fp32"
    assert "not right" in choice.reason
    assert choice.graph == build_bert_graph(config, weights, "bert")


def test_8_bits_that_are_no_faster_are_not_taken_unless_asked_for(monkeypatch):
    config, weights = read("bert")
    monkeypatch.setattr("inglenook_onnx_embedder.calibration._speed_up", lambda *_: 1.0)
    assert choose_graph(config, weights, "bert", letters, "auto").variant == "fp32"
    assert choose_graph(config, weights, "bert", letters, "int8").variant == "int8"


def test_weights_of_7_bits_hold_half_the_values():
    config, weights = read("bert")
    peaks = {name: numpy.ones(32, dtype=numpy.float32) for name in ("attention_0", "inner_0")}
    peaks |= {"attention_1": peaks["inner_0"], "inner_1": peaks["inner_0"]}
    peaks |= {f"outer_{layer}": numpy.ones(64, dtype=numpy.float32) for layer in (0, 1)}
    import onnx

    model = onnx.load_from_string(
        build_bert_graph(config, weights, "bert", plan=QuantisationPlan(peaks, weight_bits=7))
    )
    matrices = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if tensor.name.endswith(".bytes")
    ]
    assert {int(numpy.abs(matrix).max()) for matrix in matrices} == {63}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "t5"}, "'t5'"),
        ({"hidden_act": "relu"}, "'relu'"),
        ({"position_embedding_type": "relative_key"}, "'relative_key'"),
    ],
)
def test_a_model_of_another_kind_is_refused_by_name(change, said):
    config, weights = read("bert")
    with pytest.raises(ModelError, match=said):
        build_bert_graph({**config, **change}, weights, "some-model")


def test_a_config_without_a_size_is_a_broken_model():
    config, weights = read("bert")
    del config["hidden_size"]
    with pytest.raises(ModelBrokenError, match="lacks a size"):
        build_bert_graph(config, weights, "some-model")


def test_sizes_that_do_not_fit_together_are_a_broken_model():
    config, weights = read("bert")
    with pytest.raises(ModelBrokenError, match="do not fit together"):
        build_bert_graph({**config, "num_attention_heads": 5}, weights, "some-model")


def test_a_missing_tensor_is_named():
    config, weights = read("mpnet")
    del weights["encoder.layer.1.attention.attn.k.weight"]
    with pytest.raises(ModelBrokenError, match=r"layer\.1\.attention\.self\.key\.weight"):
        build_bert_graph(config, weights, "some-model")


def test_a_kept_graph_is_used_again_and_a_damaged_one_is_made_anew(tmp_path):
    config, weights = read("bert")
    made = []

    def build():
        made.append(1)
        return choose_graph(config, weights, "bert", letters, "int8")

    path = Path(kept_graph(str(tmp_path), "abc", "int8", build))
    assert kept_graph(str(tmp_path), "abc", "int8", build) == str(path)
    assert len(made) == 1
    assert json.loads(path.with_suffix(".json").read_text())["variant"] == "int8"
    path.write_bytes(path.read_bytes()[:-1])
    assert kept_graph(str(tmp_path), "abc", "int8", build) == str(path)
    assert len(made) == 2


def test_what_an_earlier_builder_kept_is_removed(tmp_path):
    old = tmp_path / "bert-1-abc.onnx"
    old.write_bytes(b"old")
    other = tmp_path / "bert-1-other.onnx"
    other.write_bytes(b"of another model")
    config, weights = read("bert")
    kept_graph(
        str(tmp_path), "abc", "fp32", lambda: choose_graph(config, weights, "b", letters, "fp32")
    )
    assert (old.exists(), other.exists()) == (False, True)


def test_what_another_process_is_writing_is_left_and_what_a_crash_left_is_removed(tmp_path):
    ours = f"encoder-{BUILDER_VERSION}-auto-cpu-id.onnx"
    writing, left = tmp_path / f".{ours}.now", tmp_path / f".{ours}.old"
    for path in (writing, left):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))

    kept_graph(str(tmp_path), "id", "auto", lambda: Choice(b"graph", "fp32", 1.0, 1.0, ""))

    assert writing.exists()
    assert not left.exists()


def test_where_nothing_can_be_kept_the_graph_itself_is_given(tmp_path):
    config, weights = read("bert")
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    graph = kept_graph(
        str(blocked / "x"),
        "abc",
        "fp32",
        lambda: choose_graph(config, weights, "b", letters, "fp32"),
    )
    assert graph == build_bert_graph(config, weights, "b")
