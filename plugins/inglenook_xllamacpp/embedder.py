"""The embedder `gguf`: embedding models in GGUF files, computed by llama.cpp in its own process."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from inglenook.errors import Cancelled, ModelBrokenError, ModelError, RuntimeFailure, UserError
from inglenook.models.embedder_prefixes import habits_of
from inglenook.models.gguf import GgufInfo, read_gguf
from inglenook.models.storage import file_sha256
from inglenook.processes.worker_process import WorkerGoneError, WorkerProcess
from inglenook.types import CancelToken, ModelFiles

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

__all__ = ["POOLINGS", "GgufEmbedder"]

POOLINGS = ("auto", "mean", "cls", "last")

_SERVER = "inglenook_xllamacpp.embedding_server:EmbeddingServer"
_POOLING_TYPES = ("none", "mean", "cls", "last", "rank")
"""By the number in the key `pooling_type`: `llama_pooling_type` of llama.cpp."""
_USUAL_TOKENS = 512
"""Longer inputs need room for all of their attention; the option asks for it."""
_TOKENS_AT_ONCE = 2048
"""Computed between two looks at a cancel."""


class GgufEmbedder:
    """Implements `protocols.Embedder` for the format gguf."""

    def __init__(self, files: ModelFiles, options: Mapping[str, Any]) -> None:
        self._files = files
        self._threads = int(options.get("threads") or 0) or _usual_threads()
        self._asked_pooling = str(options.get("pooling") or "auto")
        self._asked_tokens = int(options.get("max_tokens") or 0)
        self._process: WorkerProcess | None = None
        self._pooling = ""
        self._query_prefix = self._passage_prefix = ""
        self._longest = 0
        self._begin: list[int] = []
        self._end: list[int] = []
        self._dimension = 0
        self._max_tokens = 0
        self._fingerprint = ""

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def open(self) -> None:
        """Load the model in a process of its own.

        Raises `ModelBrokenError` for a file that cannot be read, `ModelError` or `UserError` for
        a model that cannot be used so, `MissingDependencyError`, `RuntimeFailure`.
        """
        if self._process is not None:
            return
        header = self._header()
        self._pooling = self._chosen_pooling(header)
        self._longest = self._chosen_length(header)
        self._read_prefixes(header)
        arguments = (
            self._files.files["model"],
            self._files.reference,
            self._pooling,
            self._longest,
            self._threads,
        )
        self._process = WorkerProcess(_SERVER, arguments, log=None)
        try:
            self._dimension, self._begin, self._end = self._ask("open")
            edges = len(self._begin) + len(self._end)
            alone, prefixed = self.count_tokens(["a", self._passage_prefix + "a"])
            self._max_tokens = self._longest - edges - (prefixed - alone)
            self._fingerprint = self._make_fingerprint()
        except BaseException:
            self.close()
            raise

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._tokens(texts)]

    def embed_documents(self, texts: Sequence[str], cancel: CancelToken) -> Vectors:
        import numpy

        vectors = numpy.zeros((len(texts), self._dimension), dtype=numpy.float32)
        done = 0
        for inputs in self._groups(texts):
            if cancel.cancelled:
                raise Cancelled
            vectors[done : done + len(inputs)] = self._ask("embed", inputs)
            done += len(inputs)
        return vectors

    def embed_query(self, text: str) -> Vectors:
        (ids,) = self._tokens([self._query_prefix + text])
        room = self._longest - len(self._begin) - len(self._end)
        vector: Vectors = self._ask("embed", [[*self._begin, *ids[:room], *self._end]])[0]
        return vector

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def _header(self) -> GgufInfo:
        path = self._files.files.get("model")
        if path is None or not path.is_file():
            raise ModelBrokenError(
                f"The file of {self._files.reference} is missing.",
                hint=f"Fetch it again: nook pull {self._files.reference}",
            )
        return read_gguf(path)

    def _chosen_pooling(self, header: GgufInfo) -> str:
        """What the option says, else the model. Raises where neither does."""
        number = header.metadata.get(f"{header.architecture}.pooling_type")
        known = isinstance(number, int) and 0 <= number < len(_POOLING_TYPES)
        stated = _POOLING_TYPES[number] if known and isinstance(number, int) else "none"
        if stated == "rank":
            raise ModelError(
                f"{self._files.reference} is a reranker: it gives scores, not vectors.",
                hint="Take an embedding model, such as: EMBEDDER minilm",
            )
        if self._asked_pooling not in POOLINGS:
            raise UserError(
                f"pooling={self._asked_pooling} is not known.",
                hint=f"Known are: {', '.join(POOLINGS)}.",
            )
        if self._asked_pooling != "auto":
            return self._asked_pooling
        if stated == "none":
            raise UserError(
                f"{self._files.reference} does not say how its vectors are made; it may be no"
                " embedding model.",
                hint="If it is one, its card says how: EMBEDDER gguf model=NAME pooling=mean (or"
                " cls, last).",
            )
        return stated

    def _chosen_length(self, header: GgufInfo) -> int:
        trained = header.context_length or _USUAL_TOKENS
        if self._asked_tokens > trained:
            raise UserError(
                f"max_tokens={self._asked_tokens} is more than {self._files.reference} was trained"
                f" for: {trained}.",
                hint="Give a smaller one, or none.",
            )
        return self._asked_tokens or min(trained, _USUAL_TOKENS)

    def _read_prefixes(self, header: GgufInfo) -> None:
        details = self._files.details
        stem = self._files.files["model"].stem
        habits = habits_of(self._files.reference.rpartition("/")[2], stem, header.name)
        self._query_prefix = str(details.get("query_prefix", habits.query_prefix))
        self._passage_prefix = str(details.get("passage_prefix", habits.passage_prefix))

    def _make_fingerprint(self) -> str:
        parts = {
            "format": "gguf",
            "model": self._files.digest or file_sha256(self._files.files["model"]),
            "pooling": self._pooling,
            "max_tokens": self._longest,
            "query_prefix": self._query_prefix,
            "passage_prefix": self._passage_prefix,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        ids: list[list[int]] = self._ask("tokens", list(texts)) if texts else []
        return ids

    def _groups(self, texts: Sequence[str]) -> Iterator[list[list[int]]]:
        """The whole inputs in order, a few at a time. Raises `ValueError` for an over-long one."""
        group: list[list[int]] = []
        for ids in self._tokens([self._passage_prefix + text for text in texts]):
            whole = [*self._begin, *ids, *self._end]
            if len(whole) > self._longest:
                raise ValueError(
                    f"a text has {len(whole)} tokens, begin and end tokens included;"
                    f" {self._files.reference} takes at most {self._longest}"
                )
            group.append(whole)
            if sum(map(len, group)) >= _TOKENS_AT_ONCE:
                yield group
                group = []
        if group:
            yield group

    def _ask(self, method: str, *arguments: Any) -> Any:
        if self._process is None:
            raise RuntimeError("the embedder is not open")
        try:
            return self._process.call(method, *arguments)
        except WorkerGoneError as error:
            raise RuntimeFailure(
                f"The process that embeds with {self._files.reference} ended: {error.reason}.",
                hint="The machine may have run out of memory; a smaller model needs less.",
            ) from error


def _usual_threads() -> int:
    """Half of the cores: threads of the library wait busily for one that is held up."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)) // 2)
    return max(1, (os.cpu_count() or 1) // 2)
