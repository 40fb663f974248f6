"""Puts neighbouring chunks of one section together, so that a passage reads on.

The text is the source's own, letter for letter: what overlaps stands there once, and the white
space between two chunks is what the catalog kept of it. Chunks of two sections, pages or sheets
are never put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inglenook.types import Answer, Citation, Passage, PassagePart, Sentence

if TYPE_CHECKING:
    from inglenook.knowledge.catalog import ChunkRow

__all__ = ["pointing_at_chunks", "put_together"]


@dataclass(slots=True)
class _Run:
    """Neighbouring chunks; `rank` is that of the best."""

    rank: int
    members: list[tuple[ChunkRow, Passage]]
    text: str

    @property
    def first(self) -> ChunkRow:
        return self.members[0][0]

    @property
    def last(self) -> ChunkRow:
        return self.members[-1][0]


def put_together(
    passages: Sequence[Passage],
    rows: Mapping[str, ChunkRow],
    tokens: Callable[[str], int],
    budget: int,
) -> tuple[Passage, ...]:
    """The passages with neighbours put together, best first.

    Args:
        passages: Single chunks, best first.
        rows: Chunk id -> its row; a passage without one stays alone.
        tokens: How many tokens a text has.
        budget: The most tokens of a passage that is put together.
    """
    runs: list[_Run] = []
    alone: list[tuple[int, Passage]] = []
    for rank, passage in enumerate(passages):
        row = rows.get(passage.chunk)
        if row is None:
            alone.append((rank, passage))
            continue
        new = _Run(rank, [(row, passage)], row.text)
        # It may be the missing link between two that were found before it.
        for known in sorted(runs, key=lambda run: run.rank):
            joined = _joined(known, new) or _joined(new, known)
            if joined is not None and tokens(joined.text) <= budget:
                runs.remove(known)
                new = joined
        runs.append(new)
    made = alone + [(run.rank, _passage(run)) for run in runs]
    return tuple(passage for _, passage in sorted(made, key=lambda pair: pair[0]))


def _joined(one: _Run, other: _Run) -> _Run | None:
    """Both in one, if the first chunk of `other` follows the last of `one`."""
    before, after = one.last, other.first
    if after.ordinal != before.ordinal + 1 or not _same_section(before, after):
        return None
    overlap = before.end - after.start
    # Offsets alone prove nothing: a filter may have changed the length of a section's text.
    if overlap >= 0 and one.text.endswith(other.text[:overlap]):
        text = other.text[overlap:]
    elif len(after.gap) == -overlap:
        text = after.gap + other.text
    else:
        return None
    return _Run(min(one.rank, other.rank), one.members + other.members, one.text + text)


def _same_section(one: ChunkRow, other: ChunkRow) -> bool:
    here, there = one.locator, other.locator
    return (
        one.source_id == other.source_id
        and one.headings == other.headings
        and (here.kind, here.member) == (there.kind, there.member)
        # The chunks of a text file say the line in which they begin.
        and (here.kind == "line" or here.value == there.value)
        and one.start <= other.start
        and one.end <= other.end
    )


def _passage(run: _Run) -> Passage:
    passages = [passage for _, passage in run.members]
    best = max(passages, key=lambda passage: passage.score)
    if len(passages) == 1:
        return best
    also = dict.fromkeys(name for passage in passages for name in passage.also)
    return replace(
        best,
        text=run.text,
        locator=run.first.locator,
        start=run.first.start,
        end=run.last.end,
        lexical=_largest(passage.lexical for passage in passages),
        vector=_largest(passage.vector for passage in passages),
        coverage=max(passage.coverage for passage in passages),
        also=tuple(also),
        parts=tuple(PassagePart(r.id, r.locator, r.start, r.end) for r, _ in run.members),
    )


def _largest(scores: Iterable[float | None]) -> float | None:
    return max((score for score in scores if score is not None), default=None)


# --- citations ------------------------------------------------------------------------------------


def pointing_at_chunks(answer: Answer) -> Answer:
    """The answer, its citations tied to the chunk that holds them instead of a whole passage."""
    parts = {chunk: p.parts for p in answer.passages for chunk in p.chunks if p.parts}
    if not parts:
        return answer
    return replace(answer, sentences=tuple(_pointing(s, parts) for s in answer.sentences))


def _pointing(sentence: Sentence, parts: Mapping[str, tuple[PassagePart, ...]]) -> Sentence:
    citations = tuple(_at_its_part(c, parts.get(c.chunk, ())) for c in sentence.citations)
    return replace(sentence, citations=citations)


def _at_its_part(citation: Citation, parts: Sequence[PassagePart]) -> Citation:
    """A quote that goes on into the next chunk is tied to the chunk in which it begins."""
    holding = [part for part in parts if part.start <= citation.start < part.end]
    if not holding:
        return citation
    whole = next((part for part in holding if citation.end <= part.end), holding[-1])
    return replace(citation, chunk=whole.chunk, locator=whole.locator)
