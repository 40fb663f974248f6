"""Runs ONNX model folders with ONNX Runtime GenAI."""

from __future__ import annotations

from inglenook.factories import Factory, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_runtimes(register: Register) -> None:
    register(
        Factory(
            name="onnx-genai",
            summary="ONNX model folders with ONNX Runtime GenAI",
            load="inglenook_onnx_genai.runtime:OnnxGenaiRuntime",
            capabilities={
                "formats": ("onnx-genai",),
                "writes": ("int4", "int8", "fp32"),
                "converts": ("gguf", "transformers"),
            },
            requires=("onnxruntime_genai", "tokenizers"),
            extra="onnx-genai",
        )
    )
