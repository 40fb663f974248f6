"""Writes `genai_config.json`: how ONNX Runtime GenAI is to run a graph of `decoder_graph`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inglenook.models.genai_folder import CONFIG
from inglenook_onnx_genai.decoder_graph import GRAPH
from inglenook_onnx_genai.decoder_weights import DecoderSizes

__all__ = ["write_config"]


def write_config(sizes: DecoderSizes, folder: Path) -> None:
    """Write the file. Raises `OSError`."""
    padding = sizes.pad_id if sizes.pad_id is not None else sizes.eos_ids[0]
    several = len(sizes.eos_ids) > 1
    model: dict[str, Any] = {
        "type": sizes.architecture,
        "context_length": sizes.context_length,
        "vocab_size": sizes.vocabulary,
        "eos_token_id": list(sizes.eos_ids) if several else sizes.eos_ids[0],
        "pad_token_id": padding,
        "decoder": {
            "filename": GRAPH,
            "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
            "head_size": sizes.head_size,
            "hidden_size": sizes.hidden,
            "num_attention_heads": sizes.heads,
            "num_hidden_layers": sizes.layers,
            "num_key_value_heads": sizes.key_heads,
            "inputs": {
                "input_ids": "input_ids",
                "attention_mask": "attention_mask",
                "past_key_names": "past_key_values.%d.key",
                "past_value_names": "past_key_values.%d.value",
            },
            "outputs": {
                "logits": "logits",
                "present_key_names": "present.%d.key",
                "present_value_names": "present.%d.value",
            },
        },
    }
    if sizes.bos_id is not None:
        model["bos_token_id"] = sizes.bos_id
    search = {
        "do_sample": False,
        "max_length": sizes.context_length,
        "past_present_share_buffer": True,
    }
    content = {"model": model, "search": search}
    (folder / CONFIG).write_text(json.dumps(content, indent=2), encoding="utf-8")
