"""Stands in for an embedder where an assistant retrieves by words alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy

from inglenook.errors import UserError
from inglenook.types import CancelToken

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NoEmbedder", "no_vectors"]

_PIECES = re.compile(r"[a-zA-Z]{1,6}|\d{1,3}|[^\W\d_a-zA-Z]{1,3}|[^\w\s]|_")


class NoEmbedder:
    """Vectors of dimension 0. Tokens are estimated, only to keep chunks of a usual size."""

    dimension = 0
    max_tokens = 256
    fingerprint = "none"

    def open(self) -> None:
        """Nothing to load."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_PIECES.findall(text)) for text in texts]

    def embed_documents(self, texts: Sequence[str], cancel: CancelToken) -> NDArray[numpy.float32]:
        del cancel
        return numpy.zeros((len(texts), 0), dtype=numpy.float32)

    def embed_query(self, text: str) -> NDArray[numpy.float32]:
        del text
        return numpy.zeros(0, dtype=numpy.float32)

    def close(self) -> None:
        """Nothing to free."""


def no_vectors(*, outdated: bool) -> UserError:
    """Why nothing can be searched by vectors alone."""
    if outdated:
        return UserError(
            "The documents were read with another embedder or splitter.",
            hint="Run `nook ingest` for this assistant, or ask with mode=lexical.",
        )
    return UserError(
        "This assistant searches by words alone; it has no vectors to search by.",
        hint="Take `mode=lexical` out of its RETRIEVE line, then run `nook ingest`.",
    )
