"""The embedder `sentence-transformers` with the real library and the real MiniLM."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy
import pytest

from inglenook import Assistant
from inglenook.errors import ModelBrokenError, ModelError, UserError
from inglenook.models.sentence_transformers_folder import sentence_transformers_files
from inglenook.testing.embedder import EmbedderKit
from inglenook.types import CancelToken
from inglenook_onnx_embedder.embedder import OnnxEmbedder
from inglenook_sentence_transformers.embedder import SentenceTransformersEmbedder
from inglenook_sentence_transformers.staging import model_folder

TEXTS = (
    "The password must have at least fourteen characters.",
    "Ducks live near ponds and lakes, and some of them dive.",
    "שלום עולם",
)


def vectors_of(files, texts=TEXTS, **options):
    embedder = SentenceTransformersEmbedder(files, options)
    embedder.open()
    try:
        return embedder.embed_documents(texts, CancelToken())
    finally:
        embedder.close()


def fingerprint_of(files):
    embedder = SentenceTransformersEmbedder(files, {})
    embedder.open()
    embedder.close()
    return embedder.fingerprint


@pytest.fixture
def folder(minilm_fp32, tmp_path):
    """MiniLM as a sentence-transformers folder of its own."""
    with model_folder(minilm_fp32) as staged:
        return Path(shutil.copytree(staged, tmp_path / "model"))


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


class TestWeightsAndTokenizer(EmbedderKit):
    @pytest.fixture
    def embedder(self, minilm_fp32):
        return SentenceTransformersEmbedder(minilm_fp32, {})


def test_vectors_are_those_of_the_other_embedder(minilm_fp32):
    other = OnnxEmbedder(minilm_fp32, {"precision": "fp32"})
    other.open()
    expected = other.embed_documents(TEXTS, CancelToken())
    other.close()
    assert (vectors_of(minilm_fp32) * expected).sum(axis=1).min() > 0.9999


def test_a_folder_gives_the_same_vectors_as_its_weights_and_tokenizer(folder, minilm_fp32):
    files = sentence_transformers_files(folder)
    assert numpy.allclose(vectors_of(files), vectors_of(minilm_fp32), atol=1e-5)


def test_the_batch_size_changes_no_vector(minilm_fp32):
    assert numpy.allclose(
        vectors_of(minilm_fp32, batch_size=1), vectors_of(minilm_fp32, batch_size=8), atol=1e-5
    )


def test_the_folder_s_prompts_go_before_questions_and_passages(folder):
    plain = sentence_transformers_files(folder)
    expected = vectors_of(plain, ["passage: a duck", "query: a duck"])
    change(
        folder / "config_sentence_transformers.json",
        lambda c: c.update(prompts={"query": "query: ", "passage": "passage: "}),
    )
    embedder = SentenceTransformersEmbedder(sentence_transformers_files(folder), {})
    embedder.open()
    passage = embedder.embed_documents(["a duck"], CancelToken())[0]
    question = embedder.embed_query("a duck")
    room = embedder.max_tokens
    embedder.close()
    assert numpy.allclose([passage, question], expected, atol=1e-5)
    assert room == 252


def test_prompts_of_the_manifest_change_the_fingerprint(minilm_fp32):
    details = {**minilm_fp32.details, "query_prefix": "query: "}
    other = replace(minilm_fp32, details=details)
    assert fingerprint_of(other) != fingerprint_of(minilm_fp32)


def test_a_module_more_is_computed(folder):
    """What `onnx` refuses: a dense layer behind the pooling."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    torch.manual_seed(3)
    model.append(Dense(in_features=384, out_features=32))
    model.save_pretrained(str(folder.parent / "dense"))
    expected = model.encode(list(TEXTS), normalize_embeddings=True, show_progress_bar=False)
    found = vectors_of(sentence_transformers_files(folder.parent / "dense"))
    assert found.shape == (len(TEXTS), 32)
    assert numpy.allclose(found, expected, atol=1e-5)


def test_an_assistantfile_names_it_beside_its_model(folder):
    base = folder.parent
    (base / "passwords.txt").write_text(TEXTS[0])
    (base / "ducks.txt").write_text(TEXTS[1])
    lines = (
        "FROM smollm2:135m",
        "FILE *.txt",
        "EMBEDDER sentence-transformers model=./model device=cpu",
        "RETRIEVE mode=vector",
    )
    (base / "Assistantfile").write_text("\n".join(lines))
    with Assistant.from_file(base / "Assistantfile") as assistant:
        assistant.ingest()
        found = assistant.search("Which birds swim?")
    assert [passage.source for passage in found] == ["ducks.txt", "passwords.txt"]
    assert found[0].vector > found[1].vector


def test_a_model_that_names_code_of_its_own_is_refused_unrun(folder, tmp_path):
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    change(folder / "modules.json", lambda modules: modules[0].update(type="evil.Module"))
    with pytest.raises(ModelError, match=r"evil\.Module"):
        vectors_of(sentence_transformers_files(folder))
    assert not (tmp_path / "ran").exists()


def test_truncated_weights_are_a_broken_model(folder):
    weights = folder / "model.safetensors"
    weights.unlink()
    weights.write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(ModelBrokenError, match="cannot be loaded"):
        vectors_of(sentence_transformers_files(folder))


def test_a_file_that_is_gone_is_named(minilm_fp32, tmp_path):
    files = {**minilm_fp32.files, "tokenizer.json": tmp_path / "tokenizer.json"}
    with pytest.raises(ModelBrokenError, match=r"tokenizer\.json is missing"):
        vectors_of(replace(minilm_fp32, files=files))


def test_a_device_that_is_not_there_is_refused_by_name(minilm_fp32):
    with pytest.raises(UserError, match="'abacus'"):
        vectors_of(minilm_fp32, device="abacus")


def test_it_speaks_to_nobody_and_writes_nothing_on_the_terminal(folder, tmp_path):
    program = """
import pickle, socket, sys

def refuse(*arguments, **more):
    raise SystemExit("it opened a socket")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from inglenook_sentence_transformers.embedder import SentenceTransformersEmbedder
embedder = SentenceTransformersEmbedder(pickle.load(open(sys.argv[1], "rb")), {})
embedder.open(); embedder.embed_query("a duck"); embedder.close()
"""
    argument = tmp_path / "files.pickle"
    argument.write_bytes(pickle.dumps(sentence_transformers_files(folder)))
    child = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{program}", argument],
        capture_output=True,
        check=False,
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, b"", b"")
