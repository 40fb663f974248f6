"""Runs GGUF models with llama.cpp through `llama-cpp-python`, which is compiled on installation."""

from __future__ import annotations

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_runtimes(register: Register) -> None:
    register(
        Factory(
            name="llama-cpp",
            summary="GGUF models with llama.cpp, from a build for this machine",
            load="inglenook_llama_cpp.runtime:LlamaCppRuntime",
            options=(
                Option(
                    "flash_attention",
                    default="auto",
                    help="compute attention without its whole matrix; auto where it is faster",
                    choices=("auto", "on", "off"),
                ),
                Option(
                    "kv_cache",
                    default="f16",
                    help="how keys and values are kept: q8_0 takes half the memory, q4_0 a quarter",
                    choices=("f16", "q8_0", "q4_0"),
                ),
            ),
            capabilities={"formats": ("gguf",)},
            requires=("llama_cpp",),
            extra="llama-cpp",
        )
    )
