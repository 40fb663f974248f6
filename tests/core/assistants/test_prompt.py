"""The prompt fits the context; what is left out is said."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from inglenook.assistants.prompt import Prompt, PromptBuilder
from inglenook.errors import ContextOverflowError
from inglenook.types import Locator, Message, Passage


def tokenize(messages: Sequence[Message]) -> list[int]:
    return [len(word) for message in messages for word in message.text.split()]


def build(context: int, passages: int = 3, history: int = 0, question: str = "How?") -> Prompt:
    found = [
        Passage(f"c{n}", f"{n}.txt", "s", "/x", "word " * 50, Locator("line", 1), 0, 250)
        for n in range(passages)
    ]
    turns = [
        Message.of("user" if n % 2 == 0 else "assistant", "turn " * 40) for n in range(history)
    ]
    return PromptBuilder(tokenize, context, 50).build("You help.", turns, question, found)


def test_everything_is_there_when_it_fits() -> None:
    prompt = build(2000, history=4)

    assert 3 == len(prompt.passages)
    assert () == prompt.notices
    assert 6 == len(prompt.messages)
    assert prompt.tokens is not None
    assert 2000 - len(prompt.tokens) == prompt.room


def test_the_weakest_passages_go_first_and_that_is_said() -> None:
    prompt = build(200)

    assert ["c0"] == [p.chunk for p in prompt.passages][:1]
    assert 3 > len(prompt.passages) > 0
    assert [f"{3 - len(prompt.passages)} of 3 passages"] == [
        " ".join(prompt.notices[0].message.split()[:4])
    ]


def test_the_oldest_turns_go_before_passages_do_and_a_turn_is_never_halved() -> None:
    prompt = build(400, history=8)

    assert 3 == len(prompt.passages)
    assert "history-left-out" == prompt.notices[0].code
    assert "user" == prompt.messages[1].role


def test_a_question_that_cannot_fit_is_refused_with_both_numbers() -> None:
    with pytest.raises(ContextOverflowError) as caught:
        build(100, question="word " * 500)

    assert caught.value.needed > 500
    assert 50 == caught.value.available
    assert str(caught.value.needed) in str(caught.value)
    assert "num_ctx" in str(caught.value)


def test_an_unknown_context_is_not_a_limit() -> None:
    prompt = build(0, passages=9)

    assert 9 == len(prompt.passages)
    assert 50 == prompt.room
