"""Text comes out of tokens whole, whatever kind of tokenizer a model has."""

from __future__ import annotations

import json

import pytest

from inglenook.errors import ModelBrokenError
from inglenook.models.genai_folder import GenaiTokens
from inglenook_onnx_genai.vocabulary import TokenText, Vocabulary

WORDS = ["<unk>", "<s>", "</s>", "▁Hello", "▁", "!", "s", ">", "<", "▁a"]
BYTES = {value: len(WORDS) + value for value in range(256)}
SMILE = [BYTES[value] for value in "🙂".encode()]


def tokens_of(model: dict, decoder: dict | None = None, **fields) -> GenaiTokens:
    added = [
        {"id": id, "content": WORDS[id], "special": True, "single_word": False, "lstrip": False,
         "rstrip": False, "normalized": False}
        for id in (0, 1, 2)
    ]  # fmt: skip
    content = {
        "version": "1.0",
        "added_tokens": added,
        "model": model,
        "decoder": decoder,
        **fields,
    }
    return GenaiTokens("", "<s>", "</s>", True, tuple(WORDS[:3]), json.dumps(content))


@pytest.fixture
def sentencepiece() -> Vocabulary:
    """A tokenizer as that of Llama 2: words with their blank, bytes for all else."""
    vocabulary = {word: id for id, word in enumerate(WORDS)}
    vocabulary |= {f"<0x{value:02X}>": id for value, id in BYTES.items()}
    model = {"type": "BPE", "vocab": vocabulary, "merges": [], "byte_fallback": True}
    steps = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]
    tokens = tokens_of(model | {"unk_token": "<unk>"}, {"type": "Sequence", "decoders": steps})
    return Vocabulary(tokens, "tiny")


@pytest.mark.parametrize(
    ("ids", "pieces"),
    [
        ([3, 3, 5], ["Hello", " Hello", "!"]),
        ([3, *SMILE, 5], ["Hello", "🙂", "!"]),
        ([*SMILE, *SMILE, 3], ["🙂", "🙂", " Hello"]),
        ([3, 1, 3], ["Hello", " Hello"]),
        ([3, *SMILE[:3]], ["Hello"]),
    ],
)
def test_pieces_are_whole_characters_with_their_blanks(sentencepiece, ids, pieces):
    text = TokenText(sentencepiece)
    given = [text.feed(id) for id in ids]
    assert [piece for piece in [*given, text.finish()] if piece] == pieces


def test_bytes_that_never_become_a_character_do_not_hold_the_text_back_for_ever(sentencepiece):
    text = TokenText(sentencepiece)
    given = "".join(text.feed(id) for id in [BYTES[0xFF]] * 20 + [3])
    assert given.endswith("Hello")


def test_a_control_token_that_is_a_word_too_is_spelt(sentencepiece):
    scores = [[word, -float(len(WORDS) - id)] for id, word in enumerate(WORDS)]
    vocabulary = Vocabulary(tokens_of({"type": "Unigram", "vocab": scores, "unk_id": 0}), "tiny")
    assert vocabulary.encode("a<s>", special=True)[-1] == 1
    assert 1 not in vocabulary.encode("<s>", special=False)
    assert vocabulary.encode("<s>", special=False) == [8, 6, 7]


def test_a_text_is_never_cut(sentencepiece):
    model = {"type": "WordLevel", "vocab": {"a": 3, "<unk>": 0}, "unk_token": "<unk>"}
    cut = {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    split = {"type": "Whitespace"}
    vocabulary = Vocabulary(tokens_of(model, truncation=cut, pre_tokenizer=split), "tiny")
    assert vocabulary.encode("a a a a", special=False) == [3, 3, 3, 3]
    assert vocabulary.encode("a a a a", special=True) == [3, 3, 3, 3]


def test_a_tokenizer_that_is_none_is_told_in_words():
    with pytest.raises(ModelBrokenError, match=r"tokenizer\.json of tiny cannot be used"):
        Vocabulary(tokens_of({"type": "Nonsense"}), "tiny")
