"""Counts tokens with a copy of a model's tokenizer, beside the model's own use of it.

The model sets its tokenizer to cut and to pad, which the tokenizers library forbids while another
thread is in it ("Already borrowed"); a copy is free of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inglenook.errors import ModelError

__all__ = ["TokenCounter"]


class TokenCounter:
    """Counts the tokens of texts without any cut.

    Args:
        tokenizer: What the model uses: a fast one of transformers, or one of tokenizers.
        reference: The model's name, for messages.

    Raises `ModelError` for a tokenizer of another kind.
    """

    def __init__(self, tokenizer: Any, reference: str) -> None:
        from tokenizers import Tokenizer

        rust = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not isinstance(rust, Tokenizer):
            raise ModelError(
                f"{reference} has a tokenizer of a kind that is not supported"
                f" ({type(tokenizer).__name__}).",
                hint="Use a model that comes with a tokenizer.json.",
            )
        self._tokenizer = Tokenizer.from_str(rust.to_str())
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    @property
    def specials(self) -> int:
        """The begin and end tokens that every text gets."""
        return int(self._tokenizer.num_special_tokens_to_add(False))

    def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, begin and end tokens apart."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]
