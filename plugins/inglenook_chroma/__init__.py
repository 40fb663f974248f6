"""Keeps vectors in Chroma, embedded in this process."""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_vector_stores(register: Register) -> None:
    register(
        Factory(
            name="chroma",
            summary="Chroma, embedded: approximate search for many chunks.",
            load="inglenook_chroma.store:ChromaStore",
            capabilities={"persistent": ("yes",), "search": ("approximate",)},
            requires=("chromadb",),
            extra="chroma",
        )
    )
