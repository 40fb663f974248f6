"""The file that holds the weights of an ONNX graph: written from front to back, in pieces."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WeightsFile"]

_ALIGNMENT = 64


class WeightsFile:
    """A context manager: the file is on the disk when its block ends. Raises `OSError`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("wb")
        self._expected = 0
        self.constants: list[Any] = []
        """What the graph knows of its weights (`onnx.TensorProto`)."""

    def __enter__(self) -> WeightsFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self._file.close()

    @property
    def size_bytes(self) -> int:
        """How much was written."""
        return self._file.tell()

    def add(self, name: str, values: NDArray[Any]) -> None:
        """Write a whole tensor."""
        self.begin(name, values.shape, values.dtype.name)
        self.append(values)

    def begin(self, name: str, shape: Sequence[int], kind: str) -> None:
        """Begin a tensor, whose values are then appended in order."""
        import numpy
        from onnx import TensorProto, helper

        assert self.size_bytes >= self._expected, "the tensor before is not whole"
        self._file.write(bytes(-self.size_bytes % _ALIGNMENT))
        type = numpy.dtype(kind)
        length = math.prod(shape) * type.itemsize
        place = {"location": self._path.name, "offset": self.size_bytes, "length": length}
        self._expected = self.size_bytes + length
        tensor = TensorProto(
            name=name,
            dims=[int(size) for size in shape],
            data_type=helper.np_dtype_to_tensor_dtype(type),
            data_location=TensorProto.EXTERNAL,
        )
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self.constants.append(tensor)

    def append(self, values: NDArray[Any]) -> None:
        """Write the next values of the tensor."""
        import numpy

        self._file.write(numpy.ascontiguousarray(values).data)

    def add_inline(self, name: str, values: NDArray[Any]) -> None:
        """Keep a small tensor in the graph itself."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(values, name))
