"""The whole knowledge in the order of the documents, for a prompt that holds all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inglenook.knowledge.catalog import Catalog, ChunkRow
from inglenook.types import Passage

__all__ = ["characters_of", "in_order", "with_scores"]

_ORDER = "ORDER BY source_name, source_id, ordinal"


def in_order(
    catalog: Catalog, allowed: frozenset[int] | None, most_characters: int
) -> tuple[ChunkRow, ...]:
    """Every live chunk that is allowed, source by source; none if they are too long."""
    sizes = catalog.live("length(text)") if allowed is None else _sizes(catalog, allowed)
    total = 0
    for (size,) in sizes:
        total += size
        if total > most_characters:
            return ()
    keys = [row[0] for row in catalog.live("key", f"1 {_ORDER}")]
    if allowed is not None:
        keys = [key for key in keys if key in allowed]
    rows = catalog.chunks(keys)
    return tuple(rows[key] for key in keys if key in rows)


def characters_of(catalog: Catalog, allowed: frozenset[int] | None) -> int:
    """How long all live chunks that are allowed are together."""
    if allowed is None:
        return int(next(catalog.live("coalesce(sum(length(text)), 0)"))[0])
    return sum(size for (size,) in _sizes(catalog, allowed))


def _sizes(catalog: Catalog, allowed: frozenset[int]) -> Iterator[tuple[int]]:
    return ((size,) for key, size in catalog.live("key, length(text)") if key in allowed)


def with_scores(rows: Sequence[ChunkRow], found: Sequence[Passage]) -> tuple[Passage, ...]:
    """All chunks as passages, in their order; those that a search found carry its scores."""
    scored = {passage.chunk: passage for passage in found}
    return tuple(_with_scores_of(scored.get(row.id), row) for row in rows)


def _with_scores_of(found: Passage | None, row: ChunkRow) -> Passage:
    if found is None:
        return row.as_passage(inline=True)
    scores = found.score, found.lexical, found.vector, found.coverage
    return row.as_passage(*scores, inline=True)
