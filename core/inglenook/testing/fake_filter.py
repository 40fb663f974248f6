"""A filter that finds one given word; it can also be slow, fail, or need the whole text."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from inglenook.types import Action, FilterContext, Span, Verdict

__all__ = ["FakeFilter"]


@dataclass
class FakeFilter:
    """Finds `word` wherever it stands, deterministically.

    Args:
        word: What to find.
        action: What a finding asks for.
        label: The label of its spans.
        replacement: What is to stand in the word's place.
        whole_words: Whether letters before or after the word make it another word.
        whole_text: Whether it needs the whole text, so that nothing can be shown before the end.
        places: Whether the verdict says where the word stands.
        error: Raised by `check` instead of a verdict.
        delay_s: How long `check` waits first.
        sleep: How it waits.
        checked: The texts that it was asked about, for assertions.
    """

    word: str = "secret"
    action: Action = Action.REDACT
    label: str = "word"
    replacement: str = "[…]"
    whole_words: bool = False
    whole_text: bool = False
    places: bool = True
    error: Exception | None = None
    delay_s: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    checked: list[str] = field(default_factory=list)

    @property
    def max_match(self) -> int | None:
        """The length of the word, with the letter on either side that may matter."""
        return None if self.whole_text else len(self.word) + 2 * self.whole_words

    def check(self, text: str, context: FilterContext) -> Verdict:
        """A span for each occurrence."""
        self.checked.append(text)
        if self.delay_s:
            self.sleep(self.delay_s)
        if self.error is not None:
            raise self.error
        edge = r"\b" if self.whole_words else ""
        found = re.finditer(f"{edge}{re.escape(self.word)}{edge}", text)
        spans = tuple(
            Span(match.start(), match.end(), self.label, 1.0, "word", self.replacement)
            for match in found
        )
        if not spans:
            return Verdict()
        return Verdict(self.action, spans if self.places else (), f"found {self.word!r}")

    def unstable_from(self, text: str) -> int:
        """Where the end of the text begins that is, or may become, the word."""
        if self.whole_text:
            return 0
        longest = len(self.word) if self.whole_words else len(self.word) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if self.word.startswith(text[-length:]):
                return len(text) - length
        return len(text)
