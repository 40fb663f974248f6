"""Finds the passages for a question: lexical and vector search, fused into one order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from inglenook.knowledge.catalog import Catalog
from inglenook.knowledge.fusion import FEW_CHUNKS, Scatter, fuse, vector_weight
from inglenook.knowledge.lexical import Analyser
from inglenook.knowledge.word_scores import (
    Question,
    TermStatistics,
    coverage,
    score_words,
    weigh_terms,
)
from inglenook.types import Passage

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

__all__ = ["Retriever", "VectorSearch", "VectorTrust"]

CANDIDATES = 60
"""How many chunks each side proposes, at least."""
PROPOSED_BY_WORDS = 2
"""So many times more are proposed by the index, which counts the forms of a word one by one."""
VECTOR_WEIGHT = 0.5
"""The vector side's share of the fused score where its best chunk stands out clearly."""

KNOWN_LANGUAGE = 0.5
"""From this trust on, the cosines of a question say how near its passages are."""


class VectorSearch(Protocol):
    """The vector side: an exact scan or a vector store behind the catalog."""

    def search(
        self,
        vector: NDArray[numpy.float32],
        limit: int,
        allowed: frozenset[int] | None = None,
    ) -> list[tuple[int, float]]: ...

    def cosines(self, vector: NDArray[numpy.float32], keys: list[int]) -> dict[int, float]: ...

    def scatter(self, vector: NDArray[numpy.float32]) -> Scatter: ...


@dataclass(frozen=True, slots=True)
class VectorTrust:
    """The question's vector and how far it can be relied on, from 0 to 1."""

    vector: NDArray[numpy.float32]
    trust: float = 1.0


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Chunks by key: their terms, and what each side says of them."""

    terms: Mapping[int, str]
    lexical: Mapping[int, float]
    cosines: Mapping[int, float]
    fused: Mapping[int, float]
    background: float | None = None


class Retriever:
    """Searches one catalog. Keeps nothing between questions but what the parts keep."""

    def __init__(self, catalog: Catalog, vectors: VectorSearch) -> None:
        self._catalog = catalog
        self._vectors = vectors
        self._analyser = Analyser()
        self._statistics = TermStatistics(0, 1.0)
        self._revision = -1

    def retrieve(
        self,
        question: str,
        limit: int,
        mode: str,
        trusted: VectorTrust | None,
        *,
        allowed: frozenset[int] | None = None,
    ) -> tuple[Passage, ...]:
        """The best `limit` passages, best first.

        Args:
            question: In the user's words.
            limit: How many at most.
            mode: `lexical`, `vector` or `hybrid`.
            trusted: The question's vector; None for `lexical`.
            allowed: The keys of the chunks that may be found; None is all.
        """
        asked = weigh_terms(self._catalog, self._known_statistics(), self._analyser, question)
        found = self._candidates(asked, max(CANDIDATES, limit), mode, trusted, allowed)
        fused, cosines = found.fused, found.cosines
        best = sorted(fused, key=lambda key: (-fused[key], -cosines.get(key, -1.0), key))[:limit]
        rows = self._catalog.chunks(best)
        top = max(found.lexical.values(), default=0.0)
        return tuple(
            rows[key].as_passage(
                fused[key],
                found.lexical[key] / top if key in found.lexical else None,
                cosines.get(key),
                coverage(asked, found.terms.get(key, "").split(" ")),
                background=found.background,
            )
            for key in best
            if key in rows
        )

    def _candidates(
        self,
        asked: Question,
        count: int,
        mode: str,
        trusted: VectorTrust | None,
        allowed: frozenset[int] | None,
    ) -> _Candidates:
        """What either side proposes, looked at by both."""
        proposed: dict[int, float] = {}
        if mode != "vector":
            proposed = dict(
                self._catalog.search_terms(asked.driving, PROPOSED_BY_WORDS * count, allowed)
            )
        cosines: dict[int, float] = {}
        if trusted is not None and mode != "lexical":
            cosines = dict(self._vectors.search(trusted.vector, count, allowed))
        terms = self._catalog.terms_of(
            [*proposed, *(key for key in cosines if key not in proposed)]
        )
        lexical = score_words(asked, self._statistics, terms) if mode != "vector" else {}
        if trusted is None or mode == "lexical":
            return _Candidates(terms, lexical, {}, fuse(lexical, {}, Scatter(0.0, 0.0, 0), 0.0))
        rest = [key for key in lexical if key not in cosines]
        cosines.update(self._vectors.cosines(trusted.vector, rest))
        scatter = self._vectors.scatter(trusted.vector)
        top = max(cosines.values(), default=0.0)
        weight = 1.0 if mode == "vector" else vector_weight(scatter, top, trusted.trust)
        fused = fuse(lexical, cosines, scatter, weight)
        known = scatter.chunks >= FEW_CHUNKS and trusted.trust >= KNOWN_LANGUAGE
        return _Candidates(terms, lexical, cosines, fused, scatter.mean if known else None)

    def _known_statistics(self) -> TermStatistics:
        revision = self._catalog.revision
        if revision != self._revision:
            self._statistics = TermStatistics.of(self._catalog)
            self._revision = revision
        return self._statistics
