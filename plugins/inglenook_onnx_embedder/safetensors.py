"""Reads tensors from a safetensors file with nothing but numpy.

Format: 8 bytes little-endian header length, a JSON header (name -> dtype, shape, data_offsets),
then the data (https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import ModelBrokenError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Tensor = NDArray[numpy.float32]

__all__ = ["read_safetensors"]

_MAX_HEADER_BYTES = 100_000_000
_WIDTHS = {"F32": 4, "F16": 2, "BF16": 2}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Every floating-point tensor of the file as float32; others are left out.

    Raises `ModelBrokenError` where the file is cut short or contradicts itself.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header_length = int.from_bytes(file.read(8), "little")
        if size < 8 or header_length > min(size - 8, _MAX_HEADER_BYTES):
            raise ModelBrokenError(f"{path.name} is cut short: its header does not fit.")
        try:
            header = json.loads(file.read(header_length))
        except ValueError as error:
            raise ModelBrokenError(f"{path.name} has a header that is not JSON.") from error
        data = file.read()
    header.pop("__metadata__", None)
    return {
        name: _tensor(path, name, entry, data)
        for name, entry in header.items()
        if entry["dtype"] in _WIDTHS
    }


def _tensor(path: Path, name: str, entry: dict[str, Any], data: bytes) -> Tensor:
    import numpy

    kind, shape = entry["dtype"], tuple(entry["shape"])
    begin, end = entry["data_offsets"]
    if not 0 <= begin <= end <= len(data) or end - begin != math.prod(shape) * _WIDTHS[kind]:
        raise ModelBrokenError(f"{path.name} is cut short or damaged at the tensor {name}.")
    raw = memoryview(data)[begin:end]
    if kind == "BF16":
        widened = numpy.frombuffer(raw, dtype="<u2").astype(numpy.uint32) << 16
        return widened.view(numpy.float32).reshape(shape)
    stored = numpy.frombuffer(raw, dtype="<f4" if kind == "F32" else "<f2")
    return stored.astype(numpy.float32).reshape(shape)
