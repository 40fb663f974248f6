"""An assistant's model, open: renders messages, counts their tokens, streams answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from inglenook.assistants.model_output import parted
from inglenook.assistants.templates import ChatTemplate
from inglenook.assistants.thinking import BEGIN, END, ThinkingReader
from inglenook.assistants.tool_calls import ToolCallReader
from inglenook.assistants.tool_formats import AUTO, chosen_tools
from inglenook.assistants.tool_prompt import ToolPrompt
from inglenook.errors import ContextOverflowError, UserError
from inglenook.models.grammar_checks import require_usable_form
from inglenook.models.warm_runtime import WarmRuntime
from inglenook.protocols import Runtime
from inglenook.types import (
    CancelToken,
    GenerateRequest,
    Message,
    Queued,
    RuntimeEvent,
    RuntimeInfo,
    ToolSpec,
)

__all__ = ["ChatModel", "common_length"]

_OPENING = frozenset(("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap"))
"""Parameters that say how a model is opened, not how it answers."""
_ENGINE = frozenset(("seed", "stop", "num_predict"))
"""Parameters that have a place of their own in a request."""


_ANY_QUESTION = "\u2026"
"""What no question begins with: a prompt with it ends to be alike where a question begins."""


def common_length(one: Sequence[object], other: Sequence[object]) -> int:
    """How long the beginning is that both have."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


