"""Computes vectors with llama.cpp's server in this process; `embedder` runs it in a worker.

One text is computed at a time, so a vector never depends on which texts came beside it; the cores
share the work on each.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import MissingDependencyError, ModelBrokenError, ModelError, RuntimeFailure
from inglenook.types import RuntimeOptions
from inglenook_xllamacpp.endpoint import Endpoint
from inglenook_xllamacpp.loading import choose_device, embedding_parameters

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

__all__ = ["EmbeddingServer"]


class EmbeddingServer:
    """One GGUF model, open for vectors.

    Args:
        path: The file.
        reference: What the model goes by, for messages.
        pooling: `mean`, `cls` or `last`.
        longest: The most tokens of an input, begin and end tokens included.
        threads: CPU threads; 0 takes all.
    """

    def __init__(
        self, path: Path, reference: str, pooling: str, longest: int, threads: int
    ) -> None:
        self._path = path
        self._reference = reference
        self._pooling = pooling
        self._longest = longest
        self._threads = threads
        self._server: Any = None
        self._endpoint: Endpoint | None = None

    def open(self) -> tuple[int, list[int], list[int]]:
        """Load the model.

        Returns:
            The length of a vector, and the ids that every input begins and ends with.

        Raises:
            MissingDependencyError: The library is not installed.
            RuntimeFailure: It cannot load the model.
            ModelError: The model gives no vectors.
        """
        native = _import_library()
        endpoint = Endpoint()
        try:
            options = RuntimeOptions(context_length=self._longest, threads=self._threads)
            device = choose_device(native, ())
            parameters = embedding_parameters(native, self._path, options, device, self._pooling)
            parameters.hostnames = [endpoint.hostname]
            parameters.port = 0
            parameters.api_keys = [endpoint.key]
            self._server = self._started(native, parameters)
            endpoint.address = self._server.listening_address
            endpoint.ask("/props")
        except BaseException:
            endpoint.close()
            raise
        self._endpoint = endpoint
        begin, end = self._edges()
        return len(self._vector([*begin, *self.tokens(["a"])[0], *end])), begin, end

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, begin and end tokens apart."""
        return [self._ids(text, edges=False) for text in texts]

    def embed(self, inputs: Sequence[Sequence[int]]) -> Vectors:
        """Vectors of shape (len(inputs), dimension), unit length; inputs are ids, all of them."""
        import numpy

        return numpy.stack([self._vector(ids) for ids in inputs])

    def close(self) -> None:
        """Free the model."""
        endpoint, self._endpoint = self._endpoint, None
        self._server = None
        if endpoint is not None:
            endpoint.close()
        gc.collect()

    def _started(self, native: Any, parameters: Any) -> Any:
        try:
            return native.Server(parameters)
        except RuntimeError as error:
            raise RuntimeFailure(
                f"llama.cpp cannot load {self._reference} for embedding.",
                hint="Its architecture may be too new for this xllamacpp, or memory too small.",
            ) from error

    def _edges(self) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and behind a text."""
        plain, whole = self._ids("a", edges=False), self._ids("a", edges=True)
        for start in range(len(whole) - len(plain) + 1):
            if whole[start : start + len(plain)] == plain:
                return whole[:start], whole[start + len(plain) :]
        raise ModelError(f"The tokenizer of {self._reference} cannot be used for embedding.")

    def _ids(self, text: str, *, edges: bool) -> list[int]:
        assert self._endpoint is not None
        if not text and not edges:
            return []
        # Half a surrogate pair is no UTF-8; it counts as the one character that it would show as.
        text = text.encode("utf-8", "replace").decode()
        body = {"content": text, "add_special": edges, "parse_special": False}
        return [int(id) for id in self._endpoint.ask("/tokenize", body)["tokens"]]

    def _vector(self, ids: Sequence[int]) -> Vectors:
        import numpy

        told = self._server.handle_embeddings({"input": [list(ids)]})
        if not isinstance(told, dict) or not told.get("data"):
            raise RuntimeFailure(f"llama.cpp gave no vector with {self._reference}: {told}")
        vector: Vectors = numpy.asarray(told["data"][0]["embedding"], dtype=numpy.float32)
        length = float(numpy.linalg.norm(vector)) if vector.ndim == 1 else 0.0
        if not numpy.isfinite(length) or length == 0:
            raise ModelBrokenError(
                f"{self._reference} gives vectors that are no numbers.",
                hint=f"Fetch it again: nook pull {self._reference}",
            )
        return vector / numpy.float32(length)


def _import_library() -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise MissingDependencyError(
            f"The embedder 'gguf' needs the library xllamacpp: {error}.",
            hint="Install it with: pip install 'inglenook[xllamacpp]'",
        ) from error
    return xllamacpp
