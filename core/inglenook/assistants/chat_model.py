"""An assistant's model, open: renders messages, counts their tokens, streams answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from inglenook.assistants.templates import ChatTemplate
from inglenook.errors import UserError
from inglenook.protocols import Runtime
from inglenook.types import (
    CancelToken,
    GenerateRequest,
    Message,
    RuntimeEvent,
    RuntimeInfo,
)

__all__ = ["ChatModel"]

_OPENING = frozenset(("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap"))
"""Parameters that say how a model is opened, not how it answers."""
_ENGINE = frozenset(("seed", "stop", "num_predict"))
"""Parameters that have a place of their own in a request."""


_ANY_QUESTION = "\u2026"
"""What no question begins with, so that a prompt with it ends to be alike where a question begins."""


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

    def open(self) -> RuntimeInfo:
        """Load the model. Raises `UserError` for a parameter that the runtime cannot honour."""
        if self._info is None:
            info = self._runtime.open()
            self._refuse_unknown(info)
            self._template = None if info.renders_chat else self._make_template(info)
            self._info = info
        return self._info

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

    def pieces(self, messages: Sequence[Message]) -> list[str]:
        """The texts that the tokenizer gets for these messages, one after the other."""
        info = self.open()
        if self._template is None:
            return ["\n".join(f"{message.role}: {message.text}" for message in messages)]
        pieces = self._template.render_pieces(messages, info.control_tokens)
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
        stated = dict(self._parameters)
        seed = int(stated.get("seed", -1))
        predict = int(stated.get("num_predict", -1))
        most = max(1, room if predict < 0 else min(predict, room))
        yield from self._runtime.generate(
            GenerateRequest(
                tokens=tuple(tokens) if tokens is not None else None,
                messages=tuple(messages) if tokens is None else None,
                parameters={
                    name: value for name, value in stated.items() if name not in _OPENING | _ENGINE
                },
                stop=tuple(stated.get("stop", ())),
                max_tokens=most,
                fixed=self._common_with_all(tokens) if tokens is not None else 0,
                seed=seed if seed >= 0 else None,
                session=session,
            ),
            cancel,
        )

    def _common_with_all(self, tokens: Sequence[int]) -> int:
        """How many of the first tokens all prompts of the assistant have in common."""
        if not self._fixed or not self.open().state:
            return 0
        if self._fixed_tokens is None:
            question = Message.of("user", _ANY_QUESTION)
            self._fixed_tokens = tuple(self.tokenize((*self._fixed, question)))
        pairs = zip(self._fixed_tokens, tokens, strict=False)
        return next(
            (at for at, (fixed, actual) in enumerate(pairs) if fixed != actual),
            min(len(self._fixed_tokens), len(tokens)),
        )

    def close(self) -> None:
        self._runtime.close()
        self._info = None
