"""Checks the header of a safetensors file without any library.

Format: the README of huggingface/safetensors: eight bytes with the length of a JSON header, the
header, and the tensors, which lie one behind the other without gaps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from inglenook.errors import ModelBrokenError

__all__ = ["check_safetensors"]

_LARGEST_HEADER_BYTES = 64 * 1024 * 1024
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64"), 64),
}


def check_safetensors(path: Path) -> None:
    """Hold lengths and offsets against the size of the file.

    Raises:
        ModelBrokenError: It is truncated, or its tensors do not lie where they must.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(size - 8, _LARGEST_HEADER_BYTES):
            raise _damaged(path, "its header does not fit into it")
        try:
            places = sorted(_places(json.loads(file.read(length))))
        except _MALFORMED as error:
            raise _damaged(path, f"its header is malformed ({error})") from error
    needed = 8 + length + max((end for _, end in places), default=0)
    if size < needed:
        raise _damaged(path, f"truncated: needs {needed:,} bytes, has {size:,}")
    for (_, before), (begin, _) in pairwise(places):
        if begin < before:
            raise _damaged(path, f"two of its tensors share the bytes from {begin:,} on")


def _places(header: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """Where each tensor begins and ends, behind the header."""
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        begin, end = (int(place) for place in tensor["data_offsets"])
        shape = [int(dimension) for dimension in tensor["shape"]]
        if not 0 <= begin <= end or any(dimension < 0 for dimension in shape):
            raise ValueError(f"the tensor {name[:80]!r} has no proper place or shape")
        bits = _BITS.get(str(tensor["dtype"]))
        # A type that is newer than this table is left for whoever reads the tensor.
        if bits is not None and math.prod(shape) * bits != (end - begin) * 8:
            raise ValueError(f"the tensor {name[:80]!r} does not have the size of its shape")
        yield begin, end


def _damaged(path: Path, wrong: str) -> ModelBrokenError:
    return ModelBrokenError(f"{path} cannot be used: {wrong}.", hint="Copy the file anew.")
