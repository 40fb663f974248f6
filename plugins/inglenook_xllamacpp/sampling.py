"""Turns a `GenerateRequest` into one of the llama.cpp server, and refuses the rest by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from inglenook.errors import UserError
from inglenook.types import GenerateRequest

__all__ = ["DEFAULTS", "completion_body"]

DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "temperature": 0.8,
        "top_k": 40,
        "top_p": 0.9,
        "min_p": 0.0,
        "typical_p": 1.0,
        "repeat_last_n": 64,
        "repeat_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "num_keep": 4,
    }
)
"""The sampling parameters that this runtime honours, with Ollama's defaults."""

_NATIVE_NAMES = MappingProxyType({"num_keep": "n_keep"})
_RANDOM_SEED = 0xFFFFFFFF
"""Seeds have 32 bits, and this one asks for a random one."""

_AT_OPEN = frozenset({"num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap"})
_OF_REQUEST = MappingProxyType({"stop": "stop", "seed": "seed", "num_predict": "max_tokens"})


def completion_body(request: GenerateRequest) -> dict[str, Any]:
    """The body of a completion with token ids. Raises `UserError` for what cannot be honoured.

    Stop strings are not in it: the server loses what it held back for one when an answer ends for
    another reason.
    """
    _check(request)
    values = {**DEFAULTS, **request.parameters}
    body: dict[str, Any] = {_NATIVE_NAMES.get(name, name): values[name] for name in DEFAULTS}
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
    if request.json_schema is not None:
        body["json_schema"] = dict(request.json_schema)
    if request.grammar is not None:
        body["grammar"] = request.grammar
    return body


def _check(request: GenerateRequest) -> None:
    if not request.tokens:
        raise UserError("The runtime 'xllamacpp' needs a prompt of at least one token id.")
    for name in request.parameters:
        if name not in DEFAULTS:
            raise UserError(_refusal(name), hint=f"It honours {', '.join(DEFAULTS)}.")
    for name, given in (("tools", request.tools), ("logprobs", request.logprobs)):
        if given:
            raise UserError(f"The runtime 'xllamacpp' has no {name}.")
    if request.json_schema is not None and request.grammar is not None:
        raise UserError("An answer can follow a JSON schema or a grammar, not both.")


def _refusal(name: str) -> str:
    if name in _AT_OPEN:
        return f"PARAMETER {name} holds for a whole model: it is set when the model is opened."
    if name in _OF_REQUEST:
        return f"PARAMETER {name} is given as `{_OF_REQUEST[name]}` of the request."
    return f"The runtime 'xllamacpp' cannot honour PARAMETER {name}."
