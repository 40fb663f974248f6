"""Makes prompts of a wanted number of tokens out of plain text, for measuring."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["NEUTRAL_TEXT", "prompt_ids", "prompt_text"]

NEUTRAL_TEXT = (
    "The river runs past the old mill and turns east below the bridge. In spring the water is high"
    " and the boats stay at the quay. A road leads up the hill to the village, where a market is"
    " held every week. People bring apples, bread, wool and tools, and talk about the weather. In"
    " the evening the lamps are lit, the shops close one after another, and the last cart goes home"
    " along the road. The miller counts the sacks, writes the number in a book, and shuts the gate."
    " When the wind blows from the north the wheel turns slowly, and when rain has fallen it turns"
    " fast. The children sit on the wall and watch it until they are called in. "
)
"""Everyday words with nothing to answer, so that a model goes on writing."""

_STEP = 7
"""How far prompts of the same measurement are shifted, so that none begins like another."""


def prompt_ids(text_ids: Sequence[int], begin: Sequence[int], wanted: int, turn: int) -> list[int]:
    """A prompt of exactly `wanted` tokens.

    Args:
        text_ids: The model's tokens of `NEUTRAL_TEXT`.
        begin: The tokens that every prompt begins with.
        wanted: How many tokens; at least one more than `begin` has.
        turn: Prompts of different turns have no common beginning worth keeping.
    """
    room = max(1, wanted - len(begin))
    start = turn * _STEP % len(text_ids)
    times = (start + room) // len(text_ids) + 1
    return [*begin, *(list(text_ids) * times)[start : start + room]]


def prompt_text(tokens_of_text: int, wanted: int, turn: int) -> str:
    """About so many tokens as text, for a runtime that takes no ids.

    `tokens_of_text` is how many tokens the runtime counts in `NEUTRAL_TEXT`.
    """
    words = NEUTRAL_TEXT.split()
    number = max(1, round(wanted * len(words) / max(1, tokens_of_text)))
    start = turn * _STEP % len(words)
    return " ".join((words * ((start + number) // len(words) + 1))[start : start + number])
