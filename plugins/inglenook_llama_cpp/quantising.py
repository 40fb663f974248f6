"""Writes a GGUF model in fewer bits, with llama.cpp's own quantiser."""

from __future__ import annotations

import ctypes
import os
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from inglenook.errors import Cancelled, RuntimeFailure, UserError
from inglenook.models.gguf import read_gguf_contents
from inglenook.models.gguf_layout import BLOCKS
from inglenook.models.storage import disk_errors, require_space
from inglenook.types import CancelToken, ConversionProgress, ConversionRequest

__all__ = ["FILE", "quantise"]

FILE = "model.gguf"

_NUMBERS: Mapping[str, int] = MappingProxyType(
    {
        "Q4_0": 2,
        "Q4_1": 3,
        "Q5_0": 8,
        "Q5_1": 9,
        "Q8_0": 7,
        "Q2_K": 10,
        "Q3_K_S": 11,
        "Q3_K_M": 12,
        "Q3_K_L": 13,
        "Q4_K_S": 14,
        "Q4_K_M": 15,
        "Q5_K_S": 16,
        "Q5_K_M": 17,
        "Q6_K": 18,
        "IQ4_NL": 25,
        "IQ4_XS": 30,
        "F16": 1,
        "BF16": 32,
    }
)
"""`llama_ftype` of llama.h."""
_UNROUNDED = (0, 1, 30)
"""The types F32, F16 and BF16."""
_STEP = re.compile(rb"\[\s*(\d+)/\s*(\d+)\]\s*(\S+)")
_Log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_POLL_S = 0.1
_SPARE_BYTES = 32 * 1024 * 1024


def quantise(
    native: Any, request: ConversionRequest, cancel: CancelToken
) -> Iterator[ConversionProgress]:
    """See `protocols.ConvertsModels`. Native code cannot be stopped: its process has to end."""
    source, target = request.source.files["model"], request.target / FILE
    _require_unrounded(source, request)
    size = source.stat().st_size
    with disk_errors(request.target):
        # It never takes more than the source, which has as many weights in no fewer bits.
        require_space(request.target, size + _SPARE_BYTES)
    work = _Work(native, source, target, _NUMBERS[request.precision])
    yield ConversionProgress("", 0, 0)
    thread = threading.Thread(target=work.run, daemon=True)
    thread.start()
    shown = ("", 0, 0)
    while thread.is_alive():
        thread.join(_POLL_S)
        if cancel.cancelled:
            raise Cancelled("Stopped; nothing was converted.")
        if work.step != shown:
            shown = work.step
            name, done, total = shown
            yield ConversionProgress(name, size * done // max(1, total), size)
    if work.status != 0:
        with disk_errors(request.target):
            require_space(request.target, _SPARE_BYTES)
        raise RuntimeFailure(
            f"llama.cpp could not quantise {request.source.reference} to {request.precision}"
            f"{f': {work.complaint}' if work.complaint else ''}.",
            hint="Its architecture may be too new for this llama-cpp-python; or try Q8_0.",
        )


class _Work:
    """One call of the quantiser, with what it says of its progress."""

    def __init__(self, native: Any, source: Path, target: Path, file_type: int) -> None:
        self._native = native
        self._paths = (os.fsencode(source), os.fsencode(target))
        self._file_type = file_type
        self._callback = _Log(self._on_log)
        self.status = -1
        self.step = ("", 0, 0)
        self.complaint = ""

    def run(self) -> None:
        native = self._native
        native.llama_log_set(self._callback, ctypes.c_void_p(0))
        native.llama_backend_init()
        parameters = native.llama_model_quantize_default_params()
        parameters.ftype = self._file_type
        parameters.allow_requantize = True  # That was checked before.
        self.status = native.llama_model_quantize(*self._paths, ctypes.byref(parameters))

    def _on_log(self, _level: int, text: bytes, _data: object) -> None:
        if found := _STEP.search(text):
            self.step = (found[3].decode("utf-8", "replace"), int(found[1]), int(found[2]))
        elif b"failed" in text or b"error" in text:
            self.complaint = text.decode("utf-8", "replace").strip()[:200].rstrip(".")


def _require_unrounded(path: Path, request: ConversionRequest) -> None:
    """Raise `UserError` for a file whose weights were rounded before, unless that is wanted."""
    contents = read_gguf_contents(path)
    if contents.info.shards > 1:
        raise UserError(
            f"{request.source.reference} is one of {contents.info.shards} pieces of a model.",
            hint="Join them first, with: llama-gguf-split --merge",
        )
    said = contents.info.quantisation
    if said.casefold() == request.precision.casefold():
        raise UserError(
            f"{request.source.reference} is {said} already.", hint="Choose another precision."
        )
    rounded = [t for t in contents.tensors.values() if t.type not in _UNROUNDED]
    if any(tensor.type not in BLOCKS for tensor in rounded):
        raise UserError(f"{request.source.reference} has tensors of a type that is not known.")
    if rounded and not request.requantise:
        raise UserError(
            f"{request.source.reference} is rounded already ({said or 'quantised'}): rounding it"
            " again loses more than rounding once.",
            hint="Convert a file of F16, BF16 or F32, or say --requantize.",
        )
