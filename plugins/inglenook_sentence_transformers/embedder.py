"""The embedder `sentence-transformers`: the library itself, offline, without code from models."""

from __future__ import annotations

import gc
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from inglenook.errors import Cancelled, ModelBrokenError, UserError
from inglenook.privacy import silence_telemetry
from inglenook.types import CancelToken, ModelFiles
from inglenook_sentence_transformers.staging import model_folder
from inglenook_sentence_transformers.token_counter import TokenCounter

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

__all__ = ["SentenceTransformersEmbedder"]

_LONGEST = 8_192
"""The most tokens of a text where the model states no limit."""
_WEIGHTS = (".safetensors", ".bin", ".onnx")
_QUERY_PROMPTS = ("query", "retrieval.query", "search_query")
_PASSAGE_PROMPTS = ("document", "passage", "retrieval.passage", "search_document", "corpus")


class SentenceTransformersEmbedder:
    """Implements `protocols.Embedder` for the formats sentence-transformers and -safetensors.

    The model's own prompts for questions and passages are put before them.
    """

    def __init__(self, files: ModelFiles, options: Mapping[str, Any]) -> None:
        self._files = files
        self._device = str(options.get("device") or "")
        self._batch_size = int(options.get("batch_size") or 16)
        self._model: Any = None
        self._counter: TokenCounter | None = None
        self._query_prompt = ""
        self._passage_prompt = ""
        self._dimension = 0
        self._limit = 0
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
        """Load the model.

        Raises `ModelBrokenError`, `ModelError`, and `UserError` for a device that is not there.
        """
        if self._model is not None:
            return
        silence_telemetry()
        with model_folder(self._files) as folder, _quiet():
            model = self._load(str(folder))
        self._counter = TokenCounter(model.tokenizer, self._files.reference)
        self._limit = _limit(model.max_seq_length)
        self._query_prompt = _prompt(model, _QUERY_PROMPTS)
        self._passage_prompt = _prompt(model, _PASSAGE_PROMPTS)
        prompts = max(self._counter.count([self._query_prompt, self._passage_prompt]))
        self._max_tokens = self._limit - self._counter.specials - prompts
        self._model = model
        self._dimension = len(self.embed_query("inglenook"))
        self._fingerprint = self._make_fingerprint()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._opened_counter().count(texts)

    def embed_documents(self, texts: Sequence[str], cancel: CancelToken) -> Vectors:
        import numpy

        vectors = numpy.zeros((len(texts), self._dimension), dtype=numpy.float32)
        for first in range(0, len(texts), self._batch_size):
            if cancel.cancelled:
                raise Cancelled
            window = list(texts[first : first + self._batch_size])
            self._refuse_overlong(window)
            vectors[first : first + len(window)] = self._encode(
                self._model.encode_document, window, self._passage_prompt
            )
        return vectors

    def embed_query(self, text: str) -> Vectors:
        if self._model is None:
            raise RuntimeError("the embedder is not open")
        vector: Vectors = self._encode(self._model.encode_query, [text], self._query_prompt)[0]
        return vector

    def close(self) -> None:
        self._model = None
        self._counter = None
        # A model is full of cycles; its memory must not wait for the next collection.
        gc.collect()

    def _opened_counter(self) -> TokenCounter:
        if self._counter is None:
            raise RuntimeError("the embedder is not open")
        return self._counter

    def _load(self, folder: str) -> Any:
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(
                folder,
                device=self._device or None,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            ).eval()
        # The libraries raise whatever they like for a model that they cannot load.
        except Exception as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if self._device and self._device in said:
                raise UserError(
                    f"The device '{self._device}' cannot be used: {said}",
                    hint="Leave device out, or use device=cpu.",
                ) from error
            raise ModelBrokenError(
                f"{self._files.reference} cannot be loaded ({said}).",
                hint="Copy the folder anew; its weights must be safetensors.",
            ) from error

    def _encode(self, encode: Any, texts: list[str], prompt: str) -> Vectors:
        import numpy

        found = encode(
            texts,
            prompt=prompt,
            batch_size=self._batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=True,
        )
        return numpy.asarray(found, dtype=numpy.float32)

    def _refuse_overlong(self, texts: Sequence[str]) -> None:
        counter = self._opened_counter()
        whole = [self._passage_prompt + text for text in texts]
        longest = max(counter.count(whole)) + counter.specials
        if longest > self._limit:
            raise ValueError(
                f"a text has {longest} tokens, begin and end tokens included;"
                f" {self._files.reference} takes at most {self._limit}"
            )

    def _make_fingerprint(self) -> str:
        small = {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in sorted(self._files.files.items())
            if path.suffix not in _WEIGHTS and not name.endswith(_WEIGHTS)
        }
        parts = {
            "format": self._files.format,
            "model": self._files.digest,
            "files": small,
            "limit": self._limit,
            "prompts": [self._query_prompt, self._passage_prompt],
            "pooling": self._files.details.get("pooling", ""),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _prompt(model: Any, names: Sequence[str]) -> str:
    """The first prompt that says something.

    The library itself takes its own empty "document" before a model's "passage" (version 6.2).
    """
    return next((str(prompt) for name in names if (prompt := model.prompts.get(name))), "")


def _limit(stated: float | None) -> int:
    """A model's limit in tokens; some state none, or infinity."""
    if stated is None or math.isinf(stated):
        return _LONGEST
    return min(int(stated), _LONGEST)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what transformers tells while it loads off the terminal; as it was, afterwards."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
