"""Walks an ONNX file without any library: whether it is whole, and which files hold its weights.

Only the fields on the way to the weights are read: those of the graph, of the nodes and their
subgraphs, and of functions. The file is not trusted: every length is held against what is around
it. Format: `onnx/onnx.proto`, the messages ModelProto, GraphProto, NodeProto, AttributeProto,
FunctionProto, SparseTensorProto, TensorProto and StringStringEntryProto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from inglenook.errors import ModelBrokenError

__all__ = ["data_beside", "external_data"]

_GRAPH = 7
_EXTERNAL_DATA = 13
_KEY, _VALUE = 1, 2
_LENGTH_DELIMITED = 2
_FIXED_BYTES = {1: 8, 5: 4}
_LONGEST_TEXT_BYTES = 4096
_LARGEST_NUMBER = 1 << 62
_DEEPEST = 24
"""Messages in messages; graphs in graphs are rarely nested more than twice."""

_TENSOR = "tensor"
_INSIDE: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "model": {_GRAPH: "graph", 25: "function"},
        "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
        "function": {7: "node", 11: "attribute"},
        "node": {5: "attribute"},
        "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
        "sparse": {1: _TENSOR, 2: _TENSOR},
    }
)
"""The kind of a message -> its fields that lead to weights, each with its kind."""


def external_data(path: Path) -> dict[str, int]:
    """The files beside an ONNX graph that its weights lie in: name -> bytes that it needs.

    Names are as the graph writes them, relative to its folder, and may be anything.

    Raises:
        ModelBrokenError: The graph's file is truncated or malformed.
    """
    size = path.stat().st_size
    needed: dict[str, int] = {}
    try:
        with path.open("rb") as file:
            has_graph = any(number == _GRAPH for number, _ in _fields(file, 0, size))
            _walk(file, "model", (0, size), needed, 0)
    except (EOFError, ValueError) as error:
        raise _damaged(path, f"it is not a whole ONNX file of {size:,} bytes ({error})") from error
    if not has_graph:
        raise _damaged(path, "it holds no graph")
    return needed


def data_beside(graph: Path, allowed: tuple[str, ...]) -> tuple[Path, ...]:
    """The files that hold the weights of a graph, each of them large enough; () for none.

    Args:
        graph: The file of the graph.
        allowed: What these files may be called; a graph that names another one is refused.

    Raises:
        ModelBrokenError: The graph or one of these files is truncated, missing or malformed.
    """
    found = []
    for name, needed in external_data(graph).items():
        if name not in allowed:
            raise _damaged(
                graph, f"it keeps weights in {name!r}, which must be {' or '.join(allowed)}"
            )
        path = graph.parent / name
        if not path.is_file():
            raise _damaged(graph, f"its weights are in {name}, which is missing")
        size = path.stat().st_size
        if size < needed:
            raise _damaged(path, f"truncated: needs {needed:,} bytes, has {size:,}")
        found.append(path)
    return tuple(found)


def _walk(
    file: BinaryIO, kind: str, span: tuple[int, int], needed: dict[str, int], depth: int
) -> None:
    """Follow the fields of a message that lead to weights, and note where these lie."""
    if depth > _DEEPEST:
        raise ValueError("messages are nested too deeply")
    inside = _INSIDE[kind]
    for number, found in _fields(file, *span):
        below = inside.get(number)
        if below == _TENSOR:
            _note_tensor(file, *found, needed)
        elif below is not None:
            _walk(file, below, found, needed, depth + 1)


def _note_tensor(file: BinaryIO, start: int, end: int, needed: dict[str, int]) -> None:
    facts = {}
    for number, (first, last) in _fields(file, start, end):
        if number == _EXTERNAL_DATA:
            entry = {n: _text(file, *span) for n, span in _fields(file, first, last)}
            facts[entry.get(_KEY, "")] = entry.get(_VALUE, "")
    if name := facts.get("location"):
        last_byte = _number(facts.get("offset", "0")) + _number(facts.get("length", "0"))
        needed[name] = max(needed.get(name, 0), last_byte)


def _fields(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Each field of a message: its number, and where its content begins and ends.

    The caller may read elsewhere in between.
    """
    place = start
    while place < end:
        file.seek(place)
        tag = _varint(file)
        kind = tag & 7
        if tag >> 3 == 0 or kind not in (0, _LENGTH_DELIMITED, *_FIXED_BYTES):
            raise ValueError(f"no field begins at byte {place:,}")
        if kind == 0:
            _varint(file)
            length = 0
        else:
            length = _varint(file) if kind == _LENGTH_DELIMITED else _FIXED_BYTES[kind]
        first = file.tell()
        place = first + length
        if place > end:
            raise ValueError(f"the field at byte {first:,} does not fit")
        yield tag >> 3, (first, place)


def _text(file: BinaryIO, start: int, end: int) -> str:
    if end - start > _LONGEST_TEXT_BYTES:
        raise ValueError(f"the text at byte {start:,} is too long")
    file.seek(start)
    return file.read(end - start).decode("utf-8")


def _number(text: str) -> int:
    number = int(text) if len(text) < len(str(_LARGEST_NUMBER)) + 1 else -1
    if not 0 <= number <= _LARGEST_NUMBER:
        raise ValueError(f"{text[:40]} is no place in a file")
    return number


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError("it ends too early")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number is too long")


def _damaged(path: Path, wrong: str) -> ModelBrokenError:
    return ModelBrokenError(f"{path} cannot be used: {wrong}.", hint="Copy the file anew.")
