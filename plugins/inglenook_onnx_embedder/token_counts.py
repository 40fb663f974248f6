"""Counts the tokens of texts; words that were counted before cost nothing.

A BERT tokenizer looks at each word between blanks by itself, so a text has the tokens of its
words. Splitting counts every sentence of every document, mostly of words that it saw before.
Texts with characters at which the tokenizer's idea of a blank differs from Python's, and other
kinds of tokenizers, are counted whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

__all__ = ["TokenCounts"]

_MOST_WORDS = 200_000
_LONGEST_WORD = 64
# Controls, marks of direction and other characters that a BERT tokenizer drops or takes for blanks.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\ufeff\ufffd]"
)


class TokenCounts:
    """Counts for one tokenizer. Threads may share it: at worst a word is counted twice."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._by_words = _looks_at_words(tokenizer)
        self._known: dict[str, int] = {}

    def of(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, without those at the begin and the end."""
        if not self._by_words:
            return self._whole(texts)
        split = [None if _ODD.search(text) else text.split() for text in texts]
        self._learn({word for words in split if words for word in words if word not in self._known})
        odd = [text for text, words in zip(texts, split, strict=True) if words is None]
        whole = iter(self._whole(odd))
        return [next(whole) if words is None else self._sum(words) for words in split]

    def _sum(self, words: Sequence[str]) -> int:
        known = self._known
        try:
            return sum([known[word] for word in words])
        except KeyError:
            # A long word, which is not kept, or another thread has begun anew.
            return sum(self._whole(words))

    def _learn(self, words: set[str]) -> None:
        if len(self._known) + len(words) > _MOST_WORDS:
            self._known = {}
        short = [word for word in words if len(word) <= _LONGEST_WORD]
        self._known.update(zip(short, self._whole(short), strict=True))

    def _whole(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]


def _looks_at_words(tokenizer: Any) -> bool:
    """Whether it is a BERT tokenizer: a word's tokens do not depend on its neighbours."""
    parts = json.loads(tokenizer.to_str())
    kinds = [
        (parts.get(name) or {}).get("type") for name in ("normalizer", "pre_tokenizer", "model")
    ]
    added = any(" " in token["content"] for token in parts.get("added_tokens", ()))
    return kinds == ["BertNormalizer", "BertPreTokenizer", "WordPiece"] and not added
