"""The embedder `onnx`: a tokenizer, an ONNX graph, pooling, and vectors of length 1.

Each text is computed on its own, so a vector never depends on which texts were embedded beside
it (the activations of int8 models are scaled over the whole batch). The cores work on different
texts instead, which is as fast as batches and pads nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import Cancelled, InglenookError, ModelBrokenError, ModelError
from inglenook.privacy import silence_telemetry
from inglenook.types import CancelToken, DeviceReport, ModelFiles
from inglenook_onnx_embedder.kept_file import sha256_of
from inglenook_onnx_embedder.sessions import feed_for, missing, open_session
from inglenook_onnx_embedder.token_counts import TokenCounts

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

__all__ = ["PRECISIONS", "OnnxEmbedder", "Pooling"]

PRECISIONS = ("auto", "int8", "fp32")
"""Of a graph made from a safetensors model."""

_POOLINGS = ("mean", "cls")


@dataclass(frozen=True, slots=True)
class Pooling:
    """How a model is to be used; the manifest's `details` say it.

    Args:
        kind: `mean` over all tokens or `cls`, the first one.
        max_tokens: The most tokens of an input, begin and end tokens included.
        query_prefix: Put before a question.
        passage_prefix: Put before a document's text.
    """

    kind: str = "mean"
    max_tokens: int = 256
    query_prefix: str = ""
    passage_prefix: str = ""

    @classmethod
    def of(cls, files: ModelFiles) -> Pooling:
        """Read it from the details. Raises `ModelError` for a pooling that is not known."""
        details = files.details
        kind = str(details.get("pooling", "mean"))
        if kind not in _POOLINGS:
            raise ModelError(
                f"{files.reference}: pooling {kind!r} is not known.",
                hint=f"Known are: {', '.join(_POOLINGS)}.",
            )
        return cls(
            kind,
            int(details.get("max_tokens", 256)),
            str(details.get("query_prefix", "")),
            str(details.get("passage_prefix", "")),
        )


class OnnxEmbedder:
    """Implements `protocols.Embedder` for the formats sentence-onnx and sentence-safetensors."""

    def __init__(self, files: ModelFiles, options: Mapping[str, Any]) -> None:
        self._files = files
        self._threads = int(options.get("threads") or 0) or _usable_cores()
        self._precision = _precision(str(options.get("precision") or "auto"), files.reference)
        self._cache_folder = str(files.details.get("derived_dir") or "") or str(
            options.get("cache_folder") or ""
        )
        self._pooling = Pooling.of(files)
        self._session: Any = None
        self._tokenizer: Any = None
        self._counts: TokenCounts | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._dimension = 0
        self._max_tokens = 0
        self._fingerprint = ""

    @classmethod
    def devices(cls) -> tuple[DeviceReport, ...]:
        """What this build of ONNX Runtime can compute on; see `protocols.DeviceProbe`."""
        from inglenook_onnx_embedder.devices import device_reports

        silence_telemetry()
        return device_reports()

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
        """Load tokenizer and graph.

        Raises `ModelBrokenError` for files that cannot be read, `ModelError` for a kind of model
        that is not supported, `MissingDependencyError` for a library that is not installed.
        """
        if self._session is not None:
            return
        silence_telemetry()
        tokenizer = _open_tokenizer(_file(self._files, "tokenizer.json"), self._files.reference)
        self._tokenizer, self._session = tokenizer, self._open_session(tokenizer)
        self._counts = TokenCounts(tokenizer)
        prefixes = self._prefix_tokens()
        specials = tokenizer.num_special_tokens_to_add(False)
        self._max_tokens = self._pooling.max_tokens - specials - prefixes
        self._fingerprint = self._make_fingerprint()
        self._dimension = len(self._vector(tokenizer.encode("inglenook").ids))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        self._opened_tokenizer()
        assert self._counts is not None
        return self._counts.of(texts)

    def embed_documents(self, texts: Sequence[str], cancel: CancelToken) -> Vectors:
        import numpy

        tokenizer, prefix = self._opened_tokenizer(), self._pooling.passage_prefix
        vectors = numpy.zeros((len(texts), self._dimension), dtype=numpy.float32)

        def embed(number: int) -> None:
            if cancel.cancelled:
                raise Cancelled
            (encoding,) = tokenizer.encode_batch_fast([prefix + texts[number]])
            self._refuse_overlong(encoding.ids)
            vectors[number] = self._vector(encoding.ids)

        # The longest first, so that no core waits for another one's long last text.
        longest_first = sorted(range(len(texts)), key=lambda number: -len(texts[number]))
        for _ in self._on_all_cores(embed, longest_first):
            pass
        return vectors

    def embed_query(self, text: str) -> Vectors:
        tokenizer = self._opened_tokenizer()
        whole = self._pooling.query_prefix + text
        ids = tokenizer.encode(whole).ids
        room = self._pooling.max_tokens - tokenizer.num_special_tokens_to_add(False)
        while len(ids) > self._pooling.max_tokens:
            # Cutting the text, not the ids, keeps the end token where the model expects it.
            offsets = tokenizer.encode(whole, add_special_tokens=False).offsets
            whole = whole[: offsets[room - 1][1]]
            ids = tokenizer.encode(whole).ids
            room -= 1
        return self._vector(ids)

    def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()
        self._session = None
        self._tokenizer = None

    def _opened_tokenizer(self) -> Any:
        if self._tokenizer is None:
            raise RuntimeError("the embedder is not open")
        return self._tokenizer

    def _open_session(self, tokenizer: Any) -> Any:
        try:
            return open_session(self._model(tokenizer))
        except InglenookError:
            raise
        # The library raises classes of its own that share no base.
        except Exception as error:
            raise ModelBrokenError(
                f"{self._files.reference}: the ONNX graph cannot be loaded"
                f" ({str(error).splitlines()[0]}).",
                hint=f"Fetch it again: nook rm {self._files.reference};"
                f" nook pull {self._files.reference}",
            ) from error

    def _model(self, tokenizer: Any) -> str | bytes:
        if self._files.format != "sentence-safetensors":
            return str(_file(self._files, "model.onnx"))
        from inglenook_onnx_embedder.derived import derived_graph

        def encode(text: str) -> list[int]:
            ids: list[int] = tokenizer.encode(text).ids
            return ids[: self._pooling.max_tokens]

        return derived_graph(self._files, self._cache_folder, encode, self._precision)

    def _prefix_tokens(self) -> int:
        """What the prefix costs in front of a passage; its last blank may cost nothing.

        A question's prefix is left out: questions are cut to fit, passages never.
        """
        alone, prefixed = self.count_tokens(["a", self._pooling.passage_prefix + "a"])
        return prefixed - alone

    def _make_fingerprint(self) -> str:
        # Not the precision: a graph in 8 bits is held to the vectors of float32 when it is made.
        parts = {
            "format": self._files.format,
            "model": self._files.digest or sha256_of(_main_file(self._files)),
            "tokenizer": sha256_of(_file(self._files, "tokenizer.json")),
            "pooling": self._pooling.kind,
            "max_tokens": self._pooling.max_tokens,
            "query_prefix": self._pooling.query_prefix,
            "passage_prefix": self._pooling.passage_prefix,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _refuse_overlong(self, ids: Sequence[int]) -> None:
        if len(ids) > self._pooling.max_tokens:
            raise ValueError(
                f"a text has {len(ids)} tokens, begin and end tokens included;"
                f" {self._files.reference} takes at most {self._pooling.max_tokens}"
            )

    def _on_all_cores(self, task: Callable[[int], None], numbers: Sequence[int]) -> Iterator[None]:
        if len(numbers) == 1 or self._threads == 1:
            return map(task, numbers)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="inglenook-embed")
        return self._pool.map(task, numbers)

    def _vector(self, ids: Sequence[int]) -> Vectors:
        import numpy

        if self._session is None:
            raise RuntimeError("the embedder is not open")
        states = self._session.run(None, feed_for(self._session, ids))[0][0]
        # Without padding every token counts, so the mean needs no mask.
        pooled = states.mean(axis=0) if self._pooling.kind == "mean" else states[0]
        vector: Vectors = (pooled / max(float(numpy.linalg.norm(pooled)), 1e-12)).astype(
            numpy.float32
        )
        return vector


def _precision(text: str, reference: str) -> str:
    if text not in PRECISIONS:
        raise ModelError(
            f"{reference}: precision {text!r} is not known.",
            hint=f"Known are: {', '.join(PRECISIONS)}.",
        )
    return text


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _file(files: ModelFiles, name: str) -> Path:
    path = files.files.get(name)
    if path is None or not path.is_file():
        raise ModelBrokenError(
            f"{files.reference}: {name} is missing.",
            hint=f"Fetch it again: nook pull {files.reference}",
        )
    return path


def _main_file(files: ModelFiles) -> Path:
    name = "model.safetensors" if files.format == "sentence-safetensors" else "model.onnx"
    return _file(files, name)


def _open_tokenizer(path: Path, reference: str) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise missing("tokenizers") from error
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise ModelBrokenError(
            f"{reference}: tokenizer.json cannot be read ({error}).",
            hint=f"Fetch it again: nook rm {reference}; nook pull {reference}",
        ) from error
    # The file may carry settings that cut and pad; nothing is cut silently here.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
