"""Gives out the log-probabilities of tokens together with the text that they make.

Text is held back for whole characters and for stop strings, so a token's figures may have to wait
for it; those of a stop string are never given out.
"""

from __future__ import annotations

from collections import deque

from inglenook.types import TokenLogprob

__all__ = ["MOST_ALTERNATIVES", "HeldLogprobs"]

MOST_ALTERNATIVES = 100
"""Of each token; more are refused."""


class HeldLogprobs:
    """Feed it tokens in order, and tell it how many characters were shown."""

    def __init__(self) -> None:
        self._unfinished: list[TokenLogprob] = []
        self._held: deque[tuple[int, tuple[TokenLogprob, ...]]] = deque()
        self._end = 0
        self._shown = 0

    def feed(self, entry: TokenLogprob) -> None:
        """A token; its text is empty while it only begins a character."""
        self._unfinished.append(entry)
        if entry.token:
            self._held.append((self._end, tuple(self._unfinished)))
            self._end += len(entry.token)
            self._unfinished = []

    def shown(self, text: str) -> tuple[TokenLogprob, ...]:
        """The tokens that begin in `text`, which follows what was shown before."""
        self._shown += len(text)
        given: list[TokenLogprob] = []
        while self._held and self._held[0][0] < self._shown:
            given += self._held.popleft()[1]
        return tuple(given)
