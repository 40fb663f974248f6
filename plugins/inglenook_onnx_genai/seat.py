"""A generator of the library with the tokens that it holds: one request at a time sits there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inglenook.errors import UserError
from inglenook.models.genai_folder import GenaiInfo
from inglenook.types import GenerateRequest
from inglenook_onnx_genai.gbnf import lark_of
from inglenook_onnx_genai.library import NATIVE_ERRORS, one_line
from inglenook_onnx_genai.sampling import OUT_OF_REACH, Sampler

__all__ = ["Guidance", "Seat", "guidance_of"]

_FIRST_BATCH = 16
_SMALLEST_BATCH = 4
_READ_TOGETHER = 2
"""Tokens at the end of a prompt that are read in one batch."""
_BATCH_S = 0.4
"""How long native code may work on a prompt: it lets no other thread run meanwhile.

A cancel must be heard within a second. Much smaller batches take longer for each token, most of all
where a model is large or the machine is busy.
"""

_COMPACT_JSON = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""How JSON is laid out; else a small model may write blanks for ever."""


@dataclass(frozen=True, slots=True)
class Guidance:
    """What an answer must follow, in the library's terms, and what the user calls it."""

    kind: str
    text: str
    told: str


def guidance_of(request: GenerateRequest) -> Guidance | None:
    """What the request asks for; None for free text. Raises `UserError`."""
    if request.json_schema is not None:
        schema: Mapping[str, Any] = {"x-guidance": _COMPACT_JSON, **request.json_schema}
        return Guidance("json_schema", json.dumps(schema), "JSON schema")
    if request.grammar is not None:
        return Guidance("lark_grammar", lark_of(request.grammar), "grammar")
    return None


class Seat:
    """Not thread-safe; the library holds the interpreter's lock while it computes.

    Args:
        library: The module `onnxruntime_genai`.
        model: The library's model.
        info: What its config says.
        context_length: Tokens of prompt and answer together.
        largest_batch: The most tokens of a prompt to read at once.
    """

    def __init__(
        self, library: Any, model: Any, info: GenaiInfo, context_length: int, largest_batch: int
    ) -> None:
        self._library = library
        self._model = model
        # Kernels with a sliding window want room for all of it.
        self._room = min(max(context_length, info.window), info.context_length)
        self._largest_batch = largest_batch
        self._tokens_per_s = 0.0
        self._generator: Any = None
        self._guided = False
        self._chosen: Any = None
        self.tokens: list[int] = []
        """What the generator holds."""

    def common(self, prompt: Sequence[int]) -> int:
        """How many tokens of a prompt need not be read again.

        The last token of a prompt always is, because its result is needed, and the one before it,
        so that it is not read alone: that is computed in another way and rounds differently. So is
        the last one that is held: the library may have given it out without having read it.
        """
        if self._generator is None or self._guided:
            return 0
        kept = 0
        for old, new in zip(self.tokens[:-1], prompt[:-_READ_TOGETHER], strict=False):
            if old != new:
                break
            kept += 1
        return kept

    def begin(self, prompt: Sequence[int], *, reuse: bool, guidance: Guidance | None) -> int:
        """Keep the prefix that `prompt` shares, forget the rest; how many tokens are kept.

        Raises `UserError` for guidance that the library cannot follow.
        """
        kept = self.common(prompt) if reuse and guidance is None else 0
        if kept and self._rewound(kept):
            del self.tokens[kept:]
            return kept
        self.clear()
        self._generator = self._make(guidance)
        self._guided = guidance is not None
        return 0

    def read(self, prompt: Sequence[int], stopped: Callable[[], bool]) -> Iterator[int]:
        """Append what is missing of `prompt`, in batches; how far it is, after each but the last.

        Ends early, with less than `prompt` held, once `stopped()`.
        """
        import numpy

        while (start := len(self.tokens)) < len(prompt) and not stopped():
            size = self._batch(len(prompt) - start)
            batch = prompt[start : start + size]
            began = time.monotonic()
            self._generator.append_tokens(numpy.array(batch, dtype=numpy.int32))
            if size >= _SMALLEST_BATCH:  # A smaller one says little.
                self._tokens_per_s = size / max(time.monotonic() - began, 1e-6)
            self.tokens += batch
            if len(self.tokens) < len(prompt):
                yield len(self.tokens)

    def next(self, sampler: Sampler) -> int:
        """Compute and append the next token."""
        generator = self._generator
        if not sampler.takes_likeliest:
            logits = generator.get_logits()
            if self._guided:
                sampler.perturb(logits[0, -1], self.tokens)
                generator.set_logits(logits)
            else:
                self._choose(sampler.choose(logits[0, -1], self.tokens), logits.shape)
        generator.generate_next_token()
        token = int(generator.get_next_tokens()[0])
        self.tokens.append(token)
        return token

    def clear(self) -> None:
        """Free the generator, and the memory of its context."""
        self._generator = None
        self.tokens = []

    def _choose(self, token: int, shape: tuple[int, ...]) -> None:
        """Leave the library only one token to take."""
        import numpy

        if self._chosen is None or self._chosen.shape != shape:
            self._chosen = numpy.full(shape, -OUT_OF_REACH, dtype=numpy.float32)
        self._chosen[0, -1, token] = OUT_OF_REACH
        self._generator.set_logits(self._chosen)
        self._chosen[0, -1, token] = -OUT_OF_REACH

    def _make(self, guidance: Guidance | None) -> Any:
        parameters = self._library.GeneratorParams(self._model)
        # What the folder says of searching must not come on top of what the request says.
        parameters.set_search_options(
            max_length=self._room,
            batch_size=1,
            do_sample=False,
            num_beams=1,
            num_return_sequences=1,
            min_length=0,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
        )
        if guidance is None:
            return self._library.Generator(self._model, parameters)
        try:
            parameters.set_guidance(guidance.kind, guidance.text)
            return self._library.Generator(self._model, parameters)
        except NATIVE_ERRORS as error:
            raise UserError(
                f"The {guidance.told} cannot be followed: {one_line(error)}."
            ) from error

    def _rewound(self, kept: int) -> bool:
        try:
            self._generator.rewind_to(kept)
        except NATIVE_ERRORS:
            # A sliding window forgets the beginning, so there is nothing to go back to.
            return False
        return True

    def _batch(self, left: int) -> int:
        """How many of the tokens that are left to read at once, so that a cancel is heard soon."""
        rate = self._tokens_per_s
        wished = int(rate * _BATCH_S) if rate else _FIRST_BATCH
        size = min(left, self._largest_batch, max(wished, _SMALLEST_BATCH))
        return size - 1 if left - size == 1 and size > _READ_TOGETHER else size
