"""Runs GGUF models with llama.cpp through `llama-cpp-python`, which is compiled on installation."""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_runtimes(register: Register) -> None:
    register(
        Factory(
            name="llama-cpp",
            summary="GGUF models with llama.cpp, from a build for this machine",
            load="inglenook_llama_cpp.runtime:LlamaCppRuntime",
            capabilities={"formats": ("gguf",)},
            requires=("llama_cpp",),
            extra="llama-cpp",
        )
    )
