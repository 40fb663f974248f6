"""What every runtime that loads a model itself asks of a request, and refuses, in one wording."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from inglenook.errors import ContextOverflowError, UserError
from inglenook.models.grammar_checks import require_usable_form
from inglenook.models.json_grammar import gbnf_of_schema
from inglenook.models.token_logprobs import MOST_ALTERNATIVES
from inglenook.types import GenerateRequest, RuntimeOptions

__all__ = [
    "SAMPLING_DEFAULTS",
    "grammar_of",
    "require_cache_kind",
    "require_honoured",
    "require_known_tokens",
    "require_room",
]

SAMPLING_DEFAULTS: Mapping[str, Any] = MappingProxyType(
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
"""The sampling parameters that such a runtime honours, with Ollama's defaults."""

_AT_OPEN = frozenset({"num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap"})
_OF_REQUEST = MappingProxyType({"stop": "stop", "seed": "seed", "num_predict": "max_tokens"})


def require_honoured(request: GenerateRequest, runtime: str, *, logprobs: bool = False) -> None:
    """Raise `UserError` for what a runtime that takes tokens cannot honour.

    Args:
        request: The request.
        runtime: Its name.
        logprobs: Whether it can report them.
    """
    if not request.tokens:
        raise UserError(f"The runtime '{runtime}' needs a prompt of at least one token id.")
    for name, value in request.parameters.items():
        if name not in SAMPLING_DEFAULTS:
            raise UserError(
                _refusal(name, runtime), hint=f"It honours {', '.join(SAMPLING_DEFAULTS)}."
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"PARAMETER {name} must be a number, not {value!r}.")
    unknown = {"tools": request.tools, "logprobs": request.logprobs and not logprobs}
    for name, given in unknown.items():
        if given:
            raise UserError(f"The runtime '{runtime}' has no {name}.")
    if not 0 <= request.logprobs <= MOST_ALTERNATIVES:
        raise UserError(f"logprobs takes 0 to {MOST_ALTERNATIVES}, not {request.logprobs}.")
    require_usable_form(request)


def grammar_of(request: GenerateRequest) -> str | None:
    """The grammar (GBNF) that the answer must follow, also where a JSON schema says which.

    Raises `UserError` for a schema that no grammar can follow.
    """
    return request.grammar if request.json_schema is None else gbnf_of_schema(request.json_schema)


def require_room(prompt_tokens: int, context_length: int, reference: str) -> None:
    """Raise `ContextOverflowError` unless prompt and one token of an answer fit."""
    if prompt_tokens >= context_length:
        raise ContextOverflowError(
            f"The prompt has {prompt_tokens} tokens; {reference} is open with a context of "
            f"{context_length} for prompt and answer together.",
            hint="Shorten the conversation or the passages, or raise num_ctx.",
            needed=prompt_tokens,
            available=context_length,
        )


def require_known_tokens(prompt: tuple[int, ...], vocabulary: int, reference: str) -> None:
    """Raise `UserError` for an id outside of a vocabulary of that size."""
    if min(prompt) < 0 or max(prompt) >= vocabulary:
        raise UserError(f"The prompt has token ids that {reference} does not know.")


def require_cache_kind(options: RuntimeOptions) -> None:
    """Raise `UserError` for `kv_cache` in few bits without the `flash_attention` that it needs."""
    kind = options.settings.get("kv_cache", "f16")
    if kind != "f16" and options.settings.get("flash_attention") == "off":
        raise UserError(
            f"kv_cache={kind} needs flash attention.",
            hint="Remove flash_attention=off from the RUNTIME line.",
        )


def _refusal(name: str, runtime: str) -> str:
    if name in _AT_OPEN:
        return f"PARAMETER {name} holds for a whole model: it is set when the model is opened."
    if name in _OF_REQUEST:
        return f"PARAMETER {name} is given as `{_OF_REQUEST[name]}` of the request."
    return f"The runtime '{runtime}' cannot honour PARAMETER {name}."
