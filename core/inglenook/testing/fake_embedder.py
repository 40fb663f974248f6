"""A deterministic embedder without a model: hashed letter groups, a word a token."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from inglenook.errors import Cancelled
from inglenook.types import CancelToken, ModelFiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

__all__ = ["FakeEmbedder"]

_DIMENSION = 64
_GROUP = 3


class FakeEmbedder:
    """Implements `protocols.Embedder`; texts that share letters are near each other."""

    def __init__(
        self, files: ModelFiles | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        del files
        self._max_tokens = int((options or {}).get("max_tokens", 256))

    @property
    def dimension(self) -> int:
        return _DIMENSION

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    @property
    def fingerprint(self) -> str:
        return f"fake-{_DIMENSION}-{_GROUP}"

    def open(self) -> None:
        """Nothing to load."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_documents(self, texts: Sequence[str], cancel: CancelToken) -> Vectors:
        vectors = numpy.zeros((len(texts), _DIMENSION), dtype=numpy.float32)
        for row, text in enumerate(texts):
            if cancel.cancelled:
                raise Cancelled
            tokens = len(text.split())
            if tokens > self._max_tokens:
                raise ValueError(f"a text has {tokens} tokens; at most {self._max_tokens} fit")
            vectors[row] = _vector(text)
        return vectors

    def embed_query(self, text: str) -> Vectors:
        return _vector(" ".join(text.split()[: self._max_tokens]))

    def close(self) -> None:
        """Nothing to free."""


def _vector(text: str) -> Vectors:
    padded = f" {' '.join(text.lower().split())} "
    vector = numpy.zeros(_DIMENSION, dtype=numpy.float32)
    for start in range(max(1, len(padded) - _GROUP + 1)):
        digest = hashlib.blake2b(padded[start : start + _GROUP].encode(), digest_size=4).digest()
        number = int.from_bytes(digest, "little")
        vector[number % _DIMENSION] += 1.0 if number & 0x80000000 else -1.0
    norm = float(numpy.linalg.norm(vector))
    if norm == 0.0:
        vector[0] = norm = 1.0
    return vector / numpy.float32(norm)
