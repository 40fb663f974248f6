"""Text to tokens and back, with the model's own `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from inglenook.errors import ModelBrokenError
from inglenook.models.genai_folder import GenaiTokens
from inglenook_onnx_genai.library import import_tokenizers, one_line

__all__ = ["TokenText", "Vocabulary"]

_UNFINISHED = "\ufffd"
_LONGEST_CHARACTER = 8
"""Tokens after which what still is no character is shown as it is."""


class Vocabulary:
    """The tokenizer of one model; thread-safe.

    The library's own tokenizer has no way to leave control tokens in a text alone.
    """

    def __init__(self, tokens: GenaiTokens, reference: str) -> None:
        self._tokens = tokens
        self._reference = reference
        self._special = self._made()
        ids = (self._special.token_to_id(text) for text in tokens.control_tokens)
        self._control = frozenset(id for id in ids if id is not None)

    def encode(self, text: str, *, special: bool) -> list[int]:
        """The ids of `text`, without begin or end tokens; see `Runtime.tokenize`."""
        # Half a surrogate pair is no UTF-8; it counts as the one character that it would show as.
        text = text.encode("utf-8", "replace").decode()
        if not text:
            return []
        if special:
            return [int(id) for id in self._special.encode(text, add_special_tokens=False).ids]
        return self._encode_plain(text)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; control tokens have none."""
        return str(self._special.decode(list(ids), skip_special_tokens=True))

    @cached_property
    def _plain(self) -> Any:
        """A tokenizer that leaves control tokens in a text alone; few uses need it."""
        tokenizer = self._made()
        tokenizer.encode_special_tokens = True
        return tokenizer

    def _made(self) -> Any:
        library = import_tokenizers()
        try:
            tokenizer = library.Tokenizer.from_str(self._tokens.tokenizer)
        # The library raises the bare class.
        except Exception as error:
            raise ModelBrokenError(
                f"The tokenizer.json of {self._reference} cannot be used: {one_line(error)}.",
                hint="Copy the file anew.",
            ) from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def _encode_plain(self, text: str) -> list[int]:
        encoded = self._plain.encode(text, add_special_tokens=False)
        for id, (start, end) in zip(encoded.ids, encoded.offsets, strict=True):
            if id in self._control and end - start > 1:
                # Some vocabularies know control tokens as words too: spell such a word.
                middle = start + 1
                return self._encode_plain(text[:middle]) + self._encode_plain(text[middle:])
        return [int(id) for id in encoded.ids]


class TokenText:
    """Feed it tokens one by one; it gives whole characters."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._ids: list[int] = []
        # Some tokenizers write a word otherwise at the beginning: what was shown last is kept.
        self._shown = 0

    def feed(self, id: int) -> str:
        """The text that is certain now; "" while a character is incomplete."""
        self._ids.append(id)
        new = self._new()
        if new.endswith(_UNFINISHED) and len(self._ids) - self._shown < _LONGEST_CHARACTER:
            return ""
        if new:
            del self._ids[: self._shown]
            self._shown = len(self._ids)
        return new

    def finish(self) -> str:
        """What was held back, without half a character at the end."""
        return self._new().rstrip(_UNFINISHED)

    def _new(self) -> str:
        before = self._vocabulary.decode(self._ids[: self._shown])
        whole = self._vocabulary.decode(self._ids)
        if whole.startswith(before):
            return whole[len(before) :]
        return self._vocabulary.decode(self._ids[self._shown :])
