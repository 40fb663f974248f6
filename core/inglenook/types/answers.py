"""Passages, citations, answers, and the events of asking."""

from __future__ import annotations

from dataclasses import dataclass, field

from inglenook.types.cancelling import Notice
from inglenook.types.documents import Locator
from inglenook.types.filters import Finding
from inglenook.types.generation import (
    Failed,
    PromptProgress,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk.

    Args:
        chunk: The chunk's id.
        source: The source's name: its path as the profile names it.
        source_id: The source's opaque id.
        path: Where the source is on disk.
        text: The chunk's own text.
        locator: The place in the source.
        start, end: Offsets of `text` in the text of the place.
        headings: The headings above it.
        score: The fused score that it was ranked by, 0 to 1.
        lexical: The lexical score, 0 to 1 against the best; None if not found that way.
        vector: The cosine similarity; None if not compared.
        coverage: The share of the question's informative words that stand in it, 0 to 1.
    """

    chunk: str
    source: str
    source_id: str
    path: str
    text: str
    locator: Locator
    start: int
    end: int
    headings: tuple[str, ...] = ()
    score: float = 0.0
    lexical: float | None = None
    vector: float | None = None
    coverage: float = 0.0


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage tied to a sentence; `quote` is `start:end` of the place, letter for letter."""

    source: str
    locator: Locator
    start: int
    end: int
    chunk: str
    quote: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer: `answer[start:end] == text`.

    `supported` is True with citations, False without, and None for a sentence that needs no
    support (a greeting, a question back).
    """

    text: str
    start: int
    end: int
    supported: bool | None
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer with everything that was found out about it."""

    text: str
    abstained: bool
    stop_reason: StopReason
    sentences: tuple[Sentence, ...] = ()
    passages: tuple[Passage, ...] = ()
    findings: tuple[Finding, ...] = ()
    usage: Usage = field(default_factory=Usage)
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Asking, step 1: the passages that the answer will rest on; may be none."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """Asking, last step: the whole answer, with sentences tied to passages."""

    answer: Answer


AskEvent = (
    Retrieved
    | PromptProgress
    | TextDelta
    | ThinkingDelta
    | Finding
    | Notice
    | Usage
    | Answered
    | Failed
)
"""A stream ends in exactly one `Answered` or `Failed`. A `Finding` of a filter precedes the
text that it changed."""
