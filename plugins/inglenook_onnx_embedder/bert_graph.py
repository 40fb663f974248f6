"""Builds the ONNX graph of a BERT encoder from its weights, in float32 and without torch.

The layers follow the paper (Devlin et al. 2018) as the Hugging Face `BertModel` lays them out:
embeddings, then blocks of attention and a GELU network, each with a residual and a layer norm
after it. `gelu` is the exact form with erf.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from inglenook.errors import MissingDependencyError, ModelBrokenError, ModelError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Tensor = NDArray[numpy.float32]

__all__ = ["BUILDER_VERSION", "build_bert_graph"]

BUILDER_VERSION = 1
"""Raise it when the graph changes: derived files are named by it."""

_OPSET = 17
_IR_VERSION = 8
_MASKED = -10_000.0


def build_bert_graph(config: Mapping[str, Any], weights: Mapping[str, Tensor], name: str) -> bytes:
    """The serialised ONNX model.

    Inputs `input_ids`, `attention_mask`, `token_type_ids` of shape (batch, tokens), int64; output
    `last_hidden_state` of shape (batch, tokens, hidden), float32.

    Raises `ModelError` for anything but BERT, `ModelBrokenError` for missing weights.
    """
    _refuse_other_models(config, name)
    try:
        return _Graph(config, weights, name).build()
    except ImportError as error:
        raise MissingDependencyError(
            f"{name}: a model in safetensors needs the library onnx, which is not installed.",
            hint="Install it: pip install 'inglenook[onnx-embedder]'",
        ) from error


def _refuse_other_models(config: Mapping[str, Any], name: str) -> None:
    wanted = {
        "model_type": ("bert",),
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


class _Graph:
    """The nodes and weights of one graph, while it is put together."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, Tensor], name: str) -> None:
        self._name = name
        self._weights = weights
        self._prefix = "bert." if "bert.embeddings.word_embeddings.weight" in weights else ""
        self._hidden = int(config["hidden_size"])
        self._heads = int(config["num_attention_heads"])
        self._layers = int(config["num_hidden_layers"])
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def build(self) -> bytes:
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        states = self._encoder()
        shape = ["batch", "tokens"]
        inputs = [
            helper.make_tensor_value_info(entry, TensorProto.INT64, shape)
            for entry in ("input_ids", "attention_mask", "token_type_ids")
        ]
        output = helper.make_tensor_value_info(
            "last_hidden_state", TensorProto.FLOAT, [*shape, self._hidden]
        )
        self._nodes.append(helper.make_node("Identity", [states], ["last_hidden_state"]))
        graph = helper.make_graph(
            self._nodes,
            "bert",
            inputs,
            [output],
            [numpy_helper.from_array(value, key) for key, value in self._constants.items()],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="inglenook",
        )
        onnx.checker.check_model(model)
        serialised: bytes = model.SerializeToString()
        return serialised

    def _encoder(self) -> str:
        mask = self._mask()
        states = self._embeddings()
        for index in range(self._layers):
            layer = f"encoder.layer.{index}."
            attended = self._dense(
                layer + "attention.output.dense", self._attention(states, mask, layer)
            )
            states = self._norm(
                layer + "attention.output.LayerNorm", self._op("Add", attended, states)
            )
            inner = self._gelu(self._dense(layer + "intermediate.dense", states))
            outer = self._dense(layer + "output.dense", inner)
            states = self._norm(layer + "output.LayerNorm", self._op("Add", outer, states))
        return states

    def _embeddings(self) -> str:
        words = self._op("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        kinds = self._op(
            "Gather", self._weight("embeddings.token_type_embeddings.weight"), "token_type_ids"
        )
        length = self._op("Shape", "input_ids", start=1, end=2)
        scalar = self._op("Squeeze", length, self._integers("axis_0", [0]))
        positions = self._op("Range", self._integer("zero", 0), scalar, self._integer("one", 1))
        places = self._op(
            "Gather", self._weight("embeddings.position_embeddings.weight"), positions
        )
        return self._norm(
            "embeddings.LayerNorm", self._op("Add", self._op("Add", words, kinds), places)
        )

    def _mask(self) -> str:
        """0 where a token counts and a large negative number where it is padding."""
        import onnx

        wide = self._op("Unsqueeze", "attention_mask", self._integers("axes_1_2", [1, 2]))
        numbers = self._op("Cast", wide, to=onnx.TensorProto.FLOAT)
        padding = self._op("Sub", self._number("one_f", 1.0), numbers)
        return self._op("Mul", padding, self._number("masked", _MASKED))

    def _attention(self, states: str, mask: str, layer: str) -> str:
        size = self._hidden // self._heads
        query, key, value = (
            self._op(
                "Reshape",
                self._dense(f"{layer}attention.self.{part}", states),
                self._integers("split_heads", [0, 0, self._heads, size]),
            )
            for part in ("query", "key", "value")
        )
        query = self._op("Transpose", query, perm=[0, 2, 1, 3])
        key = self._op("Transpose", key, perm=[0, 2, 3, 1])
        value = self._op("Transpose", value, perm=[0, 2, 1, 3])
        scores = self._op(
            "Div", self._op("MatMul", query, key), self._number("scale", math.sqrt(size))
        )
        shares = self._op("Softmax", self._op("Add", scores, mask), axis=-1)
        mixed = self._op("Transpose", self._op("MatMul", shares, value), perm=[0, 2, 1, 3])
        return self._op("Reshape", mixed, self._integers("join_heads", [0, 0, self._hidden]))

    def _gelu(self, states: str) -> str:
        erf = self._op("Erf", self._op("Div", states, self._number("sqrt_2", math.sqrt(2))))
        gate = self._op("Add", erf, self._number("one_f", 1.0))
        return self._op("Mul", self._op("Mul", states, gate), self._number("half", 0.5))

    def _dense(self, layer: str, states: str) -> str:
        product = self._op("MatMul", states, self._weight(layer + ".weight", transposed=True))
        return self._op("Add", product, self._weight(layer + ".bias"))

    def _norm(self, layer: str, states: str) -> str:
        return self._op(
            "LayerNormalization",
            states,
            self._weight(layer + ".weight"),
            self._weight(layer + ".bias"),
            axis=-1,
            epsilon=self._epsilon,
        )

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        output = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def _weight(self, name: str, *, transposed: bool = False) -> str:
        import numpy

        value = self._weights.get(self._prefix + name)
        if value is None:
            raise ModelBrokenError(f"{self._name}: the weights lack the tensor {name}.")
        self._constants[name] = numpy.ascontiguousarray(value.T if transposed else value)
        return name

    def _integers(self, name: str, values: list[int]) -> str:
        import numpy

        self._constants[name] = numpy.array(values, dtype=numpy.int64)
        return name

    def _integer(self, name: str, value: int) -> str:
        import numpy

        self._constants[name] = numpy.array(value, dtype=numpy.int64)
        return name

    def _number(self, name: str, value: float) -> str:
        import numpy

        self._constants[name] = numpy.array(value, dtype=numpy.float32)
        return name
