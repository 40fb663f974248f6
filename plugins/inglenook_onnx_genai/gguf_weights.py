"""Reads a decoder's weights and tokenizer from a GGUF file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import MissingDependencyError, UserError
from inglenook.models.gguf import GgufContents, read_gguf_contents
from inglenook.models.gguf_layout import BLOCKS
from inglenook_onnx_genai.decoder_weights import (
    ARCHITECTURES,
    CHUNK_VALUES,
    DecoderSizes,
    check_tensors,
    require_sizes,
)
from inglenook_onnx_genai.gguf_tokenizer import write_tokenizer

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Floats = NDArray[numpy.float32]

__all__ = ["GgufWeights"]

_SCALINGS = ("", "none")


class GgufWeights:
    """Implements `decoder_weights.DecoderWeights`.

    Raises `UserError` for a model that cannot be converted, `ModelBrokenError` for a damaged one.
    """

    def __init__(self, path: Path, name: str) -> None:
        import numpy

        self._name = name
        self._contents: GgufContents = read_gguf_contents(path)
        architecture = self._contents.info.architecture
        if architecture not in ARCHITECTURES:
            raise UserError(
                f"{name} is a {architecture or 'nameless'} model, which cannot be converted.",
                hint=f"Models of {' and '.join(ARCHITECTURES)} can be.",
            )
        if self._contents.info.shards > 1:
            raise UserError(
                f"{name} is one of {self._contents.info.shards} pieces of a model.",
                hint="Join them first, with: llama-gguf-split --merge",
            )
        self.shapes: Mapping[str, tuple[int, ...]] = {
            key: tuple(reversed(tensor.shape)) for key, tensor in self._contents.tensors.items()
        }
        self.sizes = self._sizes(architecture)
        check_tensors(self.sizes, self.shapes, name)
        self._bytes: Any = numpy.memmap(path, dtype=numpy.uint8, mode="r")

    def bits(self, name: str) -> float:
        values, size = BLOCKS[self._contents.tensors[name].type]
        return 8 * size / values

    def rows(self, name: str) -> Iterator[Floats]:
        count, width = self.shapes[name]
        if turned := self._turned(name):
            whole = self.some_rows(name, 0, count)
            # GGUF keeps the two halves of a rotation side by side.
            apart = whole.reshape(turned, count // turned // 2, 2, width).swapaxes(1, 2)
            yield apart.reshape(whole.shape)
            return
        step = max(1, CHUNK_VALUES // width)
        for first in range(0, count, step):
            yield self.some_rows(name, first, min(step, count - first))

    def some_rows(self, name: str, first: int, count: int) -> Floats:
        tensor = self._contents.tensors[name]
        width = self.shapes[name][-1]
        values, size = BLOCKS[tensor.type]
        row_bytes = width // values * size
        start = tensor.offset + first * row_bytes
        stored = self._bytes[start : start + count * row_bytes].reshape(count, row_bytes)
        return self._floats(stored, tensor.type)

    def vector(self, name: str) -> Floats:
        tensor = self._contents.tensors[name]
        stored = self._bytes[tensor.offset : tensor.offset + tensor.size_bytes]
        vector: Floats = self._floats(stored.reshape(1, -1), tensor.type)[0]
        return vector

    def write_tokenizer(self, folder: Path) -> None:
        write_tokenizer(self._contents, folder, self._name)

    def close(self) -> None:
        self._bytes = None

    def _turned(self, name: str) -> int:
        """How many heads of a matrix have their rows in GGUF's order; 0 for none."""
        if self.sizes.architecture != "llama":
            return 0
        part = name.rpartition(".")[0].rpartition(".")[2]
        return {"attn_q": self.sizes.heads, "attn_k": self.sizes.key_heads}.get(part, 0)

    def _floats(self, stored: Any, type: int) -> Floats:
        import numpy

        quants, types = self._library
        values: Floats = quants.dequantize(stored, types(type)).astype(numpy.float32, copy=False)
        return values

    @cached_property
    def _library(self) -> tuple[Any, Any]:
        try:
            from gguf import GGMLQuantizationType, quants
        except ImportError as error:
            raise MissingDependencyError(
                "Converting a GGUF file needs the library gguf, which is not installed.",
                hint="Install it with: pip install 'inglenook[convert]'",
            ) from error
        for tensor in self._contents.tensors.values():
            try:
                type = GGMLQuantizationType(tensor.type)
                known = tensor.type in (0, 1) or type in quants._type_traits  # noqa: SLF001
            except ValueError:
                known = False
            if not known or tensor.type not in BLOCKS:
                raise UserError(
                    f"{self._name} cannot be converted: the tensor {tensor.name} is stored in a"
                    f" way that is not known (type {tensor.type}).",
                    hint="Convert a file of F16, Q8_0 or Q4_K_M instead.",
                )
        return quants, GGMLQuantizationType

    def _sizes(self, architecture: str) -> DecoderSizes:
        info = self._contents.info

        def said(key: str, otherwise: Any = None) -> Any:
            return info.metadata.get(f"{architecture}.{key}", otherwise)

        heads = said("attention.head_count")
        sizes = {
            "block_count": said("block_count"),
            "embedding_length": said("embedding_length"),
            "feed_forward_length": said("feed_forward_length"),
            "attention.head_count": heads,
            "attention.head_count_kv": said("attention.head_count_kv", heads),
            "context_length": said("context_length"),
        }
        require_sizes(self._name, sizes)
        if (scaling := str(said("rope.scaling.type", ""))) not in _SCALINGS:
            raise UserError(
                f"{self._name} stretches its context ({scaling}), and cannot be converted.",
                hint="Use the model of its family without that.",
            )
        head_size = said("attention.key_length") or sizes["embedding_length"] // heads
        if "rope_freqs.weight" in self._contents.tensors:
            raise UserError(
                f"{self._name} stretches its context (rope_freqs), and cannot be converted.",
                hint="Use the model of its family without that.",
            )
        if info.eos_id is None:
            raise UserError(
                f"{self._name} does not say which token ends an answer, and cannot be converted.",
                hint="Fetch the model again from its publisher.",
            )
        padding = info.metadata.get("tokenizer.ggml.padding_token_id")
        return DecoderSizes(
            architecture=architecture,
            layers=sizes["block_count"],
            hidden=sizes["embedding_length"],
            inner=sizes["feed_forward_length"],
            heads=heads,
            key_heads=sizes["attention.head_count_kv"],
            head_size=head_size,
            vocabulary=self.shapes.get("token_embd.weight", (0,))[0],
            context_length=sizes["context_length"],
            epsilon=float(said("attention.layer_norm_rms_epsilon", 1e-5)),
            rotary_base=float(said("rope.freq_base", 10000.0)),
            bos_id=info.bos_id,
            eos_ids=(info.eos_id,),
            pad_id=padding if isinstance(padding, int) else None,
        )
