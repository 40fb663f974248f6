"""Passages, citations, answers, and the events of asking."""

from __future__ import annotations

from dataclasses import dataclass, field

from inglenook.types.cancelling import Notice
from inglenook.types.documents import Locator
from inglenook.types.filters import Finding
from inglenook.types.generation import (
    Failed,
    PromptProgress,
    Queued,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
)


@dataclass(frozen=True, slots=True)
class PassagePart:
    """One of several neighbouring chunks that were put together: `start:end` of the place."""

    chunk: str
    locator: Locator
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class WordMatch:
    """A word of the question, and the words of the passage that are forms of it."""

    word: str
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a passage was found and ranked where it is.

    Args:
        matches: The informative words of the question that stand in the passage.
        missing: Those that do not.
        highlights: (start, end) of the matching words in the passage's text.
        lexical_weight, vector_weight: The shares of both sides in the fused score.
        why: All of it in one line of plain words.
    """

    matches: tuple[WordMatch, ...]
    missing: tuple[str, ...]
    highlights: tuple[tuple[int, int], ...]
    lexical_weight: float
    vector_weight: float
    why: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk, or several neighbouring ones put together.

    Args:
        chunk: The chunk's id; of several, that of the best one.
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
        background: The mean cosine of the question with all chunks, against which `vector` tells
            how near the passage is; None where there are few chunks or the embedder hardly knows
            the question's language.
        coverage: The share of the question's informative words that stand in it, 0 to 1.
        rerank: The reranker's score, comparable within one search only; None without one.
        also: The names of other sources that hold nearly the same passage.
        parts: The chunks that it was put together from, in order; empty for a single chunk.
        inline: It is here because the whole knowledge is, in its own order, not for its score.
        explanation: Why it ranks where it does, where that was asked for.
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
    background: float | None = None
    coverage: float = 0.0
    rerank: float | None = None
    also: tuple[str, ...] = ()
    parts: tuple[PassagePart, ...] = ()
    inline: bool = False
    explanation: Explanation | None = None

    @property
    def chunks(self) -> tuple[str, ...]:
        """The ids of all chunks in it."""
        return tuple(part.chunk for part in self.parts) or (self.chunk,)


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
    """A finished answer with everything that was found out about it.

    `abstained` says that it gives no answer; `extracted`, that it is a quote from the documents
    that code chose, and no model's words. `remote` is the host that the model's prompts go to; ""
    if they stay on this machine.
    """

    text: str
    abstained: bool
    stop_reason: StopReason
    sentences: tuple[Sentence, ...] = ()
    passages: tuple[Passage, ...] = ()
    findings: tuple[Finding, ...] = ()
    usage: Usage = field(default_factory=Usage)
    notices: tuple[Notice, ...] = ()
    extracted: bool = False
    remote: str = ""


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
    | Queued
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
