"""Judges whether a number or name of a sentence belongs with the words that it stands among.

What is exchanged for another number or name of the same passage still stands in that passage. But
the words around it stand together in one sentence there, and it stands in another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from inglenook.assistants.quantities import Quantities, carries, is_numeric, read_quantities
from inglenook.assistants.word_matching import Token, akin

__all__ = ["Bound", "is_torn"]

REACH = 5
"""How many informative words to each side belong to a number or name."""
NEAREST = 2
"""So many of them at each side tell by themselves what it belongs with."""
LEAST_WORDS = 3
"""Fewer than this many say too little of where it belongs."""
TOGETHER = 0.75
"""The share of the words that must stand together without it."""
APART = 0.3
"""By how much their share must be larger there than in any sentence that has it."""


class Bound:
    """A sentence of the documents, for being asked what stands in it.

    Args:
        tokens: Its words.
        quantities: Its numbers and dates.
        capitals: Whether a capital letter marks a name in these documents.
    """

    def __init__(
        self, tokens: Sequence[Token], quantities: Quantities, *, capitals: bool
    ) -> None:
        self._tokens = tokens
        self._quantities = quantities
        self._keys = frozenset(key for token in tokens for key in token.keys)
        self._capitals = capitals

    def has(self, group: _Group) -> bool:
        """Whether the number or name stands here."""
        # As it is written, or as much in another notation.
        same = bool(group.keys & self._keys)
        return same or (bool(group.quantities) and carries(self._quantities, group.quantities))

    def share(self, words: Sequence[Token]) -> float:
        """The share of the words that stand here, in any form; 1 for none."""
        return sum(self._knows(word) for word in words) / len(words) if words else 1.0

    def _knows(self, word: Token) -> bool:
        same = bool(word.keys & self._keys)
        return same or any(akin(word.word, token.word) for token in self._tokens)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Of what kinds something stands here."""
        return frozenset(kind for t in self._tokens if (kind := _kind(t, capitals=self._capitals)))


@dataclass(frozen=True, slots=True)
class _Group:
    """Words that together are one number, date or name, with the informative words beside them."""

    kind: str
    keys: frozenset[str]
    quantities: Quantities
    before: tuple[Token, ...]
    after: tuple[Token, ...]

    @property
    def beside(self) -> tuple[Token, ...]:
        return (*self.before, *self.after)


def is_torn(claim: Sequence[Token], sentences: Sequence[Bound], *, capitals: bool) -> bool:
    """Whether a number, date or name of a claim stands among words that belong with another one.

    Args:
        claim: The claim's words.
        sentences: Those of all passages, each by itself.
        capitals: Whether a capital letter marks a name in these documents.
    """
    return any(
        len(group.beside) >= LEAST_WORDS and _belongs_elsewhere(group, sentences)
        for group in _groups(claim, capitals=capitals)
    )


def _belongs_elsewhere(group: _Group, sentences: Sequence[Bound]) -> bool:
    here = elsewhere = 0.0
    nearest = (*group.before[-NEAREST:], *group.after[:NEAREST])
    # Two sentences may have been put together: either side must be at home elsewhere.
    sides = [side for side in (group.before, group.after) if len(side) > 1]
    for sentence in sentences:
        if sentence.has(group):
            if sentence.share(nearest) == 1:
                return False
            here = max(here, sentence.share(group.beside))
        elif group.kind in sentence.kinds:
            elsewhere = max(elsewhere, min((sentence.share(s) for s in sides), default=0.0))
    return elsewhere >= TOGETHER and elsewhere - here >= APART


def _groups(tokens: Sequence[Token], *, capitals: bool) -> Iterator[_Group]:
    first = 0
    while first < len(tokens):
        last = first
        kind = _kind(tokens[first], capitals=capitals)
        if kind:
            while last + 1 < len(tokens) and _kind(tokens[last + 1], capitals=capitals) == kind:
                last += 1
            start = first
            if kind == "name" and first and _opens_a_name(tokens[first - 1]):
                start -= 1
            before = [token for token in tokens[:start] if token.content]
            after = [token for token in tokens[last + 1 :] if token.content]
            if group := _group(kind, tokens[start : last + 1], before[-REACH:], after[:REACH]):
                yield group
        first = last + 1


def _group(
    kind: str, words: Sequence[Token], before: Sequence[Token], after: Sequence[Token]
) -> _Group | None:
    quantities = Quantities()
    if kind == "number":
        quantities = read_quantities(" ".join(token.word for token in words))
        if not quantities:
            return None  # "One" and "second" are hardly ever numbers.
    keys = frozenset(key for token in words for key in token.keys)
    return _Group(kind, keys, quantities, tuple(before), tuple(after))


def _kind(token: Token, *, capitals: bool) -> str:
    if is_numeric(token.word):
        return "number"
    named = capitals and token.capital and token.content and not token.opens
    return "name" if named else ""


def _opens_a_name(token: Token) -> bool:
    """Whether a sentence begins with this word of a name."""
    return token.opens and token.capital and token.content
