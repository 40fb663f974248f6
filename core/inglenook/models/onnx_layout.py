"""Walks an ONNX file without any library: whether it is whole, and which files hold its weights.

Only the fields on the way to the weights are read. The file is not trusted: every length is held
against what is around it. Format: `onnx/onnx.proto`, the messages ModelProto, GraphProto,
TensorProto and StringStringEntryProto.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from inglenook.errors import ModelBrokenError

__all__ = ["external_data"]

_GRAPH = 7
_INITIALIZER = 5
_EXTERNAL_DATA = 13
_KEY, _VALUE = 1, 2
_LENGTH_DELIMITED = 2
_FIXED_BYTES = {1: 8, 5: 4}
_LONGEST_TEXT_BYTES = 4096
_LARGEST_NUMBER = 1 << 62


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
            graphs = [span for number, span in _fields(file, 0, size) if number == _GRAPH]
            for start, end in graphs:
                for number, (first, last) in _fields(file, start, end):
                    if number == _INITIALIZER:
                        _note_tensor(file, first, last, needed)
    except (EOFError, ValueError) as error:
        raise _damaged(path, f"it is not a whole ONNX file of {size:,} bytes ({error})") from error
    if not graphs:
        raise _damaged(path, "it holds no graph")
    return needed


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
    number = int(text)
    if not 0 <= number <= _LARGEST_NUMBER:
        raise ValueError(f"{text} is no place in a file")
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
