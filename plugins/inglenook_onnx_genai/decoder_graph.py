"""Writes the ONNX graph of a llama or qwen2 decoder for ONNX Runtime GenAI, tensor by tensor.

The graph is made of ONNX Runtime's own operators (`ContribOperators.md`): MatMulNBits for matrices
of 4 or 8 bits, GroupQueryAttention with its rotary embedding, and norms that add the residual. The
weights go into a file beside it as they are made, so that memory holds one piece at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook_onnx_genai.block_weights import BLOCK, quantise_rows
from inglenook_onnx_genai.decoder_weights import DecoderSizes, DecoderWeights
from inglenook_onnx_genai.weights_file import WeightsFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DATA", "GRAPH", "PRECISIONS", "DecoderGraph", "Plan"]

GRAPH, DATA = "model.onnx", "model.onnx.data"
PRECISIONS = {"int4": 4, "int8": 8, "fp32": 32}
"""The bits of most weights."""

_MICROSOFT = "com.microsoft"
_OPSET, _IR_VERSION = 21, 10
_INT8_ACCURACY = 4
"""MatMulNBits computes with inputs of 8 bits."""
_FINE_FROM_BITS = 6.0
_FLOAT_BITS = 16.0


class Plan:
    """In how many bits each matrix is kept.

    Those that the source keeps finer than others, it keeps so because they matter more; in 4 bits
    such a matrix gets 8, and so do the embedding and the output. Of a source in 16 or 32 bits it is
    also, in every third layer, the values and the way back from the inner network.
    """

    def __init__(self, weights: DecoderWeights, precision: str) -> None:
        self._weights = weights
        self._bits = PRECISIONS[precision]

    def bits(self, name: str) -> int:
        """4, 8 or 32."""
        if self._bits != PRECISIONS["int4"]:
            return self._bits
        of_source = self._weights.bits(name)
        if of_source < _FLOAT_BITS and name.startswith("blk."):
            return 8 if of_source > _FINE_FROM_BITS else 4
        return 8 if self._matters(name) else 4

    def size_bytes(self, name: str) -> int:
        """What the matrix takes in the file, about."""
        rows, columns = self._weights.shapes[name]
        bits = self.bits(name)
        blocks = rows * -(-columns // BLOCK)
        return rows * columns * bits // 8 + (blocks * 5 if bits < PRECISIONS["fp32"] else 0)

    def _matters(self, name: str) -> bool:
        if not name.startswith("blk."):
            return True
        layer, part = int(name.split(".")[1]), name.split(".")[2]
        eighth = self._weights.sizes.layers // 8
        last = layer >= self._weights.sizes.layers - eighth
        chosen = layer < eighth or last or layer % 3 == 2
        return chosen and part in {"attn_v", "ffn_down"}


@dataclass(frozen=True, slots=True)
class _Matrix:
    """A matrix in the file: the names of its constants, and its size."""

    bits: int
    rows: int
    columns: int
    values: str
    scales: str = ""
    zeros: str = ""
    rest: _Matrix | None = None
    """What every value of a block has beside, a column for each block."""


class DecoderGraph:
    """Builds and writes one model.

    Args:
        weights: Where they come from.
        precision: One of `PRECISIONS`.
        folder: Where `GRAPH` and `DATA` are written.
    """

    def __init__(self, weights: DecoderWeights, precision: str, folder: Path) -> None:
        self._weights = weights
        self._plan = Plan(weights, precision)
        self._folder = folder
        self._nodes: list[Any] = []
        self._sums: dict[str, str] = {}
        self._written = 0
        self._tied = _is_tied(weights)

    @property
    def size_bytes(self) -> int:
        """What the files will take, about."""
        sizes = self._weights.sizes
        angles = sizes.context_length * sizes.head_size * 4
        small = sum(4 * shape[0] for shape in self._weights.shapes.values() if len(shape) == 1)
        return angles + small + sum(self._plan.size_bytes(name) for name in self._matrices())

    def write(self, between: Callable[[], None]) -> Iterator[tuple[str, int]]:
        """Write it; yields each tensor's name and the bytes written by then.

        `between` is called after each piece and may raise, to cancel. Raises `OSError`.
        """
        with WeightsFile(self._folder / DATA) as file:
            self._file = file
            self._between = between
            yield from self._build()
        (self._folder / GRAPH).write_bytes(self._serialised(file.constants))

    def _matrices(self) -> Iterator[str]:
        for name, shape in self._weights.shapes.items():
            hidden = self._tied and name == self._tied_away
            if len(shape) == 2 and not hidden:
                yield name

    @property
    def _tied_away(self) -> str:
        """Which of two equal matrices is left out: the coarser one."""
        if "output.weight" not in self._weights.shapes:
            return ""
        return "token_embd.weight"

    # --- the graph ------------------------------------------------------------------------------

    def _build(self) -> Iterator[tuple[str, int]]:
        sizes = self._weights.sizes
        self._angles(sizes)
        lengths, total = self._lengths()
        head_name = "output.weight" if "output.weight" in self._weights.shapes else ""
        embedding_name = "token_embd.weight"
        if self._tied and head_name:
            embedding_name = head_name
        embedding = self._matrix([embedding_name])
        yield embedding_name, self._file.size_bytes
        head = embedding
        if not self._tied:
            head = self._matrix([head_name])
            yield head_name, self._file.size_bytes
        states = self._embedded(embedding)
        branch = ""
        for layer in range(sizes.layers):
            normal, states = self._normal(f"blk.{layer}.attn_norm.weight", states, branch)
            branch = self._attention(layer, normal, lengths, total)
            yield f"blk.{layer}.attn", self._file.size_bytes
            normal, states = self._normal(f"blk.{layer}.ffn_norm.weight", states, branch)
            branch = self._inner_network(layer, normal)
            yield f"blk.{layer}.ffn", self._file.size_bytes
        normal, _ = self._normal("output_norm.weight", states, branch)
        self._product(head, normal, output="logits")

    def _angles(self, sizes: DecoderSizes) -> None:
        """The cosines and sines of the rotary embedding, of shape (positions, half a head)."""
        import numpy

        half = numpy.arange(0, sizes.head_size, 2, dtype=numpy.float64) / sizes.head_size
        places = numpy.arange(sizes.context_length, dtype=numpy.float64)[:, None]
        angles = places * sizes.rotary_base ** -half[None]
        self._file.add("cosines", numpy.cos(angles).astype(numpy.float32))
        self._file.add("sines", numpy.sin(angles).astype(numpy.float32))

    def _lengths(self) -> tuple[str, str]:
        """What GroupQueryAttention wants: the last place of each row, and how long all are."""
        one = self._integers("one", [1])
        filled = self._op("ReduceSum", "attention_mask", one, keepdims=0)
        last = self._op("Cast", self._op("Sub", filled, one), to=6)
        shape = self._op("Shape", "attention_mask")
        width = self._op("Gather", shape, self._integers("at_one", 1), axis=0)
        return last, self._op("Cast", width, to=6)

    def _embedded(self, matrix: _Matrix) -> str:
        if matrix.bits == PRECISIONS["fp32"]:
            return self._op("Gather", matrix.values, "input_ids", axis=0)
        columns = matrix.columns * matrix.bits // 8
        flat = self._integers("embedding_shape", [matrix.rows, columns])
        table = self._op("Reshape", matrix.values, flat)
        zeros = matrix.zeros
        return self._op(
            "GatherBlockQuantized",
            *(table, "input_ids", matrix.scales, *([zeros] if zeros else [])),
            domain=_MICROSOFT,
            bits=matrix.bits,
            block_size=BLOCK,
            gather_axis=0,
            quantize_axis=1,
        )

    def _normal(self, name: str, states: str, branch: str) -> tuple[str, str]:
        """The norm of the states with the branch added, and these states themselves."""
        weight = self._vector(name)
        epsilon = self._weights.sizes.epsilon
        if not branch:
            normal = self._op(
                "SimplifiedLayerNormalization",
                *(states, weight),
                axis=-1,
                epsilon=epsilon,
                stash_type=1,
            )
            return normal, states
        normal, added = f"{name}.normal", f"{name}.sum"
        self._node(
            "SkipSimplifiedLayerNormalization",
            [states, branch, weight],
            [normal, "", "", added],
            domain=_MICROSOFT,
            epsilon=epsilon,
        )
        return normal, added

    def _attention(self, layer: int, normal: str, lengths: str, total: str) -> str:
        sizes = self._weights.sizes
        names = [f"blk.{layer}.attn_{part}.weight" for part in "qkv"]
        together = len({self._plan.bits(name) for name in names}) == 1
        groups = [names] if together else [[name] for name in names]
        products = [self._biased(group, normal) for group in groups]
        products += [""] * (3 - len(products))
        found = f"blk.{layer}.attention"
        self._node(
            "GroupQueryAttention",
            [
                *products,
                f"past_key_values.{layer}.key",
                f"past_key_values.{layer}.value",
                *(lengths, total, "cosines", "sines"),
            ],
            [found, f"present.{layer}.key", f"present.{layer}.value"],
            domain=_MICROSOFT,
            num_heads=sizes.heads,
            kv_num_heads=sizes.key_heads,
            scale=sizes.head_size**-0.5,
            do_rotary=1,
            rotary_interleaved=0,
        )
        return self._product(self._matrix([f"blk.{layer}.attn_output.weight"]), found)

    def _biased(self, names: list[str], states: str) -> str:
        import numpy

        product = self._product(self._matrix(names), states)
        biases = [name.replace(".weight", ".bias") for name in names]
        if biases[0] not in self._weights.shapes:
            return product
        together = numpy.concatenate([self._weights.vector(name) for name in biases])
        self._file.add(biases[0], together)
        return self._op("Add", product, biases[0])

    def _inner_network(self, layer: int, normal: str) -> str:
        gate, up, down = (
            self._matrix([f"blk.{layer}.ffn_{part}.weight"]) for part in ("gate", "up", "down")
        )
        opened = self._product(gate, normal)
        active = self._op("Mul", opened, self._op("Sigmoid", opened))
        return self._product(down, self._op("Mul", active, self._product(up, normal)))

    def _product(self, matrix: _Matrix, states: str, output: str = "") -> str:
        """The states times the matrix, whose rows are the outputs."""
        name = output or f"{matrix.values}.product"
        if matrix.rest is not None:
            # What a whole block has beside counts with the sum of the block's inputs.
            plain = self._product(replace(matrix, rest=None), states, f"{matrix.values}.plain")
            beside = self._product(matrix.rest, self._block_sums(states, matrix))
            self._node("Add", [plain, beside], [name])
            return name
        if matrix.bits == PRECISIONS["fp32"]:
            inputs = [states, matrix.values]
            self._node("FusedMatMul", inputs, [name], domain=_MICROSOFT, transB=1)
            return name
        self._node(
            "MatMulNBits",
            [states, matrix.values, matrix.scales, *([matrix.zeros] if matrix.zeros else [])],
            [name],
            domain=_MICROSOFT,
            K=matrix.columns,
            N=matrix.rows,
            bits=matrix.bits,
            block_size=BLOCK,
            accuracy_level=_INT8_ACCURACY,
        )
        return name

    def _block_sums(self, states: str, matrix: _Matrix) -> str:
        """The states summed up by blocks; made once for all matrices that they go through."""
        if states not in self._sums:
            shape = self._integers(f"{states}.blocks", [0, 0, matrix.columns // BLOCK, BLOCK])
            last = self._integers(f"{states}.last", [-1])
            parts = self._op("Reshape", states, shape)
            self._sums[states] = self._op("ReduceSum", parts, last, keepdims=0)
        return self._sums[states]

    # --- the constants --------------------------------------------------------------------------

    def _vector(self, name: str) -> str:
        self._file.add(name, self._weights.vector(name))
        return name

    def _matrix(self, names: Sequence[str]) -> _Matrix:
        """Write matrices of the same width, one below the other."""
        name, bits = names[0], self._plan.bits(names[0])
        rows = sum(self._weights.shapes[part][0] for part in names)
        columns = self._weights.shapes[name][1]
        pieces = (piece for part in names for piece in self._weights.rows(part))
        if bits == PRECISIONS["fp32"]:
            self._file.begin(name, (rows, columns), "float32")
            for piece in pieces:
                self._file.append(piece)
                self._between()
            return _Matrix(bits, rows, columns, name)
        return self._quantised(name, bits, rows, columns, pieces)

    def _quantised(
        self, name: str, bits: int, rows: int, columns: int, pieces: Iterator[NDArray[Any]]
    ) -> _Matrix:
        import numpy

        count = -(-columns // BLOCK)
        self._file.begin(name, (rows, count, BLOCK * bits // 8), "uint8")
        scales, zeros, rests = [], [], []
        for piece in pieces:
            blocks = quantise_rows(piece, bits)
            self._file.append(blocks.stored)
            scales.append(blocks.scales)
            if blocks.zeros is not None:
                zeros.append(blocks.zeros)
            nothing = numpy.zeros(blocks.scales.shape, dtype=numpy.float32)
            rests.append(nothing if blocks.rest is None else blocks.rest)
            self._between()
        self._file.add(f"{name}.scales", numpy.concatenate(scales))
        matrix = _Matrix(bits, rows, columns, name, f"{name}.scales")
        if not zeros:
            return matrix
        self._file.add(f"{name}.zeros", numpy.concatenate(zeros))
        matrix = replace(matrix, zeros=f"{name}.zeros")
        together = numpy.concatenate(rests)
        if not together.any():
            return matrix
        fine = PRECISIONS["int8"]
        beside = self._quantised(f"{name}.rest", fine, rows, count, iter([together]))
        return replace(matrix, rest=beside)

    def _integers(self, name: str, value: int | list[int]) -> str:
        import numpy

        self._file.add_inline(name, numpy.array(value, dtype=numpy.int64))
        return name

    # --- nodes ----------------------------------------------------------------------------------

    def _op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"{kind}_{len(self._nodes)}"
        self._node(kind, list(inputs), [name], domain=domain, **attributes)
        return name

    def _node(
        self, kind: str, inputs: list[str], outputs: list[str], domain: str = "", **attributes: Any
    ) -> None:
        from onnx import helper

        node = helper.make_node(kind, inputs, outputs, domain=domain, **attributes)
        self._nodes.append(node)

    def _serialised(self, constants: list[Any]) -> bytes:
        from onnx import TensorProto, helper

        sizes = self._weights.sizes
        past = ["batch", sizes.key_heads, "past", sizes.head_size]
        present = ["batch", sizes.key_heads, "total", sizes.head_size]
        kinds = [(n, kind) for n in range(sizes.layers) for kind in ("key", "value")]
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "decoder",
            [
                value("input_ids", TensorProto.INT64, ["batch", "tokens"]),
                value("attention_mask", TensorProto.INT64, ["batch", "total"]),
                *(
                    value(f"past_key_values.{n}.{kind}", TensorProto.FLOAT, past)
                    for n, kind in kinds
                ),
            ],
            [
                value("logits", TensorProto.FLOAT, ["batch", "tokens", sizes.vocabulary]),
                *(value(f"present.{n}.{kind}", TensorProto.FLOAT, present) for n, kind in kinds),
            ],
            constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)],
            ir_version=_IR_VERSION,
            producer_name="inglenook",
        )
        serialised: bytes = model.SerializeToString()
        return serialised


def _is_tied(weights: DecoderWeights) -> bool:
    """Whether the output is the embedding: the same matrix, or one that was stored twice.

    Quantised copies of one matrix differ a little, and two different ones by far more.
    """
    if "output.weight" not in weights.shapes:
        return True
    import numpy

    rows = weights.shapes["token_embd.weight"][0]
    for first in range(0, rows, max(1, rows // _COMPARED_ROWS)):
        one = weights.some_rows("token_embd.weight", first, 1)
        other = weights.some_rows("output.weight", first, 1)
        apart = float(numpy.linalg.norm(one - other))
        if apart > _SAME_WITHIN * float(numpy.linalg.norm(other)):
            return False
    return weights.bits("output.weight") >= weights.bits("token_embd.weight")


_COMPARED_ROWS = 256
_SAME_WITHIN = 0.1
