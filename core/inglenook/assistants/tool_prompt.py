"""What a prompt needs so that a model calls tools: they in its own template, and a beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inglenook.assistants.templates import ChatTemplate
from inglenook.assistants.tool_formats import ToolFormat, format_of
from inglenook.errors import UserError
from inglenook.models.grammar_checks import require_usable_form
from inglenook.types import GenerateRequest, RuntimeInfo, ToolSpec

__all__ = ["ToolPrompt"]

_HINT = "Take a model that was trained for tools, such as qwen2.5."


@dataclass(frozen=True, slots=True)
class ToolPrompt:
    """The tools of one request, for one model.

    Args:
        format: How the model writes calls.
        tools: What it may call.
        prefix: What its answer is made to begin with; "" if it is free.
        json_schema: What then follows; None if it is free.
        shown_tokens: The control tokens that the answer must show.
    """

    format: ToolFormat
    tools: tuple[ToolSpec, ...]
    prefix: str
    json_schema: Mapping[str, Any] | None
    shown_tokens: tuple[str, ...]

    @classmethod
    def of(
        cls,
        template: ChatTemplate,
        info: RuntimeInfo,
        tools: Sequence[ToolSpec],
        forced: Sequence[ToolSpec],
    ) -> ToolPrompt:
        """For a template. Raises `UserError` where it has no place for tools.

        Args:
            template: Of the model.
            info: Of its runtime.
            tools: What it may call.
            forced: Those of which it must call one; () if it is free.
        """
        format = format_of(template.source) if template.kind == "model" else None
        if format is None:
            whose = {"profile": "TEMPLATE of the profile", "plain": "plain form of the prompt"}
            raise UserError(
                f"The {whose.get(template.kind, 'chat template of the model')} has no place for"
                " tools.",
                hint=_HINT,
            )
        if forced and not info.grammar:
            raise UserError(
                "This runtime cannot force a tool call: it follows no grammar.",
                hint="Leave tool_choice at auto.",
            )
        for tool in tools:
            require_usable_form(GenerateRequest(json_schema=tool.parameters))
        return cls(
            format,
            tuple(tools),
            format.prefix if forced else "",
            format.schema(forced) if forced else None,
            tuple(text for text in format.shown_tokens if text in info.control_tokens),
        )

    def require_rendered(self, prompt: str) -> None:
        """Raise `UserError` if the template left a tool out."""
        for tool in self.tools:
            if tool.name not in prompt:
                raise UserError(
                    f"The chat template of the model leaves out the tool '{tool.name}'.",
                    hint=_HINT,
                )
