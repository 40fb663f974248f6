"""An embedder plugin that makes vectors out of nothing, for figures about stores alone.

The vectors are random and of length 1; the same text always has the same one. `install` makes a
distribution of this file in a folder; a process that has the folder in PYTHONPATH and the names of
`PLUGINS` in INGLENOOK_PLUGINS embeds with it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from inglenook.types import CancelToken

    Vectors = NDArray[numpy.float32]

__all__ = ["PLUGINS", "MadeUpVectors", "install", "register_embedders"]

PLUGINS = "text,sentences,chroma,guard,made-up-vectors"
_DIMENSION = 384
_PIECES = re.compile(r"[a-zA-Z]{1,6}|\d{1,3}|[^\w\s]|_|[^\W\d_a-zA-Z]{1,3}")


@hookimpl
def register_embedders(register: Register) -> None:
    register(
        Factory(
            name="made-up",
            summary="Random vectors, for benchmarks of stores.",
            load="ingestion_vectors:MadeUpVectors",
            capabilities={"formats": ("sentence-safetensors", "sentence-onnx")},
        )
    )


class MadeUpVectors:
    """Implements `protocols.Embedder`."""

    dimension = _DIMENSION
    max_tokens = 256
    fingerprint = "made-up-384"

    def __init__(self, files: object, options: Mapping[str, Any]) -> None:
        del files, options

    def open(self) -> None:
        """Nothing to load."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_PIECES.findall(text)) for text in texts]

    def embed_documents(self, texts: Sequence[str], cancel: CancelToken) -> Vectors:
        import numpy

        del cancel
        return numpy.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Vectors:
        import numpy

        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
        vector = numpy.random.default_rng(seed).standard_normal(_DIMENSION, dtype=numpy.float32)
        unit: Vectors = vector / numpy.linalg.norm(vector)
        return unit

    def close(self) -> None:
        """Nothing to free."""


def install(folder: Path) -> dict[str, str]:
    """Put the distribution there; the environment of processes that are to use it."""
    shutil.rmtree(folder, ignore_errors=True)
    facts = folder / "made_up_vectors-1.0.dist-info"
    facts.mkdir(parents=True)
    shutil.copyfile(__file__, folder / Path(__file__).name)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up-vectors\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[inglenook]\nmade-up-vectors = ingestion_vectors\n")
    return {"PYTHONPATH": str(folder), "INGLENOOK_PLUGINS": PLUGINS}
