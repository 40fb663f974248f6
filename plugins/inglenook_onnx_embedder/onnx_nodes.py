"""Nodes and constants of an ONNX graph while it is put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["MICROSOFT", "Nodes"]

MICROSOFT = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

_OPSET = 17
_IR_VERSION = 8


class Nodes:
    """Collects what a graph is made of."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; returns the output's name."""
        return self.ops(kind, *inputs, outputs=1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs; returns their names."""
        from onnx import helper

        names = [f"{kind}_{len(self._nodes)}_{index}" for index in range(outputs)]
        node = helper.make_node(kind, list(inputs), names, domain=domain, **attributes)
        self._nodes.append(node)
        return names

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a tensor under its name, which counts once."""
        import numpy

        self._constants[name] = numpy.asarray(value, order="C")
        return name

    def integers(self, name: str, values: Sequence[int]) -> str:
        """Add a list of int64."""
        import numpy

        return self.constant(name, numpy.array(values, dtype=numpy.int64))

    def integer(self, name: str, value: int) -> str:
        """Add one int64 without a dimension."""
        import numpy

        return self.constant(name, numpy.array(value, dtype=numpy.int64))

    def serialise(
        self, inputs: Sequence[str], outputs: dict[str, tuple[str, list[str | int]]]
    ) -> bytes:
        """The model with inputs of shape (batch, tokens), int64, and float32 outputs.

        Args:
            inputs: Names.
            outputs: Name -> the name inside the graph, and the shape.
        """
        from onnx import TensorProto, helper, numpy_helper

        shape = ["batch", "tokens"]
        for name, (inner, _) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [inner], [name]))
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in inputs],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, dimensions)
                for name, (_, dimensions) in outputs.items()
            ],
            [numpy_helper.from_array(value, key) for key, value in self._constants.items()],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)],
            ir_version=_IR_VERSION,
            producer_name="inglenook",
        )
        serialised: bytes = model.SerializeToString()
        return serialised
