"""The embedder `onnx` with the real MiniLM, as int8 ONNX and as fp32 safetensors."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy
import pytest

from inglenook.errors import ModelBrokenError, ModelError
from inglenook.testing.embedder import EmbedderKit
from inglenook.types import CancelToken
from inglenook_onnx_embedder.embedder import OnnxEmbedder

TEXTS = (
    "The password must have at least fourteen characters.",
    "Ducks live near ponds and lakes, and some of them dive.",
    "Vacation is requested at least two weeks ahead for three days or more. " * 8,
    "שלום עולם",
)

MORE_TEXTS = (
    "a",
    "?!",
    "0",
    "3.14159 2.71828 1.41421",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 and emoji 🎉🎉🎉",
    "إجازة الموظفين السنوية",
    "日本語の文章を埋め込みます。",
    "The the the the the the the the the the the the the the the the the the the the.",
    "https://example.org/a/very/long/path?with=parameters&and=more#fragment",
    "Caspase-3 cleaves PARP-1 between Asp214 and Gly215 in apoptotic HeLa cells. " * 6,
    "| a | b |\n| --- | --- |\n| 1 | 2 |\n" * 10,
    '{\'key\': [1, 2, 3], "nested": {"true": null}}',
)


def vectors_of(files, texts=TEXTS, **options):
    embedder = OnnxEmbedder(files, options)
    embedder.open()
    try:
        return embedder.embed_documents(texts, CancelToken())
    finally:
        embedder.close()


class TestInt8(EmbedderKit):
    @pytest.fixture
    def embedder(self, minilm):
        return OnnxEmbedder(minilm, {})


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("derived")


class TestFp32(EmbedderKit):
    @pytest.fixture
    def embedder(self, minilm_fp32, cache_folder):
        return OnnxEmbedder(_kept_in(minilm_fp32, cache_folder), {})


def _kept_in(files, folder):
    return replace(files, details={**files.details, "derived_dir": str(folder)})


def test_int8_and_fp32_agree(minilm, minilm_fp32, tmp_path):
    int8 = vectors_of(minilm)
    fp32 = vectors_of(_kept_in(minilm_fp32, tmp_path))
    assert (int8 * fp32).sum(axis=1).min() > 0.98


def test_the_built_graph_computes_what_the_formulas_say(minilm_fp32, tmp_path):
    files = _kept_in(minilm_fp32, tmp_path)
    expected = [_reference_vector(files, text) for text in TEXTS]
    found = vectors_of(files, precision="fp32")
    assert (numpy.array(expected) * found).sum(axis=1).min() > 0.9999


def test_int8_vectors_do_not_depend_on_what_is_embedded_beside_them(minilm):
    together = vectors_of(minilm)
    alone = numpy.vstack([vectors_of(minilm, [text]) for text in TEXTS])
    assert numpy.array_equal(together, alone)


def test_the_number_of_threads_changes_no_vector(minilm):
    assert numpy.array_equal(vectors_of(minilm, threads=1), vectors_of(minilm, threads=3))


def test_the_built_graph_is_kept_and_used_again(minilm_fp32, tmp_path):
    files = _kept_in(minilm_fp32, tmp_path)
    first = vectors_of(files)
    (kept,) = tmp_path.glob("*.onnx")
    written = kept.stat().st_mtime_ns
    assert numpy.array_equal(vectors_of(files), first)
    assert kept.stat().st_mtime_ns == written


def test_a_damaged_kept_graph_is_built_again(minilm_fp32, tmp_path):
    files = _kept_in(minilm_fp32, tmp_path)
    first = vectors_of(files)
    (kept,) = tmp_path.glob("*.onnx")
    content = bytearray(kept.read_bytes())
    content[5_000_000] ^= 0xFF
    kept.write_bytes(content)
    assert numpy.array_equal(vectors_of(files), first)
    assert kept.read_bytes() != bytes(content)


def test_a_cache_folder_that_cannot_be_made_costs_nothing_but_time(minilm_fp32, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert vectors_of(_kept_in(minilm_fp32, blocked / "derived")).shape == (len(TEXTS), 384)


def test_tokens_are_counted_far_past_the_limit(minilm):
    embedder = OnnxEmbedder(minilm, {})
    embedder.open()
    assert embedder.max_tokens == 254
    assert embedder.count_tokens(["duck " * 5_000]) == [5_000]
    embedder.close()


def test_prefixes_count_against_the_limit_and_change_the_fingerprint(minilm):
    prefixed = replace(minilm, details={**minilm.details, "passage_prefix": "passage: "})
    plain, other = OnnxEmbedder(minilm, {}), OnnxEmbedder(prefixed, {})
    plain.open()
    other.open()
    assert other.max_tokens == plain.max_tokens - 2
    assert other.fingerprint != plain.fingerprint
    first = other.embed_documents(["a duck"], CancelToken())
    second = plain.embed_documents(["passage: a duck"], CancelToken())
    assert numpy.array_equal(first, second)


def test_a_truncated_graph_is_a_broken_model_with_a_way_out(minilm, tmp_path):
    cut = tmp_path / "model.onnx"
    cut.write_bytes(minilm.files["model.onnx"].read_bytes()[:100_000])
    broken = replace(minilm, files={**minilm.files, "model.onnx": cut})
    with pytest.raises(ModelBrokenError, match="nook pull"):
        OnnxEmbedder(broken, {}).open()


def test_truncated_weights_are_a_broken_model(minilm_fp32, tmp_path):
    cut = tmp_path / "model.safetensors"
    cut.write_bytes(minilm_fp32.files["model.safetensors"].read_bytes()[:1_000_000])
    files = {**minilm_fp32.files, "model.safetensors": cut}
    with pytest.raises(ModelBrokenError, match="cut short"):
        OnnxEmbedder(replace(minilm_fp32, files=files, digest="other"), {}).open()


def test_a_missing_tokenizer_is_named(minilm):
    files = {"model.onnx": minilm.files["model.onnx"]}
    with pytest.raises(ModelBrokenError, match=r"tokenizer\.json is missing"):
        OnnxEmbedder(replace(minilm, files=files), {}).open()


def test_an_unknown_pooling_is_refused_by_name(minilm):
    with pytest.raises(ModelError, match="'max'"):
        OnnxEmbedder(replace(minilm, details={"pooling": "max"}), {})


def test_an_unknown_precision_is_refused(minilm_fp32):
    with pytest.raises(ModelError, match="'int4'"):
        OnnxEmbedder(minilm_fp32, {"precision": "int4"})


def test_8_bits_are_within_a_hundredth_of_float32_on_any_text(minilm_fp32, cache_folder):
    texts = (*TEXTS, *MORE_TEXTS)
    files = _kept_in(minilm_fp32, cache_folder)
    exact = vectors_of(files, texts, precision="fp32")
    bytes_ = vectors_of(files, texts, precision="int8")
    variants = {
        json.loads(path.read_text())["variant"] for path in cache_folder.glob("*-int8-*.json")
    }
    assert variants <= {"int8", "int7"}
    assert variants
    cosines = (exact * bytes_).sum(axis=1)
    assert cosines.min() > 0.99
    assert cosines.mean() > 0.995
    assert (exact != bytes_).any(), "they are not the same graph"


def test_both_precisions_share_an_index(minilm_fp32, cache_folder):
    fingerprints = set()
    for precision in ("fp32", "int8"):
        embedder = OnnxEmbedder(_kept_in(minilm_fp32, cache_folder), {"precision": precision})
        embedder.open()
        fingerprints.add(embedder.fingerprint)
        embedder.close()
    assert len(fingerprints) == 1


def test_nothing_lands_on_the_terminal(minilm, tmp_path):
    program = (
        "import pickle, sys; from inglenook_onnx_embedder.embedder import OnnxEmbedder\n"
        "embedder = OnnxEmbedder(pickle.load(open(sys.argv[1], 'rb')), {})\n"
        "embedder.open(); embedder.embed_query('a duck'); embedder.close()"
    )
    import pickle

    argument = tmp_path / "files.pickle"
    argument.write_bytes(pickle.dumps(minilm))
    child = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{program}", argument],
        capture_output=True,
        check=False,
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, b"", b"")


def _reference_vector(files, text):
    """The forward pass of BERT written out in numpy, with mean pooling."""
    from math import erf

    from tokenizers import Tokenizer

    from inglenook_onnx_embedder.safetensors import read_safetensors

    weights = read_safetensors(files.files["model.safetensors"])
    config = json.loads(files.files["config.json"].read_text())
    tokenizer = Tokenizer.from_file(str(files.files["tokenizer.json"]))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ids = tokenizer.encode(text).ids
    heads, size = config["num_attention_heads"], config["hidden_size"]

    def dense(name, value):
        return value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name, value):
        centred = value - value.mean(-1, keepdims=True)
        scaled = centred / numpy.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def split(value):
        return value.reshape(len(ids), heads, size // heads).transpose(1, 0, 2)

    states = norm(
        "embeddings.LayerNorm",
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0],
    )
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        query, key, value = (
            split(dense(f"{layer}.attention.self.{part}", states))
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / numpy.sqrt(size // heads)
        shares = numpy.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        mixed = (shares @ value).transpose(1, 0, 2).reshape(len(ids), size)
        states = norm(
            f"{layer}.attention.output.LayerNorm",
            dense(f"{layer}.attention.output.dense", mixed) + states,
        )
        inner = dense(f"{layer}.intermediate.dense", states)
        inner = inner * 0.5 * (1 + numpy.vectorize(erf)(inner / numpy.sqrt(2)))
        states = norm(f"{layer}.output.LayerNorm", dense(f"{layer}.output.dense", inner) + states)
    pooled = states.mean(0)
    return pooled / numpy.linalg.norm(pooled)
