"""Embeds chunks of several sources at once, in a thread of its own, and each text only once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from inglenook.knowledge.embedding_cache import EmbeddingCache
from inglenook.protocols import Embedder
from inglenook.types import CancelToken

__all__ = ["EmbeddingStage", "digest_of"]

Embedded = tuple["list[bytes]", int]
"""The float32 bytes of each text in the order given, and how many were computed now."""


def digest_of(text: str) -> bytes:
    """What the cache knows an embedded text by."""
    return hashlib.sha256(text.encode()).digest()


class EmbeddingStage:
    """Embeds one batch at a time beside its caller. Use it in a `with` block.

    Args:
        embedder: Open already; `count_tokens` is called by others meanwhile.
        cache: Embeddings that need not be computed again.
    """

    def __init__(self, embedder: Embedder, cache: EmbeddingCache) -> None:
        self._embedder = embedder
        self._cache = cache
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inglenook-embedding")
        self.seconds = 0.0
        """Spent in the embedder so far."""

    def submit(self, texts: Sequence[str]) -> Future[Embedded]:
        """Start on a batch."""
        return self._thread.submit(self._embed, tuple(texts))

    def __enter__(self) -> EmbeddingStage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _embed(self, texts: tuple[str, ...]) -> Embedded:
        digests = [digest_of(text) for text in texts]
        wanted = dict(zip(digests, texts, strict=True))
        fingerprint = self._embedder.fingerprint
        known = self._cache.get(fingerprint, list(wanted))
        missing = [digest for digest in wanted if digest not in known]
        if missing:
            started = time.monotonic()
            vectors = self._embedder.embed_documents([wanted[d] for d in missing], CancelToken())
            self.seconds += time.monotonic() - started
            self._cache.put(fingerprint, missing, vectors)
            known.update({d: v.tobytes() for d, v in zip(missing, vectors, strict=True)})
        return [known[digest] for digest in digests], (
            len(missing) if self._embedder.dimension else 0
        )
