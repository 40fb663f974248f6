"""What one line of a server's answer says, in words that both APIs share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inglenook.errors import RuntimeFailure
from inglenook.types import Message, TextPart, Usage

__all__ = [
    "Piece",
    "count_of",
    "json_of",
    "list_of",
    "object_of",
    "plain_messages",
    "seconds_of",
    "text_of",
]


_MOST = 1 << 40
_MOST_TIME = 1e18


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer.

    Args:
        text: What the answer goes on with.
        thinking: What the model thinks, apart from the answer.
        reason: Why the model stopped, in the server's word; "" while it goes on.
        usage: What it cost, as far as the line tells.
        progress: Prompt tokens that were read, and all of them.
        error: What went wrong.
        ended: Nothing follows.
    """

    text: str = ""
    thinking: str = ""
    reason: str = ""
    usage: Usage | None = None
    progress: tuple[int, int] | None = None
    error: Any = None
    ended: bool = False


def json_of(text: str) -> Mapping[str, Any]:
    """The JSON object of a line. Raises `RuntimeFailure`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RuntimeFailure(
            "The server sends something that is no JSON.",
            hint="Check url= in the RUNTIME line: it must lead to the API of a model server.",
        ) from error
    if not isinstance(found, Mapping):
        raise RuntimeFailure("The server sends JSON of another form than its API has.")
    return found


def text_of(value: Any) -> str:
    """A text; "" for anything else."""
    return value if isinstance(value, str) else ""


def object_of(value: Any) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def list_of(value: Any) -> list[Any]:
    """A JSON list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def count_of(value: Any) -> int | None:
    """A count that can be one; None for anything else."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= _MOST else None


def seconds_of(value: Any, unit: float) -> float:
    """A duration, stated in `unit` seconds; 0 for anything that is none."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) * unit if number and 0 <= value <= _MOST_TIME else 0.0


def plain_messages(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    """Role and text of each. Raises `RuntimeFailure` for parts that are no text."""
    for message in messages:
        if not all(isinstance(part, TextPart) for part in message.parts):
            raise RuntimeFailure("The runtime 'openai' sends text only.")
    # Half a surrogate pair is no UTF-8; it counts as the one character that it would show as.
    return [
        {"role": message.role, "content": message.text.encode("utf-8", "replace").decode()}
        for message in messages
    ]
