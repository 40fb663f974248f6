"""Runs GGUF models with llama.cpp from the prebuilt wheels of `xllamacpp`. The default runtime.

Embedding models in GGUF files too.
"""

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
                Option(
                    "slots",
                    type=int,
                    default=0,
                    minimum=0,
                    maximum=256,
                    help="requests at a time, each with a context of its own; 0 is what the "
                    "configuration says",
                ),
            ),
            capabilities={"formats": ("gguf",), "preference": ("10",)},
            requires=("xllamacpp",),
            extra="xllamacpp",
        )
    )


@hookimpl
def register_embedders(register: Register) -> None:
    register(
        Factory(
            name="gguf",
            summary="Sentence embeddings from GGUF models, with llama.cpp",
            load="inglenook_xllamacpp.embedder:GgufEmbedder",
            options=(
                Option(
                    "pooling",
                    default="auto",
                    help="how a vector is made of the tokens' vectors; auto is what the model says",
                    choices=("auto", "mean", "cls", "last"),
                ),
                Option(
                    "max_tokens",
                    int,
                    0,
                    "The most tokens of a text; 0 is 512, or what the model was trained for.",
                    minimum=0,
                ),
                Option("threads", int, 0, "CPU threads; 0 uses half of the cores.", minimum=0),
            ),
            capabilities={"formats": ("gguf",)},
            requires=("xllamacpp", "numpy"),
            extra="xllamacpp",
        )
    )
