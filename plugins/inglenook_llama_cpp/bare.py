"""A model in `llama-cpp-python` as its own documentation runs it, to hold the runtime against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from inglenook.models.machine import computing_threads
from inglenook.types import RuntimeOptions

__all__ = ["BareLlamaCpp"]


class BareLlamaCpp:
    """Implements `protocols.BareModel`: the class `Llama`, its loop, and nothing else."""

    def __init__(self, native: Any, path: Path, options: RuntimeOptions) -> None:
        self._native = native
        self._path = path
        self._options = options
        self._llama: Any = None

    def open(self) -> int:
        """Load the model; one request at a time is all that it can run."""
        import llama_cpp

        if b"AMX_INT8 = 1" in self._native.llama_print_system_info():
            _without_amx(self._native, llama_cpp.llama)
        # Its own default is half of the cores; the runtime takes all, and so must this.
        threads = self._options.threads or computing_threads()
        layers = self._options.gpu_layers
        on_cpu = self._options.devices[:1] == ("cpu",)
        self._llama = llama_cpp.Llama(
            str(self._path),
            n_ctx=self._options.context_length,
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=0 if on_cpu else layers,
            verbose=False,
        )
        return 1

    def generate(
        self, tokens: Sequence[int], max_tokens: int, on_tokens: Callable[[int], None]
    ) -> None:
        """Generate greedily, reading all of the prompt."""
        self._llama.reset()
        made = self._llama.generate(list(tokens), temp=0.0, repeat_penalty=1.0)
        for token in islice(made, max_tokens):
            if token == self._llama.token_eos():
                return
            self._llama.detokenize([token])
            on_tokens(1)

    def close(self) -> None:
        """Free the model."""
        llama, self._llama = self._llama, None
        if llama is not None:
            llama.close()


def _without_amx(native: Any, module: Any) -> None:
    """The library crashes here otherwise; the runtime makes the same choice."""
    make = native.llama_model_default_params

    def default_parameters() -> Any:
        parameters = make()
        parameters.use_extra_bufts = False
        return parameters

    native.llama_model_default_params = default_parameters
    module.llama_cpp.llama_model_default_params = default_parameters
