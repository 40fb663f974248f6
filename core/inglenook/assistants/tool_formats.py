"""How models write that they want a tool called, and how one is made to.

Sources: the chat templates of Qwen2.5 (after Hermes 2 Pro), of Llama 3.1 and of Mistral v3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inglenook.errors import UserError
from inglenook.types import ToolSpec

__all__ = ["AUTO", "REQUIRED", "ToolFormat", "chosen_tools", "format_of"]

AUTO, REQUIRED, NONE = "auto", "required", "none"


@dataclass(frozen=True, slots=True)
class ToolFormat:
    """The way of one family of models.

    Args:
        begin: What stands before a call; "" if an answer that begins like JSON is one.
        end: What stands behind it; "" if it goes on to the end of the answer.
        arguments: What the arguments are called.
        listed: Whether calls stand in a list.
        gap: What stands between `begin` and the call.
    """

    begin: str
    end: str
    arguments: str
    listed: bool = False
    gap: str = ""

    @property
    def shown_tokens(self) -> tuple[str, ...]:
        """The control tokens that must stay readable."""
        return tuple(filter(None, (self.begin or _PYTHON, self.end)))

    @property
    def prefix(self) -> str:
        """What an answer that must be a call begins with."""
        return self.begin + self.gap

    def schema(self, tools: Sequence[ToolSpec]) -> dict[str, Any]:
        """The JSON schema of what follows `prefix` in a call of one of the tools."""
        beyond = "#/items" if self.listed else "#"
        if len(tools) == 1:
            call = self._call(tools[0], beyond)
        else:
            calls = [self._call(tool, f"{beyond}/anyOf/{n}") for n, tool in enumerate(tools)]
            call = {"anyOf": calls}
        return (
            {"type": "array", "items": call, "minItems": 1, "maxItems": 1} if self.listed else call
        )

    def _call(self, tool: ToolSpec, place: str) -> dict[str, Any]:
        parameters = _moved(tool.parameters, f"{place}/properties/{self.arguments}")
        return {
            "type": "object",
            "properties": {"name": {"const": tool.name}, self.arguments: parameters},
            "required": ["name", self.arguments],
            "additionalProperties": False,
        }


_PYTHON = "<|python_tag|>"
_HERMES = ToolFormat("<tool_call>", "</tool_call>", "arguments", gap="\n")
_MISTRAL = ToolFormat("[TOOL_CALLS]", "", "arguments", listed=True)
_LLAMA = ToolFormat("", "", "parameters")


def format_of(template: str) -> ToolFormat | None:
    """The format that the model's chat template teaches; None if it teaches none that is known."""
    if "tools" not in template:
        return None
    if _MISTRAL.begin in template:
        return _MISTRAL
    if _HERMES.begin in template:
        return _HERMES
    return _LLAMA if '"parameters"' in template and '"name"' in template else None


def chosen_tools(tools: Sequence[ToolSpec], choice: str) -> tuple[ToolSpec, ...]:
    """The tools of which one must be called; () if the model is free. Raises `UserError`."""
    names = [tool.name for tool in tools]
    for name in names:
        if not name or name in (AUTO, REQUIRED, NONE) or names.count(name) > 1:
            raise UserError(
                f"The name {name!r} of a tool cannot be used.",
                hint=f"Each tool needs a name of its own, other than {AUTO}, {REQUIRED}, {NONE}.",
            )
    if choice == AUTO or (not tools and choice == NONE):
        return ()
    if choice == REQUIRED and tools:
        return tuple(tools)
    found = tuple(tool for tool in tools if tool.name == choice)
    if not found:
        raise UserError(
            f"tool_choice is {choice!r}, which is none of the tools.",
            hint=f"It is {AUTO}, {REQUIRED} or the name of a tool: {', '.join(names) or 'none'}.",
        )
    return found


def _moved(schema: Any, place: str) -> Any:
    """The schema as part of another one: what it refers to now stands at `place`."""
    if isinstance(schema, Mapping):
        return {
            key: f"{place}{value[1:]}"
            if key == "$ref" and isinstance(value, str) and value.startswith("#")
            else _moved(value, place)
            for key, value in schema.items()
        }
    if isinstance(schema, list | tuple):
        return [_moved(item, place) for item in schema]
    return schema
