"""What a decoder's weights are, whatever file they come from: its sizes, and its tensors in rows.

Tensors go by the names of GGUF files (`blk.0.attn_q.weight`). Rows are in the order of
Hugging Face's transformers, which turns the two halves of a head against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Floats = NDArray[numpy.float32]

__all__ = [
    "ARCHITECTURES",
    "CHUNK_VALUES",
    "DecoderSizes",
    "DecoderWeights",
    "check_tensors",
    "require_sizes",
]

ARCHITECTURES = ("llama", "qwen2")
CHUNK_VALUES = 4 * 1024 * 1024
"""About how many values of a matrix are in memory at a time."""


@dataclass(frozen=True, slots=True)
class DecoderSizes:
    """What the graph is built by.

    Args:
        architecture: One of `ARCHITECTURES`.
        layers, hidden, inner: How many layers, and the widths of their states and inner networks.
        heads, key_heads, head_size: Of the attention; `key_heads` are those of keys and values.
        vocabulary: How many tokens.
        context_length: Tokens that it was trained for.
        epsilon: Of the norms.
        rotary_base: The base of the rotary angles (`rope_theta`).
        bos_id, eos_ids, pad_id: The tokens that begin, end and fill; None for none.
    """

    architecture: str
    layers: int
    hidden: int
    inner: int
    heads: int
    key_heads: int
    head_size: int
    vocabulary: int
    context_length: int
    epsilon: float
    rotary_base: float
    bos_id: int | None = None
    eos_ids: tuple[int, ...] = ()
    pad_id: int | None = None


class DecoderWeights(Protocol):
    """A model's file or files, open for reading."""

    @property
    def sizes(self) -> DecoderSizes:
        """Checked: they fit each other and the tensors."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The tensors: (outputs, inputs) of a matrix, (width,) of a vector."""

    def bits(self, name: str) -> float:
        """How many bits a value of that tensor takes in the file."""

    def rows(self, name: str) -> Iterator[Floats]:
        """The rows of a matrix, in chunks of about `CHUNK_VALUES` values."""

    def some_rows(self, name: str, first: int, count: int) -> Floats:
        """`count` rows of the matrix from `first` on."""

    def vector(self, name: str) -> Floats:
        """A tensor of one dimension."""

    def write_tokenizer(self, folder: Path) -> None:
        """Write `tokenizer.json` and `tokenizer_config.json`."""

    def close(self) -> None:
        """Let go of the file."""


def check_tensors(sizes: DecoderSizes, shapes: Mapping[str, tuple[int, ...]], name: str) -> None:
    """Raise `ModelBrokenError` or `UserError` unless the tensors are those of the architecture."""
    from inglenook.errors import ModelBrokenError, UserError

    wanted = _expected(sizes)
    for tensor, shape in wanted.items():
        if tensor not in shapes:
            raise ModelBrokenError(
                f"{name} cannot be converted: the tensor {tensor} is missing.",
                hint="Fetch the model again, or copy the file anew.",
            )
        if shapes[tensor] != shape:
            raise ModelBrokenError(
                f"{name} cannot be converted: the tensor {tensor} has the shape"
                f" {_told(shapes[tensor])}, not {_told(shape)}.",
                hint="Fetch the model again, or copy the file anew.",
            )
    head = shapes.get("output.weight", wanted["token_embd.weight"])
    if head != wanted["token_embd.weight"]:
        raise ModelBrokenError(
            f"{name} cannot be converted: the tensor output.weight has the shape {_told(head)}, not"
            f" {_told(wanted['token_embd.weight'])}.",
            hint="Fetch the model again, or copy the file anew.",
        )
    if unknown := sorted(set(shapes) - set(wanted) - {"output.weight"}):
        more = f" and {len(unknown) - 1} others" if len(unknown) > 1 else ""
        raise UserError(
            f"{name} cannot be converted: it has tensors that a {sizes.architecture} model does"
            f" not have ({unknown[0]}{more}).",
            hint=f"Plain models of {' and '.join(ARCHITECTURES)} can be converted.",
        )


def _expected(sizes: DecoderSizes) -> dict[str, tuple[int, ...]]:
    queries, keys = sizes.heads * sizes.head_size, sizes.key_heads * sizes.head_size
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (sizes.vocabulary, sizes.hidden),
        "output_norm.weight": (sizes.hidden,),
    }
    for layer in range(sizes.layers):
        of_layer: dict[str, tuple[int, ...]] = {
            "attn_norm.weight": (sizes.hidden,),
            "attn_q.weight": (queries, sizes.hidden),
            "attn_k.weight": (keys, sizes.hidden),
            "attn_v.weight": (keys, sizes.hidden),
            "attn_output.weight": (sizes.hidden, queries),
            "ffn_norm.weight": (sizes.hidden,),
            "ffn_gate.weight": (sizes.inner, sizes.hidden),
            "ffn_up.weight": (sizes.inner, sizes.hidden),
            "ffn_down.weight": (sizes.hidden, sizes.inner),
        }
        if sizes.architecture == "qwen2":
            of_layer |= {
                "attn_q.bias": (queries,),
                "attn_k.bias": (keys,),
                "attn_v.bias": (keys,),
            }
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in of_layer.items()}
    return shapes


def _told(shape: tuple[int, ...]) -> str:
    return "×".join(str(size) for size in shape)


def require_sizes(name: str, sizes: Mapping[str, Any]) -> None:
    """Raise `ModelBrokenError` for a size that is not a positive whole number."""
    from inglenook.errors import ModelBrokenError

    for key, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 31:
            raise ModelBrokenError(
                f"{name} cannot be converted: its {key} is {value!r}, not a positive whole number.",
                hint="Fetch the model again, or copy the file anew.",
            )
