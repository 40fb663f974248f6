"""Makes a model folder for ONNX Runtime GenAI from a GGUF file, without a hub.

    python gguf_to_genai.py MODEL.gguf FOLDER

The weights are dequantised into a folder as Hugging Face's transformers write it, config and
tokenizer come from the GGUF's metadata, and the library's own builder quantises that to 4 bits for
the processor. It knows the architectures llama and qwen2 with byte-level BPE.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy

CONTROL = 3
USER_DEFINED = 4
CLASSES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
# How the tokenizers split text before BPE, by `tokenizer.ggml.pre`.
QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Source:
    """A GGUF file's facts by name, and its tensors."""

    def __init__(self, path: Path) -> None:
        from gguf import GGUFReader

        self.reader = GGUFReader(path)
        self.architecture: str = self.fact("general.architecture")
        if self.architecture not in CLASSES:
            raise SystemExit(f"{path}: {self.architecture} is none of {', '.join(CLASSES)}")

    def fact(self, name: str, otherwise: Any = None) -> Any:
        field = self.reader.get_field(name)
        return otherwise if field is None else field.contents()

    def size(self, name: str, otherwise: Any = None) -> Any:
        return self.fact(f"{self.architecture}.{name}", otherwise)


def write_transformers_folder(gguf: Path, folder: Path) -> None:
    """Config, weights (float32) and tokenizer, as `from_pretrained` reads them."""
    from safetensors.numpy import save_file

    source = Source(gguf)
    tensors = dict(_tensors(source))
    config = _config(source) | {"tie_word_embeddings": "lm_head.weight" not in tensors}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _write_json(folder / "config.json", config)
    _write_json(folder / "tokenizer.json", _tokenizer(source))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(source))


def build(write_plain: Callable[[Path], None], folder: Path, precision: str) -> None:
    """Write the model folder, or nothing; `write_plain` makes the one that it is built from."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as scratch:
        plain, built = Path(scratch, "plain"), Path(scratch, "built")
        write_plain(plain)
        command = [sys.executable, "-m", "onnxruntime_genai.models.builder"]
        command += ["-i", str(plain), "-o", str(built), "-p", precision, "-e", "cpu"]
        command += ["-c", str(Path(scratch, "cache")), "--extra_options", "hf_token=false"]
        offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "ORT_DISABLE_TELEMETRY": "1"}
        done = subprocess.run(
            command, env={**os.environ, **offline}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"the builder failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        try:
            built.rename(folder)
        except OSError:
            if not (folder / "genai_config.json").is_file():
                raise  # Else somebody else was faster.


def built_once(source: Path, cache: Path, script: str = __file__) -> Path:
    """The model folder, from an earlier run if there is one that was built in the same way."""
    from importlib.metadata import version

    scripts = b"".join(Path(path).read_bytes() for path in dict.fromkeys((__file__, script)))
    made_by = hashlib.sha256(scripts).hexdigest()[:12]
    folder = cache / f"{source.name[-12:]}-{version('onnxruntime-genai')}-{made_by}"
    if not (folder / "genai_config.json").is_file():
        # A process of its own: torch is large and would stay in this one.
        subprocess.run([sys.executable, script, str(source), str(folder)], check=True)
    return folder


def _tensors(source: Source) -> Iterator[tuple[str, numpy.ndarray]]:
    from gguf.quants import dequantize

    heads = source.size("attention.head_count")
    turned = {"attn_q": heads, "attn_k": source.size("attention.head_count_kv", heads)}
    for tensor in source.reader.tensors:
        place, _, kind = tensor.name.rpartition(".")
        block, _, name = place.rpartition(".")
        if name not in NAMES:
            raise SystemExit(f"the tensor {tensor.name} is not known")
        values = dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32, copy=False)
        if source.architecture == "llama" and name in turned:
            values = _interleaved_back(values, turned[name])
        prefix = f"model.layers.{block.removeprefix('blk.')}." if block else ""
        yield f"{prefix}{NAMES[name]}.{kind}", numpy.ascontiguousarray(values)


def _interleaved_back(values: numpy.ndarray, heads: int) -> numpy.ndarray:
    """The rows in transformers' order: GGUF keeps the two halves of a rotation side by side."""
    rows = values.shape[0]
    return values.reshape(heads, rows // heads // 2, 2, -1).swapaxes(1, 2).reshape(values.shape)


def _config(source: Source) -> dict[str, Any]:
    heads = source.size("attention.head_count")
    return {
        "architectures": [CLASSES[source.architecture]],
        "model_type": source.architecture,
        "hidden_size": source.size("embedding_length"),
        "intermediate_size": source.size("feed_forward_length"),
        "num_hidden_layers": source.size("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": source.size("attention.head_count_kv", heads),
        "max_position_embeddings": source.size("context_length"),
        "rms_norm_eps": source.size("attention.layer_norm_rms_epsilon"),
        "rope_theta": source.size("rope.freq_base", 10000.0),
        "vocab_size": len(source.fact("tokenizer.ggml.tokens")),
        "hidden_act": "silu",
        "bos_token_id": source.fact("tokenizer.ggml.bos_token_id"),
        "eos_token_id": source.fact("tokenizer.ggml.eos_token_id"),
        "torch_dtype": "float32",
    }


def _tokenizer(source: Source) -> dict[str, Any]:
    tokens: list[str] = source.fact("tokenizer.ggml.tokens")
    kinds: list[int] = source.fact("tokenizer.ggml.token_type")
    added = [
        {
            "id": id,
            "content": token,
            "special": kind == CONTROL,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
        }
        for id, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind in (CONTROL, USER_DEFINED)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": _pre_tokenizer(source.fact("tokenizer.ggml.pre")),
        "post_processor": None,
        "decoder": _byte_level(use_regex=True),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: id for id, token in enumerate(tokens)},
            "merges": source.fact("tokenizer.ggml.merges"),
        },
    }


def _pre_tokenizer(name: str) -> Mapping[str, Any]:
    if name == "smollm":
        steps = [{"type": "Digits", "individual_digits": True}, _byte_level(use_regex=True)]
    elif name == "qwen2":
        words = {"type": "Split", "pattern": {"Regex": QWEN_WORDS}, "behavior": "Isolated"}
        steps = [words | {"invert": False}, _byte_level(use_regex=False)]
    else:
        raise SystemExit(f"the tokenizer '{name}' is not known")
    return {"type": "Sequence", "pretokenizers": steps}


def _byte_level(*, use_regex: bool) -> dict[str, Any]:
    options = {"add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}
    return {"type": "ByteLevel", **options}


def _tokenizer_config(source: Source) -> dict[str, Any]:
    tokens = source.fact("tokenizer.ggml.tokens")
    ids = {
        name: source.fact(f"tokenizer.ggml.{key}_token_id")
        for name, key in (("bos_token", "bos"), ("eos_token", "eos"), ("pad_token", "padding"))
    }
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": bool(source.fact("tokenizer.ggml.add_bos_token", otherwise=False)),
        "chat_template": source.fact("tokenizer.chat_template", ""),
        "model_max_length": source.size("context_length"),
        "clean_up_tokenization_spaces": False,
        **{name: tokens[id] for name, id in ids.items() if id is not None},
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    build(partial(write_transformers_folder, Path(sys.argv[1])), Path(sys.argv[2]), "int4")
