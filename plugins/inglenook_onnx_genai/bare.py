"""A model in ONNX Runtime GenAI as its own documentation runs it, to hold the runtime against."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from inglenook.types import RuntimeOptions
from inglenook_onnx_genai.providers import threads_of

__all__ = ["BareOnnxGenai"]


class BareOnnxGenai:
    """Implements `protocols.BareModel`: a generator for each answer, and nothing else."""

    def __init__(self, library: Any, folder: Path, options: RuntimeOptions) -> None:
        self._library = library
        self._folder = folder
        self._options = options
        self._model: Any = None
        self._tokenizer: Any = None

    def open(self) -> int:
        """Load the model; the library computes one request at a time."""
        config = self._library.Config(str(self._folder))
        # Its own default is half of the processors; the runtime takes all, and so must this.
        session = {"intra_op_num_threads": threads_of(self._options)}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
        if self._options.devices[:1] == ("cpu",):
            config.clear_providers()
        self._model = self._library.Model(config)
        self._tokenizer = self._library.Tokenizer(self._model)
        return 1

    def generate(
        self, tokens: Sequence[int], max_tokens: int, on_tokens: Callable[[int], None]
    ) -> None:
        """Generate greedily, reading all of the prompt."""
        import numpy

        parameters = self._library.GeneratorParams(self._model)
        room = self._options.context_length or len(tokens) + max_tokens
        parameters.set_search_options(max_length=room, do_sample=False)
        generator = self._library.Generator(self._model, parameters)
        generator.append_tokens(numpy.array(tokens, dtype=numpy.int32))
        stream = self._tokenizer.create_stream()
        for _ in range(max_tokens):
            generator.generate_next_token()
            if generator.is_done():
                return
            stream.decode(generator.get_next_tokens()[0])
            on_tokens(1)

    def close(self) -> None:
        """Free the model."""
        self._tokenizer = None
        self._model = None
