"""Turns a `GenerateRequest` into one of the llama.cpp server, and refuses the rest by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from inglenook.models.local_requests import SAMPLING_DEFAULTS, grammar_of, require_honoured
from inglenook.types import GenerateRequest

__all__ = ["completion_body"]

_NATIVE_NAMES = MappingProxyType({"num_keep": "n_keep"})
_RANDOM_SEED = 0xFFFFFFFF
"""Seeds have 32 bits, and this one asks for a random one."""


def completion_body(request: GenerateRequest) -> dict[str, Any]:
    """The body of a completion with token ids. Raises `UserError` for what cannot be honoured.

    Stop strings are not in it: the server loses what it held back for one when an answer ends for
    another reason.
    """
    require_honoured(request, "xllamacpp", logprobs=True)
    values = {**SAMPLING_DEFAULTS, **request.parameters}
    body: dict[str, Any] = {
        _NATIVE_NAMES.get(name, name): values[name] for name in SAMPLING_DEFAULTS
    }
    body |= {
        "prompt": list(request.tokens or ()),
        "n_predict": -1 if request.max_tokens is None else request.max_tokens,
        "seed": -1 if request.seed is None else request.seed % _RANDOM_SEED,
        "cache_prompt": request.reuse_prefix,
        "stream": True,
        # Also the chance to stop while a long prompt is read.
        "return_progress": True,
        # The token ids come with these only.
        "verbose": True,
        "return_tokens": True,
    }
    if request.shown_tokens:
        body["preserved_tokens"] = list(request.shown_tokens)
    if request.logprobs:
        body["logprobs"] = request.logprobs
    # The library's own reading of a schema is not used: one that it cannot follow it ignores.
    if (grammar := grammar_of(request)) is not None:
        body["grammar"] = grammar
    return body
