"""The sampler of one request, from Ollama's parameter names, and the refusal of the rest."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from inglenook.models.grammar_checks import unreadable_grammar
from inglenook.models.local_requests import SAMPLING_DEFAULTS, grammar_of
from inglenook.types import GenerateRequest

__all__ = ["Sampler"]

_OLD_PENALTIES = 4


class Sampler:
    """Native samplers in llama.cpp's usual order; `close` frees them.

    Args:
        native: The module `llama_cpp.llama_cpp`.
        vocabulary: The model's native vocabulary.
        request: What to sample for; already checked.
        context_length: What a `repeat_last_n` of -1 means.
    """

    def __init__(
        self, native: Any, vocabulary: Any, request: GenerateRequest, context_length: int
    ) -> None:
        self._native = native
        self._vocabulary = vocabulary
        values = {**SAMPLING_DEFAULTS, **request.parameters}
        grammar = _grammar(native, vocabulary, request)
        self._chain = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())
        if grammar is not None:
            native.llama_sampler_chain_add(self._chain, grammar)
        self._add_penalties(values, request.tokens or (), context_length)
        if values["temperature"] <= 0:
            native.llama_sampler_chain_add(self._chain, native.llama_sampler_init_greedy())
            return
        self._add_choice(values, request.seed)

    def sample(self, context: Any) -> int:
        """Choose the next token from the last evaluated position."""
        return int(self._native.llama_sampler_sample(self._chain, context, -1))

    def close(self) -> None:
        self._native.llama_sampler_free(self._chain)

    def _add_penalties(
        self, values: Mapping[str, Any], prompt: Sequence[int], context_length: int
    ) -> None:
        last = int(values["repeat_last_n"])
        last = context_length if last < 0 else last
        neutral = (
            values["repeat_penalty"] == 1.0
            and values["presence_penalty"] == 0.0
            and values["frequency_penalty"] == 0.0
        )
        if last == 0 or neutral:
            return
        make = self._native.llama_sampler_init_penalties
        # Newer versions want the size of the vocabulary first.
        size = self._native.llama_vocab_n_tokens(self._vocabulary)
        penalties = make(
            *((size,) if len(make.argtypes) > _OLD_PENALTIES else ()),
            last,
            float(values["repeat_penalty"]),
            float(values["frequency_penalty"]),
            float(values["presence_penalty"]),
        )
        # The prompt counts as repeated text, as with Ollama; the grammar must not see it.
        for token in prompt[-last:]:
            self._native.llama_sampler_accept(penalties, token)
        self._native.llama_sampler_chain_add(self._chain, penalties)

    def _add_choice(self, values: Mapping[str, Any], seed: int | None) -> None:
        native = self._native
        seed = secrets.randbits(31) if seed is None else seed % 0xFFFFFFFF
        steps = [native.llama_sampler_init_top_k(int(values["top_k"]))]
        if values["typical_p"] < 1.0:
            steps.append(native.llama_sampler_init_typical(float(values["typical_p"]), 1))
        if values["top_p"] < 1.0:
            steps.append(native.llama_sampler_init_top_p(float(values["top_p"]), 1))
        if values["min_p"] > 0.0:
            steps.append(native.llama_sampler_init_min_p(float(values["min_p"]), 1))
        steps.append(native.llama_sampler_init_temp(float(values["temperature"])))
        steps.append(native.llama_sampler_init_dist(seed))
        for step in steps:
            native.llama_sampler_chain_add(self._chain, step)


def _grammar(native: Any, vocabulary: Any, request: GenerateRequest) -> Any:
    text = grammar_of(request)
    if text is None:
        return None
    grammar = native.llama_sampler_init_grammar(vocabulary, text.encode(), b"root")
    if not grammar:
        raise unreadable_grammar()
    return grammar
