"""Runs GGUF models with llama.cpp from the prebuilt wheels of `xllamacpp`. The default runtime."""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_runtimes(register: Register) -> None:
    register(
        Factory(
            name="xllamacpp",
            summary="GGUF models with llama.cpp, from a prebuilt wheel",
            load="inglenook_xllamacpp.runtime:XllamacppRuntime",
            capabilities={"formats": ("gguf",), "preference": ("10",)},
            requires=("xllamacpp",),
            extra="xllamacpp",
        )
    )
