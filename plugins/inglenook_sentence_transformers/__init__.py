"""Turns text into vectors with the library sentence-transformers, for models that need it."""

from __future__ import annotations

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_embedders(register: Register) -> None:
    register(
        Factory(
            name="sentence-transformers",
            summary="Any local sentence-transformers folder, through that library (needs torch).",
            load="inglenook_sentence_transformers.embedder:SentenceTransformersEmbedder",
            options=(
                Option(
                    "device",
                    str,
                    "",
                    "Where it computes, such as cpu, cuda or mps; empty leaves it to the library.",
                ),
                Option("batch_size", int, 16, "Texts that are computed at once.", minimum=1),
            ),
            capabilities={
                "formats": ("sentence-transformers", "sentence-safetensors"),
                # What `onnx` opens as well, it opens faster.
                "preference": ("90",),
            },
            requires=("sentence_transformers", "torch", "numpy"),
            extra="sentence-transformers",
        )
    )
