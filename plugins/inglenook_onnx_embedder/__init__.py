"""Turns text into vectors with sentence-embedding models on ONNX Runtime."""

from __future__ import annotations

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_embedders(register: Register) -> None:
    register(
        Factory(
            name="onnx",
            summary="Sentence embeddings on ONNX Runtime: MiniLM and other BERT-type models.",
            load="inglenook_onnx_embedder.embedder:OnnxEmbedder",
            options=(
                Option("threads", int, 0, "CPU threads; 0 uses every core.", minimum=0),
                Option(
                    "precision",
                    str,
                    "auto",
                    "Of a graph made from a safetensors model: auto (8 bits where that is right"
                    " and faster), int8 or fp32.",
                    choices=("auto", "int8", "fp32"),
                ),
                Option(
                    "cache_folder",
                    str,
                    "",
                    "Where the graph made from a safetensors model is kept; empty keeps none.",
                ),
            ),
            capabilities={
                "formats": ("sentence-onnx", "sentence-safetensors"),
                "prepares": ("sentence-safetensors",),
            },
            requires=("onnxruntime", "tokenizers", "numpy"),
            extra="onnx-embedder",
        )
    )
