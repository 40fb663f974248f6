"""Finds the passages for a question: lexical and vector search, fused into one order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from inglenook.knowledge.catalog import Catalog, ChunkRow
from inglenook.knowledge.lexical import Analyser
from inglenook.types import Passage

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

__all__ = ["Question", "Retriever", "VectorSearch", "VectorTrust", "weigh_terms"]

CANDIDATES = 60
"""How many chunks each side proposes, at least."""
VECTOR_WEIGHT = 0.5
"""The vector side's share of the fused score, where it can be trusted."""
COMMON_SHARE = 0.2
"""A term in more than this share of the chunks does not drive a question."""
FEW_CHUNKS = 50
"""Below this many chunks, shares say little and every term drives."""


class VectorSearch(Protocol):
    """The vector side: an exact scan or a vector store behind the catalog."""

    def search(self, vector: NDArray[numpy.float32], limit: int) -> list[tuple[int, float]]: ...

    def cosines(self, vector: NDArray[numpy.float32], keys: list[int]) -> dict[int, float]: ...


@dataclass(frozen=True, slots=True)
class VectorTrust:
    """The question's vector and how far it can be relied on, from 0 to 1."""

    vector: NDArray[numpy.float32]
    trust: float = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the lexical side sees it: groups of terms, each with its weight."""

    groups: tuple[tuple[str, ...], ...]
    weights: tuple[float, ...]
    driving: tuple[str, ...]


class Retriever:
    """Searches one catalog. Keeps nothing between questions but what the parts keep."""

    def __init__(self, catalog: Catalog, vectors: VectorSearch) -> None:
        self._catalog = catalog
        self._vectors = vectors
        self._analyser = Analyser()

    def retrieve(
        self, question: str, limit: int, mode: str, trusted: VectorTrust | None
    ) -> tuple[Passage, ...]:
        """The best `limit` passages, best first.

        Args:
            question: In the user's words.
            limit: How many at most.
            mode: `lexical`, `vector` or `hybrid`.
            trusted: The question's vector; None for `lexical`.
        """
        asked = weigh_terms(self._catalog, self._analyser, question)
        candidates = max(CANDIDATES, limit)
        lexical: dict[int, float] = {}
        if mode != "vector":
            lexical = dict(self._catalog.search_terms(asked.driving, candidates))
        cosines: dict[int, float] = {}
        if trusted is not None and mode != "lexical":
            cosines = dict(self._vectors.search(trusted.vector, candidates))
            rest = [key for key in lexical if key not in cosines]
            cosines.update(self._vectors.cosines(trusted.vector, rest))
        weight = {"vector": 1.0, "lexical": 0.0}.get(mode, VECTOR_WEIGHT)
        if trusted is not None and mode == "hybrid":
            weight *= trusted.trust
        fused = fuse(lexical, cosines, weight)
        best = sorted(fused, key=lambda key: (-fused[key], -cosines.get(key, -1.0), key))[:limit]
        rows = self._catalog.chunks(best)
        top = max(lexical.values(), default=0.0)
        return tuple(
            _passage(
                rows[key],
                fused[key],
                lexical[key] / top if key in lexical and top > 0 else None,
                cosines.get(key),
                self._coverage(asked, rows[key]),
            )
            for key in best
            if key in rows
        )

    def _coverage(self, asked: Question, row: ChunkRow) -> float:
        """The weighted share of the question's informative words that stand in the chunk."""
        total = sum(asked.weights)
        if not total:
            return 0.0
        here = set(self._analyser.terms("\n".join((row.source, *row.headings, row.text))))
        pairs = zip(asked.groups, asked.weights, strict=True)
        return sum(weight for group, weight in pairs if here.intersection(group)) / total


def weigh_terms(catalog: Catalog, analyser: Analyser, question: str) -> Question:
    """The question's words, weighted by how rare they are in the catalog."""
    groups = tuple(tuple(group) for group in analyser.query_groups(question))
    chunks = catalog.count_chunks()
    frequencies = catalog.document_frequencies(term for group in groups for term in group)
    in_chunks = [min(sum(frequencies.get(t, 0) for t in group), chunks) for group in groups]
    weights = tuple(math.log(1 + (chunks - n + 0.5) / (n + 0.5)) for n in in_chunks)
    rare = [
        group
        for group, n in zip(groups, in_chunks, strict=True)
        if chunks < FEW_CHUNKS or n <= COMMON_SHARE * chunks
    ]
    driving = tuple(dict.fromkeys(term for group in (rare or groups) for term in group))
    return Question(groups, weights, driving)


def fuse(
    lexical: Mapping[int, float], cosines: Mapping[int, float], weight: float
) -> dict[int, float]:
    """Key -> weight · cosine + (1 - weight) · lexical, each against the best of its side."""
    top_lexical = max(lexical.values(), default=0.0)
    top_cosine = max(cosines.values(), default=0.0)
    keys: Sequence[int] = [*lexical, *(key for key in cosines if key not in lexical)]

    def share(scores: Mapping[int, float], key: int, top: float) -> float:
        return max(scores.get(key, 0.0), 0.0) / top if top > 0 else 0.0

    return {
        key: weight * share(cosines, key, top_cosine)
        + (1 - weight) * share(lexical, key, top_lexical)
        for key in keys
    }


def _passage(
    row: ChunkRow, score: float, lexical: float | None, vector: float | None, coverage: float
) -> Passage:
    return Passage(
        chunk=row.id,
        source=row.source,
        source_id=row.source_id,
        path=row.path,
        text=row.text,
        locator=row.locator,
        start=row.start,
        end=row.end,
        headings=row.headings,
        score=score,
        lexical=lexical,
        vector=vector,
        coverage=coverage,
    )
