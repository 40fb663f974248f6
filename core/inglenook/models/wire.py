"""Contract types as JSON, for what passes between programs that need not trust each other.

Only the listed data classes can be made from it; nothing is called and nothing is imported. A data
class is an object with its name under `@`, a mapping has the name `{}`, and bytes are base64 under
`b`. Lists become tuples.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from inglenook import errors, types
from inglenook.errors import InglenookError

__all__ = ["from_wire", "packed", "raised", "to_wire", "unpacked"]

_KINDS = {
    kind.__name__: kind
    for kind in (
        types.Done,
        types.Failed,
        types.GenerateRequest,
        types.ImagePart,
        types.Message,
        types.Notice,
        types.PromptProgress,
        types.Queued,
        types.RuntimeInfo,
        types.TextDelta,
        types.TextPart,
        types.ThinkingDelta,
        types.TokenLogprob,
        types.ToolCallDelta,
        types.ToolCallPart,
        types.ToolResultPart,
        types.ToolSpec,
        types.Usage,
    )
}
_NUMBERS = ("needed", "available")


def to_wire(value: Any) -> Any:
    """Plain JSON data. Raises `TypeError` for what has no such form."""
    if is_dataclass(value) and type(value).__name__ in _KINDS:
        stated = {f.name: to_wire(getattr(value, f.name)) for f in fields(value)}
        return {"@": type(value).__name__, **stated}
    if isinstance(value, InglenookError):
        numbers = {
            n: getattr(value, n) for n in _NUMBERS if isinstance(getattr(value, n, None), int)
        }
        said = {"message": value.message, "hint": value.hint, "numbers": numbers}
        return {"@": "!", "error": type(value).__name__, **said}
    if isinstance(value, Mapping):
        return {"@": "{}", "items": [[str(key), to_wire(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [to_wire(item) for item in value]
    if isinstance(value, bytes):
        return {"@": "b", "data": base64.b64encode(value).decode()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"{type(value).__name__} cannot travel")


def from_wire(value: Any) -> Any:
    """What `to_wire` was given. Raises `ValueError` for anything else."""
    if isinstance(value, list):
        return tuple(from_wire(item) for item in value)
    if not isinstance(value, dict):
        return value
    given = dict(value)
    name = given.pop("@", None)
    try:
        if name == "{}":
            return {str(key): from_wire(item) for key, item in given["items"]}
        if name == "b":
            return base64.b64decode(given["data"])
        if name == "!":
            return raised(given)
        return _KINDS[str(name)](**{key: from_wire(item) for key, item in given.items()})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name!r} is no data of this program: {error}") from error


def raised(given: Mapping[str, Any]) -> InglenookError:
    """The error that was raised there, as one of ours."""
    kind = getattr(errors, str(given.get("error")), InglenookError)
    if not (isinstance(kind, type) and issubclass(kind, InglenookError)):
        kind = InglenookError
    error: InglenookError = kind(str(given.get("message")), hint=str(given.get("hint", "")))
    for name, number in dict(given.get("numbers") or {}).items():
        if name in _NUMBERS and isinstance(number, int):
            setattr(error, name, number)
    return error


def packed(message: Mapping[str, Any]) -> bytes:
    """A message as bytes."""
    return json.dumps({key: to_wire(item) for key, item in message.items()}).encode("ascii")


def unpacked(data: bytes) -> dict[str, Any]:
    """The message. Raises `ValueError`, also for what nests too deeply."""
    try:
        read = json.loads(data)
        if not isinstance(read, dict):
            raise ValueError("a message is an object")  # noqa: TRY004 - of the data, not of a type
        return {str(key): from_wire(item) for key, item in read.items()}
    except RecursionError as error:
        raise ValueError("the message nests too deeply") from error
