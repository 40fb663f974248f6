"""What a server answers instead of an answer, as an error that says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from inglenook.errors import ContextOverflowError, InglenookError, RuntimeFailure, UserError
from inglenook.server_address import ServerAddress
from inglenook.system_keyring import SERVICE
from inglenook_openai.api_key import key_user, key_variable

__all__ = ["error_of", "message_of", "refusal", "shown"]

_LONGEST = 300
_OVERFLOW = re.compile(
    r"exceed_context_size|context_length_exceeded|exceeds? the (available )?context|"
    r"maximum context length|context (length|window) (is )?exceeded|exceed context window",
    re.IGNORECASE,
)


def refusal(address: ServerAddress, status: int, body: str) -> InglenookError:
    """The error for an HTTP status other than 200."""
    told = _parsed(body)
    message = message_of(told) or f"HTTP status {status}"
    if status in (401, 403) and not (address.is_encrypted or address.is_this_machine):
        return RuntimeFailure(
            f"The server at {address} wants a key, and keys are sent encrypted only.",
            hint="Use its https:// address in the RUNTIME line.",
        )
    if status in (401, 403):
        return RuntimeFailure(
            f"The server at {address} refuses the key: {message}.",
            hint=f"Set {key_variable(address)}, or run: keyring set {SERVICE} {key_user(address)}",
        )
    if 300 <= status < 400:
        return RuntimeFailure(
            f"The server at {address} points to another place, which was not followed.",
            hint="Name the place itself: url= in the RUNTIME line.",
        )
    if status in (429, 503):
        return RuntimeFailure(f"The server at {address} is busy: {message}.", hint="Ask again.")
    return error_of(told if told is not None else message, address, status)


def error_of(told: Any, address: ServerAddress, status: int = 500) -> InglenookError:
    """The error for what a server says went wrong."""
    message = message_of(told) or "it does not say why"
    inner = told.get("error", told) if isinstance(told, Mapping) else told
    kind = json.dumps(inner) if isinstance(inner, Mapping) else str(inner)
    if _OVERFLOW.search(kind):
        numbers = inner if isinstance(inner, Mapping) else {}
        return ContextOverflowError(
            f"The prompt does not fit into the context of the server at {address}: {message}.",
            hint="Shorten the conversation or the passages, or open the model there with more.",
            needed=_number(numbers.get("n_prompt_tokens")),
            available=_number(numbers.get("n_ctx")),
        )
    text = f"The server at {address} refuses the request: {message}."
    return UserError(text) if 400 <= status < 500 else RuntimeFailure(text)


def message_of(told: Any) -> str:
    """What a server says in `{"error": …}`, in one line; "" if it says nothing."""
    if isinstance(told, Mapping):
        inner = told.get("error", told.get("detail", told.get("message", "")))
        if isinstance(inner, Mapping):
            inner = inner.get("message", "")
        told = inner if isinstance(inner, str) else json.dumps(inner)
    if not isinstance(told, str):
        return ""
    return shown(told).rstrip(".")


def _parsed(body: str) -> Any:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, Mapping) else None


def shown(text: str) -> str:
    """What a server said, in one line that can be printed."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
