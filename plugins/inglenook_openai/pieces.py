"""What one line of a server's answer says, in words that both APIs share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inglenook.errors import RuntimeFailure
from inglenook.types import Message, TextPart, Usage

__all__ = ["Piece", "json_of", "plain_messages"]


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
    except ValueError as error:
        raise RuntimeFailure(
            "The server sends something that is no JSON.",
            hint="Check url= in the RUNTIME line: it must lead to the API of a model server.",
        ) from error
    if not isinstance(found, Mapping):
        raise RuntimeFailure("The server sends JSON of another form than its API has.")
    return found


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
