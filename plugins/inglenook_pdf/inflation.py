"""Refuses PDF files with streams that inflate beyond measure, before a library inflates them.

A guard against the plain kinds only. What gets past it meets the limits of the worker process.
"""

from __future__ import annotations

import mmap
import re
import zlib
from collections.abc import Iterator

from inglenook.errors import LoadError
from inglenook.types import LoadRequest

__all__ = ["refuse_bombs"]

_MOST_BYTES = 100_000_000
"""Of one stream that is no picture; libraries need a multiple of it to read it."""

_MOST_RATIO = 1032
"""The most that Deflate can shrink (zlib, Technical Details)."""

_LONGEST_DICTIONARY = 1024
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_STEP_BYTES = 1_000_000
_MOST_LAYERS = 8


def refuse_bombs(request: LoadRequest) -> None:
    """Raise `LoadError` (too large) for a compressed stream of more than 100 MB."""
    with (
        request.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for found in _STREAM.finditer(data):
            dictionary = data[max(found.start() - _LONGEST_DICTIONARY, 0) : found.start()]
            dictionary = dictionary[dictionary.rfind(b"obj") :]
            layers = dictionary.count(b"/FlateDecode")
            if not layers or b"/Image" in dictionary:
                continue
            end = data.find(b"endstream", found.end())
            size_bytes = (len(data) if end < 0 else end) - found.end()
            if layers == 1 and size_bytes * _MOST_RATIO < _MOST_BYTES:
                continue
            if _inflates_too_far(data, found.end(), size_bytes, layers):
                raise LoadError(
                    f"{request.name} holds a stream that inflates to more than"
                    f" {_MOST_BYTES:,} bytes.",
                    reason="too large",
                )


def _inflates_too_far(data: mmap.mmap, start: int, size_bytes: int, layers: int) -> bool:
    """Inflate piece by piece, keeping nothing."""
    pieces: Iterator[bytes] = (
        data[at : min(at + _STEP_BYTES, start + size_bytes)]
        for at in range(start, start + size_bytes, _STEP_BYTES)
    )
    for _ in range(min(layers, _MOST_LAYERS)):
        pieces = _inflated(pieces)
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > _MOST_BYTES:
            return True
    return False


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    total = 0
    try:
        for piece in pieces:
            rest = piece
            while rest and not inflater.eof and total <= _MOST_BYTES:
                inflated = inflater.decompress(rest, _STEP_BYTES)
                rest = inflater.unconsumed_tail
                total += len(inflated)
                yield inflated
    except zlib.error:
        return  # damaged or encrypted: what a library makes of it is its affair
