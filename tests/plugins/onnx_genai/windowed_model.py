"""Makes a tiny Gemma 2 of random weights, whose first layer sees the last 64 tokens only.

python windowed_model.py FOLDER_WITH_A_TOKENIZER FOLDER
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

VOCABULARY = 49152


def write_plain(tokenizer: Path, folder: Path) -> None:
    """As transformers writes it, with the tokenizer of another model."""
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        sliding_window=64,
        bos_token_id=1,
        eos_token_id=2,
    )
    Gemma2ForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy2(tokenizer / name, folder)


if __name__ == "__main__":
    from gguf_to_genai import build

    build(partial(write_plain, Path(sys.argv[1])), Path(sys.argv[2]), "fp32")
