"""Tokens are counted word by word, and come out as the tokenizer itself counts them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from inglenook_onnx_embedder import token_counts
from inglenook_onnx_embedder.token_counts import TokenCounts

PIECES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "password", "isn't", "[SEP]", "x[MASK]y", "漢字かな", "שָׁלוֹם", "مرحبا",
            "naïve", "e\u0301", "a" * 120, "3.14", "\u00a0", "\u3000", "\t", "\r\n", "\x1c", "\x85",
            "\u200b", "\u2028", "\ufeff", "🎉", "ﬁ", "Ⅳ", "\u00ad", "İ", "ς",
        ]
    ),
)  # fmt: skip
TEXTS = st.lists(
    st.lists(PIECES, max_size=12).flatmap(lambda p: st.sampled_from(["".join(p), " ".join(p)])),
    max_size=5,
)


@pytest.fixture(scope="module")
def tokenizer(minilm):
    opened = Tokenizer.from_file(str(minilm.files["tokenizer.json"]))
    opened.no_truncation()
    opened.no_padding()
    return opened


def expected(tokenizer, texts):
    return [len(entry.ids) for entry in tokenizer.encode_batch(texts, add_special_tokens=False)]


def test_any_text_has_the_tokens_that_the_tokenizer_gives_it(tokenizer):
    counts = TokenCounts(tokenizer)

    @settings(max_examples=400, deadline=None)
    @given(TEXTS)
    def check(texts):
        assert expected(tokenizer, texts) == counts.of(texts)

    check()


def test_every_character_of_the_basic_plane_is_counted_right(tokenizer):
    counts = TokenCounts(tokenizer)
    texts = [f"ab{chr(code)}cd" for code in range(1, 0xFFFF) if not 0xD800 <= code < 0xE000]
    assert expected(tokenizer, texts) == counts.of(texts)


def test_known_words_are_forgotten_before_they_fill_memory(tokenizer, monkeypatch):
    monkeypatch.setattr(token_counts, "_MOST_WORDS", 10)
    counts = TokenCounts(tokenizer)
    texts = [" ".join(f"word{n}" for n in range(first, first + 7)) for first in range(0, 70, 7)]
    assert expected(tokenizer, texts) == [counts.of([text])[0] for text in texts]
    assert expected(tokenizer, texts) == counts.of(texts)


def test_a_tokenizer_of_another_kind_counts_texts_whole():
    other = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2, "b": 3}, unk_token="[UNK]"))
    other.normalizer = normalizers.Sequence([normalizers.Replace(" ", "")])
    other.pre_tokenizer = pre_tokenizers.Whitespace()
    assert expected(other, ["a b a b"]) == TokenCounts(other).of(["a b a b"])


def test_words_that_were_seen_are_counted_without_the_tokenizer(tokenizer):
    class Counted:
        calls = 0

        def to_str(self):
            return tokenizer.to_str()

        def encode_batch_fast(self, texts, **options):
            self.calls += len(texts)
            return tokenizer.encode_batch_fast(texts, **options)

    watched = Counted()
    counts = TokenCounts(watched)
    counts.of(["the quick brown fox"])
    seen = watched.calls
    assert counts.of(["fox the brown", "quick"]) == [3, 1]
    assert watched.calls == seen
