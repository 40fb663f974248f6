"""A model in `xllamacpp` as its own documentation runs it, to hold the runtime against."""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from inglenook.types import RuntimeOptions

__all__ = ["BareXllamacpp"]

_SILENT = -1


class BareXllamacpp:
    """Implements `protocols.BareModel`: the library's defaults, its callback, and nothing else."""

    def __init__(self, native: Any, path: Path, options: RuntimeOptions) -> None:
        self._native = native
        self._path = path
        self._options = options
        self._folder = ""
        self._server: Any = None

    def open(self) -> int:
        """Load the model; how many requests it can run at the same time."""
        options = self._options
        parameters = self._native.CommonParams()
        parameters.model.path = str(self._path)
        parameters.n_parallel = options.slots
        parameters.n_ctx = options.context_length * options.slots
        parameters.verbosity = _SILENT
        if options.threads:
            parameters.cpuparams.n_threads = options.threads
        if options.gpu_layers >= 0 or options.devices[:1] == ("cpu",):
            parameters.n_gpu_layers = max(0, options.gpu_layers)
        self._folder = tempfile.mkdtemp(prefix="inglenook-")
        parameters.hostnames = [f"{self._folder}/s.sock"]
        self._server = self._native.Server(parameters)
        return options.slots

    def generate(
        self, tokens: Sequence[int], max_tokens: int, on_tokens: Callable[[int], None]
    ) -> None:
        """Generate greedily, reading all of the prompt."""

        def on_chunk(chunk: Mapping[str, Any]) -> bool:
            on_tokens(len((chunk.get("__verbose") or {}).get("tokens") or ()))
            return False

        body = {
            "prompt": list(tokens),
            "n_predict": max_tokens,
            "temperature": 0.0,
            "cache_prompt": False,
            "stream": True,
            # The token ids, which are counted, come with these only.
            "verbose": True,
            "return_tokens": True,
        }
        self._server.handle_completions(body, on_chunk)

    def close(self) -> None:
        """Free the model."""
        self._server = None
        gc.collect()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
