"""Shows what a model would read: the prompt of a question, and the tokens of a text.

The prompt is made by the code that makes the one of a real answer; here it is only looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from inglenook.assistants.answering import Answering, Asking, WithoutModel
from inglenook.assistants.chat_model import ChatModel, common_length
from inglenook.types import Message, Notice, Passage

__all__ = ["QUOTED", "PromptView", "Span", "TextTokens", "fixed_prompt", "prompt_of", "tokens_of"]

_QUESTIONS = ("a", "b")
"""Two questions that have nothing in common: what their prompts share is fixed."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a prompt; `control` if the tokenizer takes it for one control token."""

    text: str
    control: bool


@dataclass(frozen=True, slots=True)
class PromptView:
    """What the model would get.

    Args:
        spans: The rendered prompt; joined, their texts are what the tokenizer reads. Empty where
            the runtime takes messages and renders them itself.
        messages: The same as messages.
        tokens: How many tokens it has; -1 if no model would be asked.
        exact: Whether the model's own tokenizer counted them.
        context_length: Tokens of prompt and answer together; 0 if nobody knows.
        room: Tokens that are left for the answer.
        passages: Those of the documents that stand in it, best first.
        notices: What was left out, and what else to know.
        instead: What is said without asking a model; "" if one is asked.
        why: Why no model is asked; "" if one is.
    """

    spans: tuple[Span, ...] = ()
    messages: tuple[Message, ...] = ()
    tokens: int = -1
    exact: bool = True
    context_length: int = 0
    room: int = 0
    passages: tuple[Passage, ...] = ()
    notices: tuple[Notice, ...] = ()
    instead: str = ""
    why: str = ""

    @property
    def text(self) -> str:
        """The rendered prompt."""
        return "".join(span.text for span in self.spans)


QUOTED = PromptView(why="the documents are quoted")
"""What there is to see of an assistant that asks no model."""


@dataclass(frozen=True, slots=True)
class TextTokens:
    """The ids of a text; where `exact` is False only their number means something, roughly."""

    ids: tuple[int, ...]
    exact: bool


def prompt_of(
    answering: Answering, model: Callable[[], ChatModel], question: str, *, passages: bool
) -> PromptView:
    """The prompt for a question. Raises `InglenookError` as an answer would fail."""
    notices: list[Notice] = []
    deciding = answering.deciding(question, (), passages=passages)
    while True:
        try:
            event = next(deciding)
        except StopIteration as end:
            decided = end.value
            break
        if isinstance(event, Notice):
            notices.append(event)
    if isinstance(decided, WithoutModel):
        return PromptView(notices=tuple(notices), instead=decided.text, why="the engine answers")
    if not isinstance(decided, Asking):
        return replace(QUOTED, notices=tuple(notices))
    prompt = decided.prompt
    opened = model()
    info = opened.open()
    pieces, ids = opened.pieces(prompt.messages), opened.tokenize(prompt.messages)
    return PromptView(
        spans=() if info.renders_chat else _spans(pieces, info.control_tokens),
        messages=prompt.messages,
        tokens=len(ids),
        exact=info.token_count == "exact",
        context_length=info.context_length,
        room=prompt.room,
        passages=prompt.passages,
        notices=tuple(notices),
    )


def fixed_prompt(answering: Answering, model: Callable[[], ChatModel]) -> PromptView:
    """What every prompt begins with, before the question and its passages."""
    opened = model()
    info = opened.open()
    standing = answering.standing()
    asked, other = ((*standing, Message.of("user", question)) for question in _QUESTIONS)
    whole = "".join(opened.pieces(asked))
    text = whole[: common_length(whole, "".join(opened.pieces(other)))]
    ids = opened.tokenize(asked)
    ids = ids[: common_length(ids, opened.tokenize(other))]
    return PromptView(
        spans=() if info.renders_chat else _spans([text], info.control_tokens),
        messages=standing,
        tokens=len(ids),
        exact=info.token_count == "exact",
        context_length=info.context_length,
        room=info.context_length - len(ids) if info.context_length else 0,
    )


def tokens_of(model: ChatModel, text: str, *, special: bool) -> TextTokens:
    """The tokens of a text as the model's own tokenizer cuts it, no template around it.

    Args:
        model: The model; it is opened.
        text: The text.
        special: Whether texts of control tokens become those tokens, as they do in a template.
    """
    ids = model.text_tokens(text, special=special)
    return TextTokens(tuple(ids), model.open().token_count == "exact")


def _spans(pieces: Sequence[str], control_tokens: Sequence[str]) -> tuple[Span, ...]:
    """The pieces, cut at control tokens; of tokens that begin alike the longest counts."""
    longest_first = sorted(filter(None, control_tokens), key=len, reverse=True)
    if not longest_first:
        return tuple(Span(piece, control=False) for piece in pieces if piece)
    pattern = re.compile(f"({'|'.join(map(re.escape, longest_first))})")
    return tuple(
        Span(text, control=bool(number % 2))
        for piece in pieces
        for number, text in enumerate(pattern.split(piece))
        if text
    )
