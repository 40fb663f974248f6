"""The reranker `cross-encoder` with real (if tiny and random) models of both kinds.

Their scores were computed by transformers and torch: see tests/data/rerankers/NOTICE.md.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from inglenook.errors import ModelBrokenError, ModelError, UserError
from inglenook.models.classifier_folder import classifier_files
from inglenook.testing.reranker import RerankerKit
from inglenook.types import CancelToken
from inglenook_rerankers.cross_encoder import CrossEncoder
from inglenook_rerankers.pairs import PairMaker

DATA = Path(__file__).parents[2] / "data" / "rerankers"
EXPECTED = json.loads((DATA / "expected.json").read_text("utf-8"))
FOLDERS = ("bert", "bert-onnx", "xlm-roberta")


def scores_of(files, question=EXPECTED["question"], texts=EXPECTED["passages"], **options):
    reranker = CrossEncoder(files, options)
    reranker.open()
    try:
        return reranker.rerank(question, texts, CancelToken())
    finally:
        reranker.close()


def copy_of(folder, tmp_path):
    return shutil.copytree(DATA / folder, tmp_path / folder)


class TestBert(RerankerKit):
    is_semantic = False

    @pytest.fixture
    def reranker(self):
        return CrossEncoder(classifier_files(DATA / "bert"), {})


class TestBertExport(RerankerKit):
    is_semantic = False

    @pytest.fixture
    def reranker(self):
        return CrossEncoder(classifier_files(DATA / "bert-onnx"), {})


class TestXlmRoberta(RerankerKit):
    is_semantic = False

    @pytest.fixture
    def reranker(self):
        return CrossEncoder(classifier_files(DATA / "xlm-roberta"), {})


@pytest.mark.parametrize("folder", FOLDERS)
def test_scores_are_those_of_the_reference(folder):
    expected = EXPECTED["scores"][folder.removesuffix("-onnx")]
    assert scores_of(classifier_files(DATA / folder)) == pytest.approx(expected, abs=2e-3)


def test_a_long_passage_has_the_score_of_its_best_piece():
    files = classifier_files(DATA / "bert")
    pairs = PairMaker(files.files["tokenizer.json"], 64, "tiny")
    passage = " ".join(EXPECTED["passages"] * 2)
    pieces = list(pairs.pairs(EXPECTED["question"], passage))
    reranker = CrossEncoder(files, {})
    reranker.open()
    each = [reranker._scorer(piece) for piece in pieces]
    assert len(each) > 1
    assert reranker.rerank(EXPECTED["question"], [passage], CancelToken()) == [max(each)]
    reranker.close()


@pytest.fixture
def pairs():
    return PairMaker(DATA / "bert" / "tokenizer.json", 48, "tiny")


def passage_tokens(pair):
    # The last one closes the passage.
    return [number for number, kind in zip(pair.ids, pair.types, strict=True) if kind][:-1]


def test_the_pieces_of_a_long_passage_overlap_and_hold_all_of_it(pairs):
    passage = " ".join(EXPECTED["passages"] * 3)
    pieces = [passage_tokens(pair) for pair in pairs.pairs("How long?", passage)]
    (whole,) = (passage_tokens(pair) for pair in _wide().pairs("How long?", passage))
    overlap = len(pieces[0]) // 4
    assert len(pieces) > 3
    assert pieces[0] + [token for piece in pieces[1:] for token in piece[overlap:]] == whole
    for piece, following in pairwise(pieces):
        assert piece[-overlap:] == following[:overlap]


def _wide():
    return PairMaker(DATA / "bert" / "tokenizer.json", 4_096, "tiny")


def test_a_long_question_leaves_half_of_the_room_to_the_passage(pairs):
    (pair,) = pairs.pairs("duck " * 500, "ponds and lakes")
    (short,) = pairs.pairs("duck", "ponds and lakes")
    assert len(pair.ids) <= 48
    assert passage_tokens(pair) == passage_tokens(short)


def test_the_number_of_threads_changes_no_score():
    files = classifier_files(DATA / "bert")
    assert scores_of(files, threads=1) == scores_of(files, threads=3)


def test_the_fingerprint_follows_weights_and_length():
    prints = set()
    for folder, length in (("bert", 0), ("bert", 48), ("bert-onnx", 0), ("xlm-roberta", 0)):
        reranker = CrossEncoder(classifier_files(DATA / folder), {"max_length": length})
        reranker.open()
        prints.add(reranker.fingerprint)
        reranker.close()
    assert len(prints) == 4


def test_a_longer_pair_than_the_model_takes_is_refused_with_both_numbers():
    reranker = CrossEncoder(classifier_files(DATA / "bert"), {"max_length": 512})
    with pytest.raises(UserError, match=r"512.*64 tokens"):
        reranker.open()


def test_a_length_without_room_for_a_passage_is_refused():
    reranker = CrossEncoder(classifier_files(DATA / "bert"), {"max_length": 20})
    with pytest.raises(ModelError, match="no room"):
        reranker.open()


def test_without_a_model_the_line_to_write_is_named():
    with pytest.raises(UserError) as caught:
        CrossEncoder(None, {})
    assert "model=./" in (caught.value.hint or "")


def test_an_embedder_is_refused_as_no_cross_encoder(minilm_fp32):
    files = replace(minilm_fp32, format="cross-encoder-safetensors")
    with pytest.raises(ModelError, match="no classifier"):
        CrossEncoder(files, {}).open()


def test_a_classifier_of_three_labels_is_refused(tmp_path):
    folder = copy_of("bert", tmp_path)
    _change_tensor(folder, "classifier.weight", lambda value: value.repeat(3, axis=0))
    _change_tensor(folder, "classifier.bias", lambda value: value.repeat(3, axis=0))
    with pytest.raises(ModelError, match="3 labels"):
        scores_of(classifier_files(folder))


def test_a_missing_tensor_of_the_head_is_named(tmp_path):
    folder = copy_of("bert", tmp_path)
    _change_tensor(folder, "bert.pooler.dense.bias", lambda value: None)
    with pytest.raises(ModelBrokenError, match=r"bert\.pooler\.dense\.bias"):
        scores_of(classifier_files(folder))


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors"])
def test_a_truncated_file_is_a_broken_model(tmp_path, name):
    folder = copy_of("bert", tmp_path)
    (folder / name).write_bytes((folder / name).read_bytes()[:1_000])
    with pytest.raises(ModelBrokenError, match=name.replace(".", r"\.")):
        scores_of(classifier_files(folder))


def test_a_truncated_export_is_a_broken_model(tmp_path):
    folder = copy_of("bert-onnx", tmp_path)
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:50_000])
    with pytest.raises(ModelBrokenError, match="not a whole ONNX file"):
        scores_of(classifier_files(folder))


def _change_tensor(folder, name, change):
    """Write the weights anew with one tensor changed, or left out where `change` gives None."""
    import numpy

    from inglenook_onnx_embedder.safetensors import read_safetensors

    path = folder / "model.safetensors"
    tensors = read_safetensors(path)
    changed = change(tensors.pop(name))
    if changed is not None:
        tensors[name] = changed
    header, data = {}, b""
    for key, value in tensors.items():
        raw = numpy.ascontiguousarray(value, dtype="<f4").tobytes()
        place = [len(data), len(data) + len(raw)]
        header[key] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": place}
        data += raw
    head = json.dumps(header).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + data)
