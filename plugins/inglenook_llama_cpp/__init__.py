"""Runs GGUF models with llama.cpp through `llama-cpp-python`, which is compiled on installation."""

from __future__ import annotations

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl

_PRECISIONS = (
    *("Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0", "Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0"),
    *("IQ4_NL", "IQ4_XS", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K", "F16", "BF16"),
)


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
            capabilities={
                "formats": ("gguf",),
                "writes": _PRECISIONS,
                "converts": ("gguf",),
            },
            requires=("llama_cpp",),
            extra="llama-cpp",
        )
    )