class ChatModel:
    """A runtime with what the engine adds: templates, parameters, defused control tokens.

    Args:
        runtime: Not open yet.
        template: Makes the chat template once the runtime is open.
        parameters: What profile and model state, by Ollama's names.
        small: Whether it follows only the plainest instructions.
        remote: The host that the profile sends prompts to; "" for none.
        fixed: The messages that every conversation with the assistant begins with.
    """

    def __init__(
        self,
        runtime: Runtime,
        template: Callable[[RuntimeInfo], ChatTemplate],
        parameters: Mapping[str, Any],
        *,
        small: bool = False,
        remote: str = "",
        fixed: Sequence[Message] = (),
    ) -> None:
        self.small = small
        self._remote = remote
        self._fixed = tuple(fixed)
        self._fixed_tokens: tuple[int, ...] | None = None
        self._runtime = runtime
        self._make_template = template
        self._parameters = parameters
        self._info: RuntimeInfo | None = None
        self._template: ChatTemplate | None = None
        self._thinks: bool | None = None

    def open(self) -> RuntimeInfo:
        """Load the model. Raises `UserError` for a parameter that the runtime cannot honour."""
        if self._info is None:
            info = self._runtime.open()
            self._refuse_unknown(info)
            self._template = None if info.renders_chat else self._make_template(info)
            self._info = info
        return self._info

    def opening(self, cancel: CancelToken | None = None) -> Iterator[Queued]:
        """Load the model as `open` does, and say how long the line is where that has to wait.

        Raises `Cancelled` if that is stopped.
        """
        if isinstance(self._runtime, WarmRuntime):
            yield from self._runtime.opening(cancel or CancelToken())
        self.open()

    def _refuse_unknown(self, info: RuntimeInfo) -> None:
        for name in self._parameters:
            if name not in _OPENING | _ENGINE and name not in info.parameters:
                raise UserError(
                    f"This runtime cannot honour PARAMETER {name}.",
                    hint=f"Remove the line. It honours: {', '.join(sorted(info.parameters))}.",
                )

    @property
    def remote(self) -> str:
        """The host that prompts are sent to; "" for none.

        Whether a server sends them on is known once it is open.
        """
        return self._info.remote if self._info is not None else self._remote

    @property
    def answer_tokens(self) -> int:
        """How many tokens an answer may have; 512 are kept free where nothing is stated."""
        stated = int(self._parameters.get("num_predict", -1))
        return stated if stated > 0 else 512

    def tokenize(self, messages: Sequence[Message]) -> list[int]:
        """The ids of the rendered messages; an estimate where the runtime renders itself.

        Texts of control tokens inside the messages stay text: a document cannot forge a turn.
        """
        pieces = self.pieces(messages)
        special = self._template is not None
        return [id for piece in pieces for id in self._runtime.tokenize(piece, special=special)]

    def pieces(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> list[str]:
        """The texts that the tokenizer gets for these messages, one after the other."""
        info = self.open()
        if self._template is None:
            return ["\n".join(f"{message.role}: {message.text}" for message in messages)]
        pieces = self._template.render_pieces(messages, info.control_tokens, tools=tools)
        begun = bool(pieces and pieces[0].startswith(info.bos))
        return [info.bos, *pieces] if info.add_bos and info.bos and not begun else pieces

    def text_tokens(self, text: str, *, special: bool) -> list[int]:
        """The ids of a text with no template around it; see `Runtime.tokenize`."""
        self.open()
        return self._runtime.tokenize(text, special=special)

    def generate(
        self,
        messages: Sequence[Message],
        tokens: Sequence[int] | None,
        room: int,
        cancel: CancelToken,
        session: str,
    ) -> Iterator[RuntimeEvent]:
        """Stream an answer of at most `room` tokens."""
        request = replace(
            self._request(messages, tokens, room),
            session=session,
            fixed=self._common_with_all(tokens) if tokens is not None else 0,
        )
        yield from self._parted(request, cancel, None)

    def converse(
        self,
        messages: Sequence[Message],
        cancel: CancelToken,
        *,
        tools: Sequence[ToolSpec] = (),
        tool_choice: str = AUTO,
        form: Mapping[str, Any] | str | None = None,
    ) -> Iterator[RuntimeEvent]:
        """Stream what the model says next, with nothing of the assistant around it.

        Args:
            messages: The conversation, with tool calls and their results.
            cancel: Stops it.
            tools: What the model may call. Nobody runs a tool: a call is an event.
            tool_choice: See `GenerateRequest`.
            form: A JSON schema or a grammar (GBNF) that the answer must follow.

        Raises `UserError` for tools that model or runtime cannot take, `ContextOverflowError`.
        """
        forced = chosen_tools(tools, tool_choice)
        if form is not None and tools:
            raise UserError("An answer can follow a form or have tools, not both.")
        shape: dict[str, Any] = {"grammar" if isinstance(form, str) else "json_schema": form}
        require_usable_form(GenerateRequest(**shape))
        info = self.open()
        if form is not None and not info.grammar:
            raise UserError("This runtime can make no answer follow a grammar or JSON schema.")
        if self._template is None:
            if tools and not info.tools:
                raise UserError("The runtime of this model is not known to take tools.")
            request = replace(
                self._request(messages, None, info.context_length),
                tools=tuple(tools),
                tool_choice=tool_choice,
                **shape,
            )
            yield from self._runtime.generate(request, cancel)
            return
        prompt = ToolPrompt.of(self._template, info, tools, forced) if tools else None
        ids = self._ids(messages, prompt)
        room = info.context_length - len(ids)
        if room < 1:
            raise ContextOverflowError(
                f"The conversation has {len(ids)} tokens, with the tools; the context holds"
                f" {info.context_length} for it and the answer.",
                hint="Leave out earlier turns or tools, or raise num_ctx.",
                needed=len(ids),
                available=info.context_length,
            )
        request = replace(self._request(messages, ids, room), **shape)
        if prompt is not None:
            request = replace(
                request, shown_tokens=prompt.shown_tokens, json_schema=prompt.json_schema
            )
        yield from self._parted(request, cancel, prompt)

    def _ids(self, messages: Sequence[Message], prompt: ToolPrompt | None) -> list[int]:
        """The ids of the messages, with the tools and what the answer is made to begin with."""
        tools = prompt.tools if prompt else ()
        pieces = self.pieces(messages, tools)
        if prompt is not None:
            prompt.require_rendered("".join(pieces))
            thinking = f"\n{END}\n\n" if prompt.prefix and self._begins_thinking else ""
            pieces = [*pieces, thinking + prompt.prefix]
        return [id for piece in pieces for id in self._runtime.tokenize(piece, special=True)]

    def _parted(
        self, request: GenerateRequest, cancel: CancelToken, prompt: ToolPrompt | None
    ) -> Iterator[RuntimeEvent]:
        """What the runtime says to the request, its thinking and tool calls told apart."""
        if self._template is None:
            yield from self._runtime.generate(request, cancel)
            return
        forced = prompt is not None and bool(prompt.json_schema)
        if request.json_schema is None and request.grammar is None:
            shown = [text for text in (BEGIN, END) if text in self.open().control_tokens]
            request = replace(request, shown_tokens=(*request.shown_tokens, *shown))
        thinking = ThinkingReader(begun=self._begins_thinking and not forced)
        calls = None
        if prompt is not None:
            calls = ToolCallReader(prompt.format, prompt.tools, forced=forced)
        yield from parted(self._runtime.generate(request, cancel), thinking, calls)

    @property
    def _begins_thinking(self) -> bool:
        """Whether the template ends every prompt in the beginning of a thought."""
        if self._thinks is None:
            template = self._template
            self._thinks = template is not None and BEGIN in template.source
            if template is not None and self._thinks:
                rendered = template.render([Message.of("user", _ANY_QUESTION)])
                self._thinks = rendered.rstrip().endswith(BEGIN)
        return self._thinks

    def _request(
        self, messages: Sequence[Message], tokens: Sequence[int] | None, room: int
    ) -> GenerateRequest:
        """What profile and model state, for an answer of at most `room` tokens."""
        stated = dict(self._parameters)
        seed = int(stated.get("seed", -1))
        predict = int(stated.get("num_predict", -1))
        return GenerateRequest(
            tokens=tuple(tokens) if tokens is not None else None,
            messages=tuple(messages) if tokens is None else None,
            parameters={
                name: value for name, value in stated.items() if name not in _OPENING | _ENGINE
            },
            stop=tuple(stated.get("stop", ())),
            max_tokens=max(1, room if predict < 0 else min(predict, room)),
            seed=seed if seed >= 0 else None,
        )

    def _common_with_all(self, tokens: Sequence[int]) -> int:
        """How many of the first tokens all prompts of the assistant have in common."""
        if not self._fixed or not self.open().state:
            return 0
        if self._fixed_tokens is None:
            question = Message.of("user", _ANY_QUESTION)
            self._fixed_tokens = tuple(self.tokenize((*self._fixed, question)))
        return common_length(self._fixed_tokens, tokens)

    def close(self) -> None:
        self._runtime.close()
        self._info = None
