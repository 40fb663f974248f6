"""Runs GGUF models with llama.cpp from the prebuilt wheels of `xllamacpp`. The default runtime."""

from __future__ import annotations

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_runtimes(register: Register) -> None:
    register(
        Factory(
            name="xllamacpp",
            summary="GGUF models with llama.cpp, from a prebuilt wheel",
            load="inglenook_xllamacpp.runtime:XllamacppRuntime",
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
            capabilities={"formats": ("gguf",), "preference": ("10",)},
            requires=("xllamacpp",),
            extra="xllamacpp",
        )
    )
