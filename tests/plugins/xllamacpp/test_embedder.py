"""Vectors from GGUF files: MiniLM, written as one, against the same weights on ONNX Runtime."""

from __future__ import annotations

import json
import os
import signal

import gguf
import numpy
import pytest
from safetensors.numpy import load_file

from inglenook import Assistant
from inglenook.errors import ModelBrokenError, ModelError, RuntimeFailure, UserError
from inglenook.testing.embedder import EmbedderKit
from inglenook.types import CancelToken, ModelFiles
from inglenook_onnx_embedder.embedder import OnnxEmbedder
from inglenook_xllamacpp.embedder import GgufEmbedder

NAMES = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm": "token_embd_norm",
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
TEXTS = (
    "A password must have at least fourteen characters.",
    "Ducks live near ponds and lakes.",
    "Größe, naïve façade: 3,14 % of it!",
    "She said it's (mostly) over-engineered; see §4.2.",
    "word " * 150,
)


def write_minilm(files, path, pooling=1):
    """MiniLM's safetensors as a GGUF file."""
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_context_length(512)
    writer.add_embedding_length(384)
    writer.add_block_count(6)
    writer.add_feed_forward_length(1536)
    writer.add_head_count(12)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_pooling_type(gguf.PoolingType(pooling))
    writer.add_token_type_count(2)
    add_vocabulary(writer, json.loads(files.files["tokenizer.json"].read_text()))
    for name, tensor in load_file(files.files["model.safetensors"]).items():
        if (new := new_name(name)) is not None:
            writer.add_tensor(new, numpy.ascontiguousarray(tensor, dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_vocabulary(writer, tokenizer):
    vocabulary = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    texts, kinds = [], []
    for text in vocabulary:
        control = text.startswith("[") and text.endswith("]") and len(text) > 2
        kinds.append(gguf.TokenType.CONTROL if control else gguf.TokenType.NORMAL)
        texts.append(text if control else text[2:] if text.startswith("##") else f"\u2581{text}")
    writer.add_tokenizer_model("bert")
    writer.add_token_list(texts)
    writer.add_token_types(kinds)
    for name, text in {"bos": "[CLS]", "eos": "[SEP]", "sep": "[SEP]", "unk": "[UNK]"}.items():
        getattr(writer, f"add_{name}_token_id")(vocabulary.index(text))
    writer.add_uint32("tokenizer.ggml.cls_token_id", vocabulary.index("[CLS]"))
    writer.add_mask_token_id(vocabulary.index("[MASK]"))
    writer.add_pad_token_id(vocabulary.index("[PAD]"))


def new_name(name):
    if name in NAMES:
        return NAMES[name]
    stem, _, kind = name.rpartition(".")
    if stem.startswith("encoder.layer."):
        _, _, layer, rest = stem.split(".", 3)
        return f"blk.{layer}.{NAMES[rest]}.{kind}"
    return f"{NAMES[stem]}.{kind}" if stem in NAMES else None


@pytest.fixture(scope="session")
def minilm_gguf(minilm_fp32, tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "all-minilm-l6-v2.gguf"
    return ModelFiles("minilm-gguf", "gguf", {"model": write_minilm(minilm_fp32, path)}, "1" * 64)


class TestGgufEmbedder(EmbedderKit):
    @pytest.fixture
    def embedder(self, minilm_gguf):
        yield (made := GgufEmbedder(minilm_gguf, {}))
        made.close()


@pytest.fixture
def opened(minilm_gguf):
    embedder = GgufEmbedder(minilm_gguf, {})
    embedder.open()
    yield embedder
    embedder.close()


def test_the_vectors_are_those_of_the_same_weights_elsewhere(opened, minilm_fp32):
    other = OnnxEmbedder(minilm_fp32, {"precision": "fp32"})
    other.open()
    ours = opened.embed_documents(TEXTS, CancelToken())
    theirs = other.embed_documents(TEXTS, CancelToken())
    questions = [float(opened.embed_query(text) @ other.embed_query(text)) for text in TEXTS]
    other.close()
    assert numpy.sum(ours * theirs, axis=1) == pytest.approx(1.0, abs=1e-3)
    assert questions == pytest.approx([1.0] * len(TEXTS), abs=1e-3)


def test_tokens_are_counted_as_the_models_own_tokenizer_does(opened, minilm_fp32):
    other = OnnxEmbedder(minilm_fp32, {"precision": "fp32"})
    other.open()
    assert opened.count_tokens(TEXTS) == other.count_tokens(TEXTS)
    other.close()


def test_what_a_model_does_not_say_must_be_said(minilm_fp32, smollm2, tmp_path):
    path = write_minilm(minilm_fp32, tmp_path / "m.gguf", pooling=None)
    files = ModelFiles("m", "gguf", {"model": path})
    for model in (files, smollm2):
        with pytest.raises(UserError, match=r"how its vectors are made.*\n.*NAME pooling=mean"):
            GgufEmbedder(model, {}).open()
    for pooling in ("mean", "cls", "last"):
        embedder = GgufEmbedder(files, {"pooling": pooling})
        embedder.open()
        assert embedder.dimension == 384
        embedder.close()


def test_a_language_model_can_be_used_if_it_is_said_how(smollm2):
    embedder = GgufEmbedder(smollm2, {"pooling": "mean", "max_tokens": 64})
    embedder.open()
    vectors = embedder.embed_documents(TEXTS[:2], CancelToken())
    embedder.close()
    assert numpy.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-4)
    assert vectors.shape == (2, embedder.dimension)


def test_a_reranker_is_refused(minilm_fp32, tmp_path):
    path = write_minilm(minilm_fp32, tmp_path / "m.gguf", pooling=4)
    with pytest.raises(ModelError, match="is a reranker"):
        GgufEmbedder(ModelFiles("m", "gguf", {"model": path}), {"pooling": "mean"}).open()


def test_a_truncated_file_never_reaches_native_code(minilm_gguf, tmp_path):
    path = tmp_path / "half.gguf"
    path.write_bytes(minilm_gguf.files["model"].read_bytes()[: 20 << 20])
    with pytest.raises(ModelBrokenError, match="truncated"):
        GgufEmbedder(ModelFiles("half", "gguf", {"model": path}), {}).open()


def test_a_file_that_is_gone_is_told(tmp_path):
    files = ModelFiles("gone", "gguf", {"model": tmp_path / "gone.gguf"})
    with pytest.raises(ModelBrokenError, match=r"missing.\nFetch it again: nook pull gone"):
        GgufEmbedder(files, {}).open()


def test_more_tokens_than_it_was_trained_for_are_refused(minilm_gguf):
    with pytest.raises(UserError, match="max_tokens=9999 is more than minilm-gguf was trained for"):
        GgufEmbedder(minilm_gguf, {"max_tokens": 9999}).open()


def test_the_fingerprint_names_what_changes_a_vector(minilm_gguf):
    fingerprints = set()
    for options in ({}, {"pooling": "cls"}, {"max_tokens": 100}):
        embedder = GgufEmbedder(minilm_gguf, options)
        embedder.open()
        fingerprints.add(embedder.fingerprint)
        embedder.close()
    assert len(fingerprints) == 3


def test_the_prefixes_of_a_family_are_put_before_texts(minilm_gguf):
    path = minilm_gguf.files["model"]
    named = ModelFiles("nomic-embed-text:v1.5", "gguf", {"model": path}, "1" * 64)
    embedder, plain = GgufEmbedder(named, {}), GgufEmbedder(minilm_gguf, {})
    embedder.open()
    plain.open()
    assert embedder.max_tokens < plain.max_tokens
    same = plain.embed_query("search_query: ducks")
    assert float(embedder.embed_query("ducks") @ same) == pytest.approx(1.0, abs=1e-5)
    embedder.close()
    plain.close()


def test_a_process_that_is_killed_is_told(opened):
    os.kill(opened._process.pid, signal.SIGKILL)
    with pytest.raises(RuntimeFailure, match=r"ended: signal 9 \(SIGKILL\)"):
        opened.embed_query("ducks")


def test_an_assistant_finds_its_documents_with_it(minilm_gguf, assistant_home, tmp_path):
    (tmp_path / "guide.txt").write_text("A password must have fourteen characters.\n")
    path = minilm_gguf.files["model"]
    for line in (f"gguf model={path}", f"{path}"):
        (tmp_path / "Assistantfile").write_text(
            f"FROM smollm2:135m\nFILE guide.txt\nEMBEDDER {line}\nRETRIEVE mode=vector\n"
        )
        with Assistant.from_file(tmp_path / "Assistantfile") as assistant:
            assistant.ingest()
            found = assistant.search("secret word length", limit=1)
            assert "fourteen" in found[0].text
