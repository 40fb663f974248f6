"""A deterministic reranker without a model: the share of the question's words in a text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from inglenook.errors import Cancelled
from inglenook.types import CancelToken, ModelFiles

__all__ = ["FakeReranker"]

_WORD = re.compile(r"\w+")
_SHORTEST = 4


class FakeReranker:
    """Implements `protocols.Reranker`; words of fewer than four letters count for nothing."""

    def __init__(
        self, files: ModelFiles | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        del files, options

    @property
    def fingerprint(self) -> str:
        return "fake-words"

    def open(self) -> None:
        """Nothing to load."""

    def rerank(self, question: str, texts: Sequence[str], cancel: CancelToken) -> list[float]:
        wanted = _words(question)
        scores = []
        for text in texts:
            if cancel.cancelled:
                raise Cancelled
            scores.append(len(wanted & _words(text)) / max(1, len(wanted)))
        return scores

    def close(self) -> None:
        """Nothing to free."""


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.lower()) if len(word) >= _SHORTEST}
