"""Decides whether the whole knowledge goes into the prompt instead of retrieved passages.

Where all documents together are no longer than the passages that would be retrieved, nothing is
won by choosing: questions about the whole ("what does this cover?") can only be answered from all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from inglenook.errors import ContextOverflowError
from inglenook.types import Passage

if TYPE_CHECKING:
    from inglenook.assistants.chat_model import ChatModel
    from inglenook.knowledge.search import Search, Wanted

__all__ = ["fits_comfortably", "whole_knowledge"]

INLINE_TOKENS = 600
"""Up to so many tokens `auto` gives all: about three seconds of reading for a small model on two
cores, and no more than the few passages that it would be given otherwise."""
ASSUMED_CONTEXT = 2048
"""What a model has at least, where the profile does not say."""
_CHARACTERS_PER_TOKEN = 4
_LONGEST_TOKEN = 16
_UNBOUNDED = 50_000_000


def fits_comfortably(
    search: Search, wanted: Wanted, standing: Sequence[str], context_length: int
) -> tuple[Passage, ...]:
    """All of the knowledge if it is so little that choosing wins nothing, else ().

    Args:
        search: Of the knowledge base.
        wanted: The question.
        standing: What stands in the prompt anyway.
        context_length: What the profile states, or 0.
    """
    from inglenook.knowledge.search import estimated_tokens

    room = (context_length or ASSUMED_CONTEXT) // 2
    room -= sum(estimated_tokens(text) for text in (*standing, wanted.whole))
    most = min(INLINE_TOKENS, room)
    if most <= 0:
        return ()
    found = search.everything(wanted, most * _LONGEST_TOKEN)
    return found if sum(estimated_tokens(passage.text) for passage in found) <= most else ()


def whole_knowledge(search: Search, wanted: Wanted, model: ChatModel) -> tuple[Passage, ...]:
    """All of the knowledge, in the order of the documents.

    The prompt is counted exactly when it is built; here only what could never fit is refused.
    Raises `ContextOverflowError`.
    """
    context = model.open().context_length
    most = context * _LONGEST_TOKEN if context else _UNBOUNDED
    found = search.everything(wanted, most)
    characters = 0 if found else search.count_characters(wanted.within)
    if not characters:
        return found  # All, or there is nothing.
    needed = characters // _CHARACTERS_PER_TOKEN
    available = max(1, context - min(model.answer_tokens, context // 2))
    raise ContextOverflowError(
        f"All documents together need about {needed} tokens; the model has room for {available} "
        f"(context {context}, the rest of them for the answer).",
        hint="Use RETRIEVE knowledge=retrieve, or raise `PARAMETER num_ctx`.",
        needed=needed,
        available=available,
    )
