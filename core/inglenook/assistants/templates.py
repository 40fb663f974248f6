"""Turns a conversation into the text that a model reads: its chat template, in a sandbox.

Which template is used: the profile's TEMPLATE, else the library's (both in Ollama's old Go form),
else the model's own Jinja template, else a plain form.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import CodeType
from typing import Any, Literal, TypeVar

import jinja2

from inglenook.assistants.control_tokens import ESCAPE, MARKER, defuse, split_defused
from inglenook.assistants.jinja_sandbox import ChatEnvironment, RaisedByTemplate
from inglenook.assistants.template_budget import Budget, LimitExceeded
from inglenook.errors import ModelError
from inglenook.profiles.go_template import GoTemplate, GoTemplateError, parse_go_template
from inglenook.types import (
    Message,
    Notice,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)

__all__ = [
    "ChatTemplate",
    "JinjaTemplate",
    "TemplateError",
    "defuse",
    "render_chat",
    "split_defused",
]

MAX_SOURCE = 128_000
_WORK = 4_000_000
_WORK_PER_CHARACTER = 64
_SECONDS = 1.5

T = TypeVar("T")


class TemplateError(ModelError):
    """A chat template is malformed, refuses the conversation or asks for too much."""


class SystemRefusedError(TemplateError):
    """The template itself refused the conversation (`raise_exception`)."""


def _local_now() -> datetime:
    return datetime.now(UTC).astimezone()


@dataclass(frozen=True, slots=True)
class JinjaTemplate:
    """A compiled Jinja chat template.

    Args:
        source: The template.
        now: What `strftime_now` goes by.
        clock: Monotonic seconds, for the limit of time.
    """

    source: str
    now: Callable[[], datetime] = _local_now
    clock: Callable[[], float] = time.monotonic
    _compiled: tuple[CodeType, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.source) > MAX_SOURCE:
            raise TemplateError(
                f"The chat template of the model is too long ({len(self.source)} characters; "
                f"{MAX_SOURCE} are allowed).",
                hint=_HINT,
            )
        if ESCAPE in self.source or MARKER in self.source:
            raise TemplateError(
                "The chat template of the model holds characters U+10FFFC or U+10FFFD, which keep "
                "control tokens out of documents.",
                hint=_HINT,
            )
        environment = self._environment(0)
        code = _shielded(functools.partial(environment.compile, self.source))
        object.__setattr__(self, "_compiled", (code, environment.macro_size))

    def _environment(self, characters: int) -> ChatEnvironment:
        work = _WORK + _WORK_PER_CHARACTER * characters
        return ChatEnvironment(Budget(work, _SECONDS, self.clock), self.now)

    def render(self, messages: Sequence[Mapping[str, Any]], **variables: Any) -> str:
        """Render `messages` (mappings with `role` and `content`).

        Raises:
            TemplateError: See there.
        """
        environment = self._environment(_characters((messages, variables)))
        code, environment.macro_size = self._compiled
        template = jinja2.Template.from_code(environment, code, dict(environment.globals))
        return _shielded(lambda: "".join(template.generate(messages=list(messages), **variables)))


def render_chat(
    template: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    bos: str,
    eos: str,
    tools: Sequence[Mapping[str, Any]] = (),
    add_generation_prompt: bool = True,
) -> str:
    """Render a model's Jinja chat template once. `ChatTemplate` keeps it compiled.

    Raises:
        TemplateError: It is malformed, refuses the conversation or asks for too much.
    """
    return JinjaTemplate(template).render(
        messages,
        bos_token=bos,
        eos_token=eos,
        tools=list(tools) or None,
        add_generation_prompt=add_generation_prompt,
    )


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """The template that holds for one assistant, ready to render.

    Args:
        kind: Where it comes from.
        source: Its text; "" for the plain form.
        template: Compiled; None for the plain form.
        bos, eos: The texts of the model's begin and end tokens.
        notice: Why another template was passed over, or None.
    """

    kind: Literal["profile", "library", "model", "plain"]
    source: str
    template: GoTemplate | JinjaTemplate | None
    bos: str = ""
    eos: str = ""
    notice: Notice | None = None

    @classmethod
    def choose(
        cls,
        *,
        profile_template: str | None = None,
        library_template: str = "",
        model_template: str = "",
        bos: str = "",
        eos: str = "",
    ) -> ChatTemplate:
        """Take the first that there is: profile, library, model, plain.

        Args:
            profile_template: TEMPLATE of the profile; None or "" has none.
            library_template: The template layer of the model library (Go).
            model_template: The model's own Jinja template.
            bos, eos: The texts of its begin and end tokens.

        Raises:
            TemplateError: The one to use cannot be used. A library template beyond the old form
                gives way to the model's own, with a notice.
        """
        if profile_template:
            template = _go(profile_template, "TEMPLATE")
            return cls("profile", profile_template, template, bos, eos)
        notice = None
        if library_template:
            try:
                template = _go(library_template, "The library's template")
                return cls("library", library_template, template, bos, eos)
            except TemplateError as error:
                if not model_template:
                    raise
                notice = Notice("template-passed-over", f"{error.message} The model's own is used.")
        if model_template:
            return cls("model", model_template, JinjaTemplate(model_template), bos, eos, notice)
        return cls("plain", "", None, bos, eos)

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[ToolSpec] = (),
        add_generation_prompt: bool = True,
    ) -> str:
        """The prompt, up to where the answer begins.

        A model whose template knows no system role gets the system text before the first
        question.

        Raises:
            TemplateError: The template refuses the conversation or asks for too much.
        """
        if self.template is None:
            return _plain(messages, add_generation_prompt)
        if isinstance(self.template, GoTemplate):
            return self.template.render([(m.role, _text(m)) for m in messages])
        try:
            return self._jinja(self.template, messages, tools, add_generation_prompt)
        except SystemRefusedError:
            merged = _without_system(messages)
            if merged is None:
                raise
            return self._jinja(self.template, merged, tools, add_generation_prompt)

    def render_pieces(
        self,
        messages: Sequence[Message],
        control_tokens: Sequence[str],
        *,
        tools: Sequence[ToolSpec] = (),
        add_generation_prompt: bool = True,
    ) -> list[str]:
        """The prompt in pieces: tokenise each by itself, control tokens recognised, and join.

        Only the template's own control tokens come out as such; those in any message do not.
        """

        def safe(text: str) -> str:
            return defuse(text, control_tokens)

        return split_defused(
            self.render(
                [_mapped(message, safe) for message in messages],
                tools=[_mapped_tool(tool, safe) for tool in tools],
                add_generation_prompt=add_generation_prompt,
            )
        )

    def _jinja(
        self,
        template: JinjaTemplate,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        add_generation_prompt: bool,
    ) -> str:
        return template.render(
            [shaped for message in messages for shaped in _as_mappings(message)],
            bos_token=self.bos,
            eos_token=self.eos,
            tools=[_tool(tool) for tool in tools] or None,
            add_generation_prompt=add_generation_prompt,
        )


_TEXTS = (TextPart, ToolResultPart)
_HINT = "Give the profile a TEMPLATE of its own, or use another model."


def _shielded(work: Callable[[], T]) -> T:
    try:
        return work()
    except RaisedByTemplate as error:
        raise SystemRefusedError(
            f"The chat template of the model refuses this conversation: {error}"
        ) from error
    except LimitExceeded as error:
        raise TemplateError(
            f"The chat template of the model was stopped: {error}.", hint=_HINT
        ) from error
    # A template is a foreign program: whatever it raises (arithmetic, types, recursion, memory)
    # is its failure, not ours.
    except Exception as error:
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        raise TemplateError(
            f"The chat template of the model does not work{where}: {_reason(error)}", hint=_HINT
        ) from error


def _reason(error: Exception) -> str:
    text = str(error).split("\n", 1)[0][:200]
    return text or type(error).__name__


def _go(source: str, what: str) -> GoTemplate:
    try:
        return parse_go_template(source)
    except GoTemplateError as error:
        raise TemplateError(f"{what}, line {error.line}: {error.message}") from error


def _plain(messages: Sequence[Message], add_generation_prompt: bool) -> str:
    """`System: …`, `User: …`, `Assistant: …`, an empty line between: for a model without any."""
    turns = [f"{message.role.capitalize()}: {_text(message)}\n\n" for message in messages]
    return "".join(turns) + ("Assistant:" if add_generation_prompt else "")


def _text(message: Message) -> str:
    return "".join(part.text for part in message.parts if isinstance(part, _TEXTS))


def _mapped(message: Message, change: Callable[[str], str]) -> Message:
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            parts.append(TextPart(change(part.text)))
        elif isinstance(part, ToolResultPart):
            parts.append(ToolResultPart(part.id, part.name, change(part.text)))
        elif isinstance(part, ToolCallPart):
            parts.append(ToolCallPart(part.id, part.name, _mapped_data(part.arguments, change)))
        else:
            parts.append(part)
    return Message(message.role, tuple(parts))


def _mapped_tool(tool: ToolSpec, change: Callable[[str], str]) -> ToolSpec:
    return ToolSpec(tool.name, change(tool.description), _mapped_data(tool.parameters, change))


def _mapped_data(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(key)): _mapped_data(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped_data(item, change) for item in value]
    return value


def _without_system(messages: Sequence[Message]) -> list[Message] | None:
    """The system text moved before the first question; None if that changes nothing."""
    system = [_text(message) for message in messages if message.role == "system"]
    rest = [message for message in messages if message.role != "system"]
    if not system or not rest or rest[0].role != "user":
        return None
    first = Message("user", (TextPart("\n\n".join(system) + "\n\n"), *rest[0].parts))
    return [first, *rest[1:]]


def _as_mappings(message: Message) -> list[dict[str, Any]]:
    """The message as templates know it: each result of a tool is one of its own."""
    results = [part for part in message.parts if isinstance(part, ToolResultPart)]
    if len(results) > 1:
        return [_as_mapping(Message(message.role, (result,))) for result in results]
    return [_as_mapping(message)]


def _as_mapping(message: Message) -> dict[str, Any]:
    shaped: dict[str, Any] = {"role": message.role, "content": _text(message)}
    calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
    results = [part for part in message.parts if isinstance(part, ToolResultPart)]
    if calls:
        shaped["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": dict(call.arguments)},
            }
            for call in calls
        ]
    if results:
        shaped["name"], shaped["tool_call_id"] = results[0].name, results[0].id
    return shaped


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        },
    }


def _characters(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_characters(item) for item in value.values()) + len(value)
    if isinstance(value, list | tuple):
        return sum(_characters(item) for item in value) + len(value)
    return 1
