"""Makes the small encoders of this folder: random weights, and what transformers computes of them.

Needs torch, transformers and safetensors: python make.py
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy
import torch
import transformers

FOLDER = Path(__file__).parent
SIZES = {
    "vocab_size": 90,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
MODELS = {
    "bert": (transformers.BertConfig, transformers.BertModel, {"max_position_embeddings": 150}),
    "roberta": (
        transformers.RobertaConfig,
        transformers.RobertaModel,
        {"max_position_embeddings": 152, "type_vocab_size": 1, "pad_token_id": 1},
    ),
    "xlm-roberta": (
        transformers.XLMRobertaConfig,
        transformers.XLMRobertaModel,
        {"max_position_embeddings": 152, "type_vocab_size": 1, "pad_token_id": 1},
    ),
    "mpnet": (
        transformers.MPNetConfig,
        transformers.MPNetModel,
        {"max_position_embeddings": 152, "pad_token_id": 1},
    ),
}


def main() -> None:
    for name, (config_class, model_class, more) in MODELS.items():
        torch.manual_seed(7)
        config = config_class(**SIZES, **more)
        model = model_class(config, add_pooling_layer=False).eval()
        with torch.no_grad():
            for tensor in model.state_dict().values():
                if tensor.is_floating_point():
                    tensor.add_(torch.randn_like(tensor) * 0.2)
        folder = FOLDER / name
        folder.mkdir(exist_ok=True)
        # The sizes alone, and the defaults of this family that a config.json states.
        keys = ("model_type", "hidden_act", "layer_norm_eps", "pad_token_id")
        kept = {key: config.to_dict()[key] for key in (*SIZES, *more, *keys)}
        (folder / "config.json").write_text(json.dumps(kept, indent=1) + "\n")
        saved = folder / "saved"
        model.half().save_pretrained(saved)
        (saved / "model.safetensors").replace(folder / "model.safetensors")
        shutil.rmtree(saved)
        model.float()
        states = {}
        for length in (1, 5, 140):
            ids = torch.tensor([[2 + (7 * place + length) % 88 for place in range(length)]])
            with torch.no_grad():
                states[f"ids_{length}"] = ids.numpy()
                states[f"states_{length}"] = model(ids).last_hidden_state.numpy()
        numpy.savez_compressed(folder / "expected.npz", **states)


if __name__ == "__main__":
    main()
