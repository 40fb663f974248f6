"""Builds the ONNX graph of a BERT-type encoder from its weights, without torch.

The layers follow the paper (Devlin et al. 2018) as the Hugging Face `BertModel` lays them out:
embeddings, then blocks of attention and a GELU network, each with a residual and a layer norm
after it; `gelu` is the exact form with erf. MPNet's bias for distances follows T5 (Raffel et al.
2020). Attention, GELU and the products in 8 bits are ONNX Runtime's own fused operators. There is
no mask: a graph computes texts of one length, so nothing is padded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from inglenook.errors import MissingDependencyError, ModelError
from inglenook_onnx_embedder.architecture import Architecture, Weights
from inglenook_onnx_embedder.onnx_nodes import MICROSOFT, Nodes
from inglenook_onnx_embedder.quantised import (
    QuantisationPlan,
    largest_units,
    quantise_columns,
    quantise_rows,
    smoothing,
)

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Tensor = NDArray[numpy.float32]

__all__ = ["BUILDER_VERSION", "build_bert_graph", "product_names"]

BUILDER_VERSION = 2
"""Raise it when the graph changes: derived files are named by it."""

_MOST_BYTES = 1_900_000_000
_BUCKETS = 32
_FARTHEST = 128


def build_bert_graph(
    config: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    name: str,
    *,
    plan: QuantisationPlan | None = None,
    peaks: bool = False,
) -> bytes:
    """The serialised ONNX model.

    Inputs `input_ids` and, for BERT, `token_type_ids` of shape (batch, tokens), int64, where all
    texts of a batch have the same length; output `last_hidden_state` of shape (batch, tokens,
    hidden), float32.

    Args:
        config: The model's `config.json`.
        weights: Its tensors.
        name: What errors call it.
        plan: How to put it into 8 bits; None keeps float32.
        peaks: Whether each of `product_names` is an output too, of shape (channels,): the largest
            absolute value of each channel of the product's input.

    Raises `ModelError` for another kind of model or one that is too large, `ModelBrokenError` for
    missing weights.
    """
    architecture = Architecture.of(config, name)
    size = sum(tensor.nbytes for tensor in weights.values())
    if size > _MOST_BYTES:
        raise ModelError(
            f"{name}: its weights take {size / 1e9:.1f} GB in float32; an ONNX graph holds"
            f" {_MOST_BYTES / 1e9:.1f} GB.",
            hint="Use a smaller model, or its ONNX export.",
        )
    try:
        graph = _Graph(architecture, Weights(weights, architecture, name), plan)
        return graph.build(peaks=peaks)
    except ImportError as error:
        raise MissingDependencyError(
            f"{name}: a model in safetensors needs the library onnx, which is not installed.",
            hint="Install it: pip install 'inglenook[onnx-embedder]'",
        ) from error


def product_names(architecture: Architecture) -> list[str]:
    """The names of the products whose inputs a plan has to know, in the order of the layers."""
    kinds = ("attention", "inner", "outer")
    return [f"{kind}_{layer}" for layer in range(architecture.layers) for kind in kinds]


class _Graph:
    """The nodes of one graph, while it is put together."""

    def __init__(
        self, architecture: Architecture, weights: Weights, plan: QuantisationPlan | None
    ) -> None:
        self._is = architecture
        self._weights = weights
        self._plan = plan
        self._nodes = Nodes()
        self._tapped: dict[str, str] = {}

    def build(self, *, peaks: bool) -> bytes:
        states = self._encoder()
        outputs: dict[str, tuple[str, list[str | int]]] = {
            "last_hidden_state": (states, ["batch", "tokens", self._is.hidden])
        }
        if peaks:
            for name, tensor in self._tapped.items():
                size = self._nodes.op("Abs", tensor)
                peak = self._nodes.op("ReduceMax", size, axes=[0, 1], keepdims=0)
                outputs[name] = (peak, ["channels"])
        types = ["token_type_ids"] if self._is.has_types else []
        return self._nodes.serialise(["input_ids", *types], outputs)

    def _encoder(self) -> str:
        states = self._embeddings()
        bias = self._distances()
        for index in range(self._is.layers):
            layer = f"encoder.layer.{index}."
            mixed = self._attention(states, bias, index)
            attended = self._dense(layer + "attention.output.dense", mixed)
            states = self._norm_of_sum(layer + "attention.output.LayerNorm", attended, states)
            states = self._norm_of_sum(
                layer + "output.LayerNorm", self._inner_network(states, index), states
            )
        return states

    def _embeddings(self) -> str:
        import numpy

        places = self._weights["embeddings.position_embeddings.weight"][self._is.first_position :]
        types = self._weights.get("embeddings.token_type_embeddings.weight")
        if types is not None and not self._is.has_types:
            places = places + types[0]
        length = self._nodes.op("Shape", "input_ids", start=1, end=2)
        table = self._nodes.constant("positions", numpy.asarray(places, dtype=numpy.float32))
        positions = self._nodes.op("Slice", table, self._nodes.integers("begin", [0]), length)
        states = self._nodes.op("Add", self._words(), positions)
        if types is not None and self._is.has_types:
            kinds = self._nodes.op(
                "Gather", self._nodes.constant("token_types", types), "token_type_ids"
            )
            states = self._nodes.op("Add", states, kinds)
        return self._norm("embeddings.LayerNorm", states)

    def _words(self) -> str:
        import onnx

        table = self._weights["embeddings.word_embeddings.weight"]
        if self._plan is None:
            return self._nodes.op("Gather", self._nodes.constant("words", table), "input_ids")
        rows, scales = quantise_rows(table)
        found = self._nodes.op("Gather", self._nodes.constant("words", rows), "input_ids")
        numbers = self._nodes.op("Cast", found, to=onnx.TensorProto.FLOAT)
        factors = self._nodes.op("Gather", self._nodes.constant("word_scales", scales), "input_ids")
        return self._nodes.op("Mul", numbers, factors)

    def _distances(self) -> str:
        """MPNet's bias for the distance between two tokens, (1, heads, tokens, tokens), or ""."""
        import numpy

        if self._is.family != "mpnet":
            return ""
        table = self._weights["encoder.relative_attention_bias.weight"]
        length = self._weights["embeddings.position_embeddings.weight"].shape[0]
        buckets = [_bucket(distance) for distance in range(-length, length + 1)]
        by_distance = numpy.ascontiguousarray(table[buckets])
        scalar = self._nodes.op("Squeeze", self._nodes.op("Shape", "input_ids", start=1, end=2))
        places = self._nodes.op(
            "Range", self._nodes.integer("zero", 0), scalar, self._nodes.integer("one", 1)
        )
        rows = self._nodes.op("Unsqueeze", places, self._nodes.integers("axis_1", [1]))
        apart = self._nodes.op("Sub", places, rows)
        index = self._nodes.op("Add", apart, self._nodes.integer("middle", length))
        found = self._nodes.op("Gather", self._nodes.constant("distances", by_distance), index)
        heads_first = self._nodes.op("Transpose", found, perm=[2, 0, 1])
        return self._nodes.op("Unsqueeze", heads_first, self._nodes.integers("axis_0", [0]))

    def _attention(self, states: str, bias: str, index: int) -> str:
        parts = [f"encoder.layer.{index}.attention.self.{p}" for p in ("query", "key", "value")]
        if self._plan is None:
            self._tapped[f"attention_{index}"] = states
            products = [self._dense(part, states) for part in parts]
        else:
            products = self._products_of_one(f"attention_{index}", states, parts)
        extra = ["", "", bias] if bias else []
        return self._nodes.op(
            "MultiHeadAttention", *products, *extra, domain=MICROSOFT, num_heads=self._is.heads
        )

    def _inner_network(self, states: str, index: int) -> str:
        inner, outer = (
            f"encoder.layer.{index}.{part}.dense" for part in ("intermediate", "output")
        )
        if self._plan is None:
            wide = self._gelu(self._dense(inner, states))
            self._tapped[f"inner_{index}"], self._tapped[f"outer_{index}"] = states, wide
            return self._dense(outer, wide)
        weight, bias = self._matrix(inner), self._weights[inner + ".bias"]
        back = self._matrix(outer)
        peaks = self._plan.peaks[f"outer_{index}"]
        few, most = largest_units(peaks, min(self._plan.units_kept, len(peaks) // 4))
        kept = self._float_product(inner + ".kept", states, weight[:, few], bias[few])
        kept = self._float_product(outer + ".kept", self._gelu(kept), back[few], None)
        smooth, weight = self._smoothed(f"inner_{index}", states, weight)
        wide = self._gelu(self._byte_product(inner, smooth, weight[:, most], bias[most]))
        narrow = self._byte_product(outer, wide, back[most], self._weights[outer + ".bias"])
        return self._nodes.op("Add", narrow, kept)

    def _products_of_one(self, name: str, states: str, layers: list[str]) -> list[str]:
        """Several dense layers of the same input, which is put into 8 bits once."""
        import numpy

        assert self._plan is not None
        whole = numpy.concatenate([self._matrix(layer) for layer in layers], axis=1)
        smooth, whole = self._smoothed(name, states, whole)
        data, scale, zero = self._nodes.ops("DynamicQuantizeLinear", smooth, outputs=3)
        products = []
        for part, layer in enumerate(layers):
            weight = whole[:, part * self._is.hidden : (part + 1) * self._is.hidden]
            matrix, scales, zeros = self._bytes(layer, weight)
            bias = self._nodes.constant(layer + ".bias", self._weights[layer + ".bias"])
            products.append(
                self._nodes.op(
                    "MatMulIntegerToFloat",
                    *(data, matrix, scale, scales, zero, zeros, bias),
                    domain=MICROSOFT,
                )
            )
        return products

    def _smoothed(self, name: str, states: str, weight: Tensor) -> tuple[str, Tensor]:
        assert self._plan is not None
        factors = smoothing(self._plan.peaks[name], weight)
        inverse = self._nodes.constant(name + ".smoothing", 1 / factors)
        return self._nodes.op("Mul", states, inverse), weight * factors[:, None]

    def _dense(self, layer: str, states: str) -> str:
        """The layer in the precision of the graph, its bias added."""
        weight, bias = self._matrix(layer), self._weights[layer + ".bias"]
        if self._plan is None:
            return self._float_product(layer, states, weight, bias)
        return self._byte_product(layer, states, weight, bias)

    def _float_product(self, layer: str, states: str, weight: Tensor, bias: Tensor | None) -> str:
        product = self._nodes.op("MatMul", states, self._nodes.constant(layer + ".weight", weight))
        if bias is None:
            return product
        return self._nodes.op("Add", product, self._nodes.constant(layer + ".bias", bias))

    def _byte_product(self, layer: str, states: str, weight: Tensor, bias: Tensor) -> str:
        added = self._nodes.constant(layer + ".bias", bias)
        return self._nodes.op(
            "DynamicQuantizeMatMul", states, *self._bytes(layer, weight), added, domain=MICROSOFT
        )

    def _bytes(self, layer: str, weight: Tensor) -> tuple[str, str, str]:
        """The constants of a matrix in 8 bits: values, scales, zero points."""
        import numpy

        assert self._plan is not None
        values, scales = quantise_columns(weight, self._plan.weight_bits)
        return (
            self._nodes.constant(layer + ".bytes", values),
            self._nodes.constant(layer + ".scales", scales),
            self._nodes.constant(layer + ".zeros", numpy.zeros(len(scales), dtype=numpy.int8)),
        )

    def _gelu(self, states: str) -> str:
        return self._nodes.op("Gelu", states, domain=MICROSOFT)

    def _norm_of_sum(self, layer: str, states: str, residual: str) -> str:
        return self._norm(layer, self._nodes.op("Add", states, residual))

    def _norm(self, layer: str, states: str) -> str:
        return self._nodes.op(
            "LayerNormalization",
            states,
            self._nodes.constant(layer + ".weight", self._weights[layer + ".weight"]),
            self._nodes.constant(layer + ".bias", self._weights[layer + ".bias"]),
            axis=-1,
            epsilon=self._is.epsilon,
        )

    def _matrix(self, layer: str) -> Tensor:
        """A dense layer's weights as (inputs, outputs)."""
        return self._weights[layer + ".weight"].T


def _bucket(distance: int) -> int:
    """T5's bucket, in both directions, of `distance` = position of the key minus the query's."""
    half = _BUCKETS // 2
    exact = half // 2
    side = half if distance > 0 else 0
    far = abs(distance)
    if far < exact:
        return side + far
    steps = math.log(far / exact) / math.log(_FARTHEST / exact) * (half - exact)
    return side + min(exact + int(steps), half - 1)
