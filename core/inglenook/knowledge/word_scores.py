"""The lexical side of a question: which of its words drive the search, and what a chunk scores.

The index of SQLite proposes chunks; their order is computed here, from the same terms, because
the forms of one word must not count as so many words: a chunk gets the best of them only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inglenook.knowledge.catalog import Catalog
from inglenook.knowledge.lexical import Analyser, beginning

__all__ = ["Question", "TermStatistics", "coverage", "score_words", "weigh_terms"]

COMMON_SHARE = 0.2
"""A term in more than this share of the chunks does not drive a question."""
FEW_CHUNKS = 50
"""Below this many chunks, shares say little and every term drives."""
MOST_WORDS = 512
"""Of a pasted text the rarest so many words drive the search; the time grows with their number."""
SATURATION = 0.9
"""k1 of BM25, with `LENGTH_SHARE` as Anserini has them for passages."""
LENGTH_SHARE = 0.4
"""b of BM25."""
BEGINNING_WEIGHT = 0.5
"""What a word that only begins alike counts, against the word itself."""
_SAMPLED_CHUNKS = 500


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """What of a whole catalog the scores depend on.

    Args:
        chunks: How many there are.
        average_terms: The mean number of terms of a chunk.
    """

    chunks: int
    average_terms: float

    @classmethod
    def of(cls, catalog: Catalog) -> TermStatistics:
        """Counted, and the mean taken from an even sample."""
        sample = catalog.terms_of(catalog.sample_keys(_SAMPLED_CHUNKS))
        lengths = [terms.count(" ") + 1 for terms in sample.values()]
        return cls(catalog.count_chunks(), sum(lengths) / len(lengths) if lengths else 1.0)


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the lexical side sees it.

    Args:
        groups: Its informative words, each as the terms of which any may match.
        weights: How rare each of them is; for coverage.
        scoring: Of the words that are rare enough to drive the search, term -> the most that it
            may add to a score.
        driving: The terms that the index is searched for.
    """

    groups: tuple[tuple[str, ...], ...]
    weights: tuple[float, ...]
    scoring: tuple[Mapping[str, float], ...]
    driving: tuple[str, ...]


def weigh_terms(
    catalog: Catalog, statistics: TermStatistics, analyser: Analyser, question: str
) -> Question:
    """The question's words, weighted by how rare they are in the catalog."""
    groups = tuple(tuple(group) for group in analyser.query_groups(question))
    begun = [beginning(group[-1]) for group in groups]
    frequencies = catalog.document_frequencies(
        term for group in (*groups, begun) for term in group if term
    )
    chunks = statistics.chunks
    common = math.inf if chunks < FEW_CHUNKS else COMMON_SHARE * chunks
    # Where a longer form stands, the index holds the plainer ones too.
    in_chunks = [max(frequencies.get(term, 0) for term in group) for group in groups]
    rare = [index for index, n in enumerate(in_chunks) if n <= common] or list(range(len(groups)))
    if len(rare) > MOST_WORDS:
        # A word that stands nowhere is found by how it begins.
        found_in = {i: in_chunks[i] or frequencies.get(begun[i], 0) for i in rare}
        rare = sorted(sorted(filter(found_in.get, rare), key=found_in.__getitem__)[:MOST_WORDS])
    scoring = []
    driving: dict[str, None] = {}
    for index in rare:
        known = [term for term in groups[index] if term in frequencies]
        gains = {term: _rarity(frequencies[term], chunks) for term in known}
        driving |= dict.fromkeys(known)
        start = begun[index]
        if start in frequencies:
            gains[start] = BEGINNING_WEIGHT * _rarity(frequencies[start], chunks)
            if frequencies[start] <= common:
                driving[start] = None
        scoring.append(gains)
    weights = tuple(_rarity(n, chunks) for n in in_chunks)
    return Question(groups, weights, tuple(scoring), tuple(driving))


def score_words(
    asked: Question, statistics: TermStatistics, terms: Mapping[int, str]
) -> dict[int, float]:
    """BM25 of chunks, by key, from their terms as the index holds them; those above 0 only."""
    found = {}
    wanted = frozenset(term for gains in asked.scoring for term in gains)
    for key, content in terms.items():
        # Most terms of a chunk are none of the question's: they are never counted.
        counts = Counter(filter(wanted.__contains__, content.split(" ")))
        length = (content.count(" ") + 1) / statistics.average_terms
        softening = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * length)
        score = sum(_best_form(gains, counts, softening) for gains in asked.scoring)
        if score > 0:
            found[key] = score
    return found


def coverage(asked: Question, terms: Iterable[str]) -> float:
    """The weighted share of the question's informative words that stand in the chunk."""
    total = sum(asked.weights)
    if not total:
        return 0.0
    here = set(terms)
    pairs = zip(asked.groups, asked.weights, strict=True)
    return sum(weight for group, weight in pairs if not here.isdisjoint(group)) / total


def _best_form(gains: Mapping[str, float], counts: Mapping[str, int], softening: float) -> float:
    return max(
        (
            gain * count * (SATURATION + 1) / (count + softening)
            for term, gain in gains.items()
            if (count := counts.get(term, 0))
        ),
        default=0.0,
    )


def _rarity(n: int, chunks: int) -> float:
    """The inverse document frequency as Lucene has it: never negative."""
    return math.log(1 + (max(chunks, n) - n + 0.5) / (n + 0.5))
