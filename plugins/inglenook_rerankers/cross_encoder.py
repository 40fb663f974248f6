"""The reranker `cross-encoder`: a classifier that reads question and passage together.

Each pair is computed on its own, so a score never depends on which passages stand beside it; the
cores work on different pairs, which is as fast as batches and pads nothing. A passage in several
pieces has the score of its best one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from inglenook.errors import Cancelled, ModelBrokenError, UserError
from inglenook.privacy import silence_telemetry
from inglenook.types import CancelToken, ModelFiles
from inglenook_rerankers.graph import Scorer, open_scorer
from inglenook_rerankers.pairs import Pair, PairMaker

__all__ = ["CrossEncoder"]

_LONGEST = 512
_PAIRS_BETWEEN_CANCEL_CHECKS = 8


class CrossEncoder:
    """Implements `protocols.Reranker` for cross-encoder-onnx and cross-encoder-safetensors."""

    def __init__(self, files: ModelFiles | None, options: Mapping[str, Any]) -> None:
        if files is None:
            raise UserError(
                "RERANKER cross-encoder needs a model.",
                hint="Name its folder: RERANKER cross-encoder model=./my-reranker",
            )
        self._files = files
        self._max_length = int(options.get("max_length") or 0)
        self._threads = int(options.get("threads") or 0) or _usable_cores()
        self._pairs: PairMaker | None = None
        self._scorer: Scorer | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._fingerprint = ""

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def open(self) -> None:
        if self._scorer is not None:
            return
        silence_telemetry()
        limit = int(self._files.details.get("max_tokens", _LONGEST))
        if self._max_length > limit:
            raise UserError(
                f"max_length={self._max_length} is more than {self._files.reference} takes:"
                f" {limit} tokens.",
                hint="Leave max_length out.",
            )
        length = self._max_length or min(limit, _LONGEST)
        pairs = PairMaker(self._file("tokenizer.json"), length, self._files.reference)
        self._scorer = open_scorer(self._files, next(pairs.pairs("duck", "pond")))
        self._pairs = pairs
        self._fingerprint = self._make_fingerprint(length)

    def rerank(self, question: str, texts: Sequence[str], cancel: CancelToken) -> list[float]:
        if self._pairs is None or self._scorer is None:
            raise RuntimeError("the reranker is not open")
        pieces = [
            (row, pair)
            for row, text in enumerate(texts)
            for pair in self._pairs.pairs(question, text)
        ]
        best = [float("-inf")] * len(texts)
        for first in range(0, len(pieces), _PAIRS_BETWEEN_CANCEL_CHECKS):
            if cancel.cancelled:
                raise Cancelled
            window = pieces[first : first + _PAIRS_BETWEEN_CANCEL_CHECKS]
            scores = self._map(self._scorer, [pair for _, pair in window])
            for (row, _), score in zip(window, scores, strict=True):
                best[row] = max(best[row], score)
        return best

    def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()
        self._scorer = None
        self._pairs = None

    def _map(self, scorer: Scorer, pairs: Sequence[Pair]) -> list[float]:
        if len(pairs) == 1 or self._threads == 1:
            return [scorer(pair) for pair in pairs]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="inglenook-rerank")
        return list(self._pool.map(scorer, pairs))

    def _make_fingerprint(self, length: int) -> str:
        parts = {
            "format": self._files.format,
            "model": self._files.digest,
            "tokenizer": _sha256(self._file("tokenizer.json")),
            "max_length": length,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _file(self, name: str) -> Path:
        path = self._files.files.get(name)
        if path is None or not path.is_file():
            raise ModelBrokenError(
                f"{self._files.reference}: {name} is missing.", hint="Copy the folder anew."
            )
        return path


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
