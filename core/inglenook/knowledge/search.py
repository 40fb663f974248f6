"""One search from the question to what is shown: narrow, retrieve, rerank, fold, join, explain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from inglenook.knowledge.explanation import Balance, explained
from inglenook.knowledge.inline import characters_of, in_order, with_scores
from inglenook.knowledge.lexical import Analyser
from inglenook.knowledge.narrowing import allowed_chunks
from inglenook.knowledge.near_duplicates import fold_near_duplicates
from inglenook.knowledge.neighbours import put_together
from inglenook.knowledge.no_embedder import NoEmbedder
from inglenook.types import CancelToken, Narrowing, Passage

if TYPE_CHECKING:
    from inglenook.knowledge.catalog import Catalog, ChunkRow
    from inglenook.protocols import Reranker

__all__ = ["Search", "Wanted", "estimated_tokens"]

MOST_TOKENS = 400
"""Neighbours are put together up to so many tokens: two usual chunks, not half a prompt."""
OVERFETCH = 3
LEAST_FETCHED = 60
"""So many times the limit, and at least so many, are retrieved: folding and joining leave fewer."""
RERANKED = 40
"""The best so many are ordered anew by a reranker."""
OWN_SHARE = 0.3
"""What a follow-up counts by itself, beside itself together with the turns before. Enough for "and
for software?" to leave the hardware of the turn before behind; more would let "and who approves
them?" forget what was to be approved."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for.

    Args:
        text: The question in its own words.
        limit: How many passages at most.
        mode: `lexical`, `vector` or `hybrid`.
        earlier: What was said before that it leans on; "" where it stands by itself.
        within: What may be found; all of them hold.
        explain: Whether each passage is to say why it ranks where it does.
    """

    text: str
    limit: int
    mode: str
    earlier: str = ""
    within: tuple[Narrowing, ...] = ()
    explain: bool = False

    @property
    def whole(self) -> str:
        """The question with what it leans on."""
        return f"{self.text}\n{self.earlier}" if self.earlier else self.text


class Retrieve(Protocol):
    """Gives single chunks, best first."""

    def __call__(
        self, question: str, limit: int, mode: str, *, allowed: frozenset[int] | None
    ) -> tuple[Passage, ...]: ...


class Search:
    """Finds passages in one catalog.

    Args:
        catalog: Open.
        retrieve: Gives single chunks of it, best first.
        balance: How much the vectors count in a hybrid search for a question among some keys.
        open_reranker: Gives the reranker, open; None where there is none.
        readable: The extensions that loaders read.
    """

    def __init__(
        self,
        catalog: Catalog,
        retrieve: Retrieve,
        balance: Callable[[str, frozenset[int] | None], Balance],
        open_reranker: Callable[[], Reranker | None],
        readable: Collection[str],
    ) -> None:
        self._catalog = catalog
        self._retrieve = retrieve
        self._balance_of = balance
        self._open_reranker = open_reranker
        self._readable = readable

    def passages(self, wanted: Wanted, cancel: CancelToken) -> tuple[Passage, ...]:
        """What is shown: narrowed, reranked, folded, put together; best first.

        Raises `UserError` where nothing fits what it is narrowed to.
        """
        allowed = self._allowed(wanted.within)
        reranker = self._open_reranker()
        limit = max(OVERFETCH * wanted.limit, LEAST_FETCHED)
        found = self._found(wanted, limit, allowed)
        if reranker is not None and found:
            best = _reranked(wanted.whole, found[:RERANKED], reranker, cancel)
            found = (*best, *found[RERANKED:])
        passages = self._shown(found, wanted.limit)
        return (
            explained(passages, wanted.whole, self._balance(wanted, passages, allowed))
            if wanted.explain
            else passages
        )

    def everything(self, wanted: Wanted, most_characters: int) -> tuple[Passage, ...]:
        """All that may be found, in the order of the documents, with the scores of a search.

        Empty if it has more than `most_characters`; then nothing else was looked at.
        """
        allowed = self._allowed(wanted.within)
        rows = in_order(self._catalog, allowed, most_characters)
        return with_scores(rows, self._found(wanted, len(rows), allowed)) if rows else ()

    def count_characters(self, within: Sequence[Narrowing] = ()) -> int:
        """Of all chunks that may be found."""
        return characters_of(self._catalog, self._allowed(within))

    def knows_a_word_of(self, question: str) -> bool:
        """Whether any informative word of it stands anywhere in the documents."""
        terms = [term for group in Analyser().query_groups(question) for term in group]
        return bool(self._catalog.document_frequencies(terms))

    # --- steps ------------------------------------------------------------------------------

    def _allowed(self, within: Sequence[Narrowing]) -> frozenset[int] | None:
        return allowed_chunks(self._catalog, within, self._readable) if any(within) else None

    def _found(
        self, wanted: Wanted, limit: int, allowed: frozenset[int] | None
    ) -> tuple[Passage, ...]:
        """Single chunks by the question and, for a follow-up, by what it leans on as well."""
        found = self._retrieve(wanted.whole, limit, wanted.mode, allowed=allowed)
        if not wanted.earlier or not Analyser().query_groups(wanted.text):
            return found
        own = self._retrieve(wanted.text, limit, wanted.mode, allowed=allowed)
        return _blended(own, found)

    def _shown(self, candidates: Sequence[Passage], limit: int) -> tuple[Passage, ...]:
        """The best `limit` passages: near-duplicates folded, neighbours put together.

        What is left of the candidates counts only as far as it is needed to fill the limit, so
        that a weak neighbour does not pad a good passage.
        """
        folded = fold_near_duplicates(candidates)
        taken = limit
        while True:
            rows = _rows_in(self._catalog, folded[:taken])
            passages = put_together(folded[:taken], rows, estimated_tokens, MOST_TOKENS)
            missing = limit - len(passages)
            if missing <= 0 or taken >= len(folded):
                return passages[:limit]
            taken += missing

    def _balance(
        self, wanted: Wanted, found: Sequence[Passage], allowed: frozenset[int] | None
    ) -> Balance:
        if wanted.mode != "hybrid":
            return Balance(1.0 if wanted.mode == "vector" else 0.0)
        if all(passage.lexical is None for passage in found):
            return Balance(1.0)
        return self._balance_of(wanted.whole, allowed)


def _blended(own: Sequence[Passage], whole: Sequence[Passage]) -> tuple[Passage, ...]:
    """Scores of both searches together; all else of a passage is that of the whole question.

    Args:
        own: Found by the follow-up alone.
        whole: Found by it and the turns before.
    """
    if not own:
        return tuple(whole)
    scores = {passage.chunk: OWN_SHARE * passage.score for passage in own}
    passages = {passage.chunk: passage for passage in (*own, *whole)}
    for passage in whole:
        scores[passage.chunk] = scores.get(passage.chunk, 0.0) + (1 - OWN_SHARE) * passage.score
    made = [replace(passage, score=scores[chunk]) for chunk, passage in passages.items()]
    return tuple(sorted(made, key=lambda passage: (-passage.score, passage.chunk)))


def _reranked(
    question: str, passages: Sequence[Passage], reranker: Reranker, cancel: CancelToken
) -> tuple[Passage, ...]:
    """In the reranker's order.

    Its scores can be compared with nothing else, so the fused scores are dealt out anew: the
    first gets the highest. What depends on how far a passage is behind the best goes on to work.
    """
    texts = ["\n".join((*passage.headings, passage.text)) for passage in passages]
    marks = reranker.rerank(question, texts, cancel)
    pairs = sorted(zip(marks, passages, strict=True), key=lambda pair: (-pair[0], -pair[1].score))
    scores = sorted((passage.score for passage in passages), reverse=True)
    return tuple(
        replace(passage, score=score, rerank=mark)
        for score, (mark, passage) in zip(scores, pairs, strict=True)
    )


def _rows_in(catalog: Catalog, passages: Sequence[Passage]) -> dict[str, ChunkRow]:
    """Chunk id -> its row, for those that are live."""
    keys = catalog.keys_of([passage.chunk for passage in passages])
    return {row.id: row for row in catalog.chunks(list(keys.values())).values()}


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, without any model."""
    return NoEmbedder().count_tokens([text])[0]
