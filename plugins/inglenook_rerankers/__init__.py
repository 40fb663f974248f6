"""Orders found passages anew with a cross-encoder, which reads question and passage together."""

from __future__ import annotations

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_rerankers(register: Register) -> None:
    register(
        Factory(
            name="cross-encoder",
            summary="A local cross-encoder (BERT, RoBERTa or XLM-R type) on ONNX Runtime.",
            load="inglenook_rerankers.cross_encoder:CrossEncoder",
            options=(
                Option(
                    "model",
                    str,
                    "",
                    "The model's folder, or its name. It holds tokenizer.json, config.json, and"
                    " model.onnx or model.safetensors.",
                ),
                Option(
                    "max_length",
                    int,
                    0,
                    "The most tokens of question and passage together; 0 is what the model takes,"
                    " at most 512. Longer passages are read in several pieces.",
                    minimum=0,
                ),
                Option("threads", int, 0, "CPU threads; 0 uses every core.", minimum=0),
            ),
            capabilities={"formats": ("cross-encoder-onnx", "cross-encoder-safetensors")},
            requires=("onnxruntime", "tokenizers", "numpy"),
            extra="rerankers",
        )
    )
