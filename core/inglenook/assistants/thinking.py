"""Parts what a model thinks from what it answers.

Models that think begin with `<think>`, or are begun with it by their template, and end it with
`</think>`. Anywhere else these are words like others.
"""

from __future__ import annotations

from collections.abc import Iterator

from inglenook.types import TextDelta, ThinkingDelta

__all__ = ["BEGIN", "END", "ThinkingReader"]

BEGIN, END = "<think>", "</think>"


class ThinkingReader:
    """Feed it the deltas of an answer in order; it gives them out as thinking and text.

    Args:
        begun: Whether the prompt ends in `<think>`.
    """

    def __init__(self, *, begun: bool = False) -> None:
        self._reads = self._first_thought if begun else self._first
        self._held = ""
        self._space = ""

    def feed(self, delta: TextDelta) -> Iterator[TextDelta | ThinkingDelta]:
        """What is certain by now; a delta of text in which nothing is parted comes as it is."""
        yield from self._reads(delta)

    def finish(self) -> Iterator[TextDelta | ThinkingDelta]:
        """What was held back. The end of a thought that never ended is thought too."""
        held, self._held = self._held, ""
        if held and self._reads == self._first:
            yield TextDelta(held)
        elif held.strip():
            yield ThinkingDelta(held)

    def _first(self, delta: TextDelta) -> Iterator[TextDelta | ThinkingDelta]:
        """Before it is known whether it thinks."""
        whole = self._held + delta.text
        begin = whole.lstrip()
        if begin.startswith(BEGIN):
            self._held, self._reads = "", self._first_thought
            yield from self._first_thought(TextDelta(begin[len(BEGIN) :]))
        elif BEGIN.startswith(begin):
            self._held = whole
        else:
            text = delta if not self._held else TextDelta(whole)
            self._held, self._reads = "", self._text
            yield text

    def _first_thought(self, delta: TextDelta) -> Iterator[TextDelta | ThinkingDelta]:
        """Blanks before a thought are no thought: some models think nothing in this way."""
        self._space += delta.text
        begun, self._space = self._space.lstrip(), ""
        if begun:
            self._reads = self._thought
            yield from self._thought(TextDelta(begun))

    def _thought(self, delta: TextDelta) -> Iterator[TextDelta | ThinkingDelta]:
        thought, end, text = (self._held + delta.text).partition(END)
        if end:
            self._held, self._reads = "", self._after
            if thought := thought.rstrip():
                yield ThinkingDelta(thought)
            yield from self._after(TextDelta(text))
            return
        # Blanks too: before the end of a thought they are not shown.
        sure = len(thought) - _overlap(thought)
        sure = len(thought[:sure].rstrip())
        self._held = thought[sure:]
        if thought[:sure]:
            yield ThinkingDelta(thought[:sure])

    def _after(self, delta: TextDelta) -> Iterator[TextDelta | ThinkingDelta]:
        """The blank lines between thinking and the answer."""
        if text := delta.text.lstrip():
            self._reads = self._text
            yield delta if text == delta.text else TextDelta(text)

    def _text(self, delta: TextDelta) -> Iterator[TextDelta | ThinkingDelta]:
        yield delta


def _overlap(text: str) -> int:
    """How many characters at the end could be the beginning of the end."""
    lengths = range(min(len(END) - 1, len(text)), 0, -1)
    return next((length for length in lengths if text.endswith(END[:length])), 0)
