"""What a BERT-type encoder is made of: sizes and names, read from its config and its weights.

Families: BERT (MiniLM, bge, e5-small and many others), RoBERTa and XLM-R (e5-base), MPNet. They
differ in the names of their tensors, in where positions begin, and in MPNet's bias for the
distance between two tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inglenook.errors import ModelBrokenError, ModelError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Tensor = NDArray[numpy.float32]

__all__ = ["FAMILIES", "Architecture", "Weights"]

_ROBERTA = ("roberta", "xlm-roberta")
FAMILIES = ("bert", *_ROBERTA, "mpnet")
_PREFIXES = ("", "bert.", "roberta.", "mpnet.", "model.", "0.auto_model.")
_WORDS = "embeddings.word_embeddings.weight"
_MPNET = {
    "attention.self.query": "attention.attn.q",
    "attention.self.key": "attention.attn.k",
    "attention.self.value": "attention.attn.v",
    "attention.output.dense": "attention.attn.o",
    "attention.output.LayerNorm": "attention.LayerNorm",
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of one encoder.

    Args:
        family: One of `FAMILIES`.
        hidden: Width of a token's state.
        heads: Attention heads of a layer.
        layers: Layers.
        epsilon: Of the layer norms.
        first_position: Row of the position table that belongs to the first token.
    """

    family: str
    hidden: int
    heads: int
    layers: int
    epsilon: float
    first_position: int

    @classmethod
    def of(cls, config: Mapping[str, Any], name: str) -> Architecture:
        """Read it from a `config.json`.

        Raises `ModelError` for a kind of model that cannot be built, `ModelBrokenError` for a
        config without a size.
        """
        wanted = {
            "model_type": FAMILIES,
            "hidden_act": ("gelu",),
            "position_embedding_type": ("absolute",),
        }
        for key, allowed in wanted.items():
            value = config.get(key, allowed[0])
            if value not in allowed:
                raise ModelError(
                    f"{name}: {key} is {value!r}; only {', '.join(allowed)} can be opened"
                    " from safetensors.",
                    hint="Use the model's ONNX export instead.",
                )
        family = str(config.get("model_type", "bert"))
        try:
            found = cls(
                family,
                int(config["hidden_size"]),
                int(config["num_attention_heads"]),
                int(config["num_hidden_layers"]),
                float(config.get("layer_norm_eps", 1e-12)),
                0 if family == "bert" else int(config.get("pad_token_id", 1)) + 1,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelBrokenError(f"{name}: config.json lacks a size ({error}).") from error
        if found.heads < 1 or found.layers < 1 or found.hidden % found.heads:
            raise ModelBrokenError(f"{name}: config.json gives sizes that do not fit together.")
        return found

    @property
    def has_types(self) -> bool:
        """Whether tokens carry a type, as the two texts of a pair do."""
        return self.family == "bert"

    def tensor(self, name: str) -> str:
        """What this family calls the tensor that `BertModel` calls `name`."""
        if self.family != "mpnet":
            return name
        for theirs, ours in _MPNET.items():
            name = name.replace(theirs, ours)
        return name


class Weights:
    """The tensors of one encoder, by the names that Hugging Face's `BertModel` gives them."""

    def __init__(
        self, tensors: Mapping[str, Tensor], architecture: Architecture, name: str
    ) -> None:
        self._tensors = tensors
        self._architecture = architecture
        self._name = name
        self._prefix = next((p for p in _PREFIXES if p + _WORDS in tensors), "")

    def __getitem__(self, name: str) -> Tensor:
        value = self.get(name)
        if value is None:
            raise ModelBrokenError(f"{self._name}: the weights lack the tensor {name}.")
        return value

    def get(self, name: str) -> Tensor | None:
        """The tensor, or None where the model has none of this name."""
        return self._tensors.get(self._prefix + self._architecture.tensor(name))
