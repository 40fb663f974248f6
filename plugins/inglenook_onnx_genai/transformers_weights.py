"""Reads a decoder's weights and tokenizer from a folder of Hugging Face's transformers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.transformers_folder import read_json, stored_tensors
from inglenook.types import ModelFiles
from inglenook_onnx_genai.decoder_weights import (
    ARCHITECTURES,
    CHUNK_VALUES,
    DecoderSizes,
    check_tensors,
    require_sizes,
)

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Floats = NDArray[numpy.float32]

__all__ = ["TransformersWeights"]

_BITS = {"F32": 32, "F16": 16, "BF16": 16}
_PARTS = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_COMPUTED = "rotary_emb.inv_freq"
"""A tensor that old folders hold and that follows from the sizes."""
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
_LATER = ("rope_scaling", "use_sliding_window", "mlp_bias", "attention_bias")
"""What changes how such a model is computed, and is not known here."""


class TransformersWeights:
    """Implements `decoder_weights.DecoderWeights`.

    Raises `UserError` for a model that cannot be converted, `ModelBrokenError` for a damaged one.
    """

    def __init__(self, model: ModelFiles) -> None:
        self._name = model.reference
        self._folder = model.files["config.json"].parent
        config = read_json(model.files["config.json"])
        stored = stored_tensors(model)
        self._tensors = {
            _our_name(name): tensor for name, tensor in stored.items() if _COMPUTED not in name
        }
        if config.get("tie_word_embeddings"):
            self._tensors.pop("output.weight", None)
        for name, tensor in self._tensors.items():
            if tensor.kind not in _BITS:
                raise UserError(
                    f"{self._name} cannot be converted: the tensor {name} is stored as"
                    f" {tensor.kind}.",
                    hint="Save the model as F32, F16 or BF16.",
                )
        self.shapes: Mapping[str, tuple[int, ...]] = {
            name: tensor.shape for name, tensor in self._tensors.items()
        }
        self.sizes = self._sizes(config)
        check_tensors(self.sizes, self.shapes, self._name)

    def bits(self, name: str) -> float:
        return _BITS[self._tensors[name].kind]

    def rows(self, name: str) -> Iterator[Floats]:
        count, width = self.shapes[name]
        step = max(1, CHUNK_VALUES // width)
        for first in range(0, count, step):
            yield self.some_rows(name, first, min(step, count - first))

    def some_rows(self, name: str, first: int, count: int) -> Floats:
        width = self.shapes[name][1]
        return self._values(name, first * width, count * width).reshape(count, width)

    def vector(self, name: str) -> Floats:
        return self._values(name, 0, self.shapes[name][0])

    def write_tokenizer(self, folder: Path) -> None:
        for name in _TOKENIZER_FILES:
            if (self._folder / name).is_file():
                shutil.copyfile(self._folder / name, folder / name)
        if not (folder / "tokenizer_config.json").is_file():
            (folder / "tokenizer_config.json").write_text(json.dumps({}), encoding="utf-8")

    def close(self) -> None:
        """Each read opened and closed its file."""

    def _values(self, name: str, first: int, count: int) -> Floats:
        import numpy

        tensor = self._tensors[name]
        width = _BITS[tensor.kind] // 8
        with tensor.path.open("rb") as file:
            file.seek(tensor.offset + first * width)
            raw = file.read(count * width)
        if len(raw) < count * width:
            raise ModelBrokenError(f"{tensor.path} is cut short.", hint="Copy the file anew.")
        if tensor.kind == "BF16":
            widened = numpy.frombuffer(raw, dtype="<u2").astype(numpy.uint32) << 16
            return widened.view(numpy.float32)
        stored = numpy.frombuffer(raw, dtype="<f4" if tensor.kind == "F32" else "<f2")
        return stored.astype(numpy.float32)

    def _sizes(self, config: Mapping[str, Any]) -> DecoderSizes:
        architecture = str(config.get("model_type", ""))
        if architecture not in ARCHITECTURES:
            raise UserError(
                f"{self._name} is a {architecture or 'nameless'} model, which cannot be converted.",
                hint=f"Models of {' and '.join(ARCHITECTURES)} can be.",
            )
        rotary = config.get("rope_parameters") or {}
        kind = rotary.get("rope_type", "default") if isinstance(rotary, dict) else "default"
        for key in _LATER:
            if config.get(key) or kind != "default":
                said = key if config.get(key) else f"rope_type {kind}"
                raise UserError(
                    f"{self._name} cannot be converted: its config says {said}.",
                    hint="Use a plain model of its family.",
                )
        heads = config.get("num_attention_heads")
        sizes = {
            "num_hidden_layers": config.get("num_hidden_layers"),
            "hidden_size": config.get("hidden_size"),
            "intermediate_size": config.get("intermediate_size"),
            "num_attention_heads": heads,
            "num_key_value_heads": config.get("num_key_value_heads") or heads,
            "max_position_embeddings": config.get("max_position_embeddings"),
            "vocab_size": config.get("vocab_size"),
        }
        require_sizes(self._name, sizes)
        known: dict[str, int] = {key: int(str(value)) for key, value in sizes.items()}
        ends = _ids(self._generation().get("eos_token_id", config.get("eos_token_id")))
        if not ends:
            raise UserError(
                f"{self._name} does not say which token ends an answer, and cannot be converted.",
                hint="Add eos_token_id to its config.json.",
            )
        each = known["hidden_size"] // known["num_attention_heads"]
        return DecoderSizes(
            architecture=architecture,
            layers=known["num_hidden_layers"],
            hidden=known["hidden_size"],
            inner=known["intermediate_size"],
            heads=known["num_attention_heads"],
            key_heads=known["num_key_value_heads"],
            head_size=int(config.get("head_dim") or each),
            vocabulary=known["vocab_size"],
            context_length=known["max_position_embeddings"],
            epsilon=float(config.get("rms_norm_eps", 1e-6)),
            rotary_base=float(rotary.get("rope_theta") or config.get("rope_theta") or 10000.0),
            bos_id=next(iter(_ids(config.get("bos_token_id"))), None),
            eos_ids=ends,
            pad_id=next(iter(_ids(config.get("pad_token_id"))), None),
        )

    def _generation(self) -> Mapping[str, Any]:
        path = self._folder / "generation_config.json"
        return read_json(path) if path.is_file() else {}


def _our_name(name: str) -> str:
    """The name that a GGUF file would give to a tensor; an unknown one stays as it is."""
    place, _, kind = name.rpartition(".")
    if place in _PARTS:
        return f"{_PARTS[place]}.{kind}"
    parts = place.split(".", 3)
    if len(parts) == 4 and parts[:2] == ["model", "layers"] and parts[3] in _PARTS:
        return f"blk.{parts[2]}.{_PARTS[parts[3]]}.{kind}"
    return name


def _ids(value: Any) -> tuple[int, ...]:
    given = value if isinstance(value, list) else [value]
    return tuple(id for id in given if isinstance(id, int) and not isinstance(id, bool))
