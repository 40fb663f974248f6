"""Puts a question and a passage together as the model's tokenizer wants them.

A passage that is too long for the model becomes several pairs, each with the question and a
piece; the pieces overlap, so that what answers the question is whole in one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inglenook.errors import MissingDependencyError, ModelBrokenError, ModelError

__all__ = ["Pair", "PairMaker"]

_LEAST_ROOM = 16
"""Tokens that a passage needs, however long the question is."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One input of the model: token ids and which of them belong to the passage (1)."""

    ids: tuple[int, ...]
    types: tuple[int, ...]


class PairMaker:
    """Makes pairs of at most `max_length` tokens, with the tokenizer in a file.

    Raises `ModelBrokenError` for a tokenizer that cannot be read, `ModelError` for a `max_length`
    that leaves no room for a passage.
    """

    def __init__(self, tokenizer_file: Path, max_length: int, reference: str) -> None:
        self._tokenizer = _open(tokenizer_file, reference)
        self._room = max_length - int(self._tokenizer.num_special_tokens_to_add(True))
        if self._room < 2 * _LEAST_ROOM:
            raise ModelError(
                f"{reference}: a max_length of {max_length} leaves no room for a passage.",
                hint=f"Set at least {max_length - self._room + 2 * _LEAST_ROOM}.",
            )

    def pairs(self, question: str, passage: str) -> Iterator[Pair]:
        """Every piece of the passage with the question, in order; at least one.

        Of a question that would take more than half the room, the end is cut.
        """
        first = self._tokenizer.encode(question, add_special_tokens=False)
        first.truncate(self._room // 2)
        second = self._tokenizer.encode(passage, add_special_tokens=False)
        room = self._room - len(first)
        second.truncate(room, stride=room // 4)
        for piece in (second, *second.overflowing):
            whole = self._tokenizer.post_process(first, piece)
            yield Pair(tuple(whole.ids), tuple(whole.type_ids))


def _open(path: Path, reference: str) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingDependencyError(
            "The reranker 'cross-encoder' needs the library tokenizers, which is not installed.",
            hint="Install it: pip install 'inglenook[rerankers]'",
        ) from error
    try:
        tokenizer = Tokenizer.from_file(str(path))
    # The library raises a bare Exception.
    except Exception as error:
        raise ModelBrokenError(
            f"{reference}: tokenizer.json cannot be read ({error}).", hint="Copy the folder anew."
        ) from error
    # The file may carry settings that cut and pad; nothing is cut silently here.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
