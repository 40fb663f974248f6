"""Measures of a ranking: nDCG, recall and reciprocal rank, as trec_eval computes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

__all__ = ["first_right", "ndcg", "recall", "reciprocal_rank"]


def ndcg(ranking: Sequence[str], relevant: Mapping[str, int], k: int) -> float:
    """The discounted gain of the first `k`, as a share of the best that there could be.

    Gain is the grade itself and rank r is discounted by log2(r + 1): Järvelin and Kekäläinen,
    "Cumulated gain-based evaluation of IR techniques", TOIS 20(4), 2002, in the variant of
    trec_eval's `ndcg_cut`, which BEIR reports.

    Args:
        ranking: Documents, best first, each once.
        relevant: Document -> grade, 1 or more.
        k: How many of the ranking count.
    """
    gained = _discounted([relevant.get(document, 0) for document in ranking[:k]])
    best = _discounted(sorted(relevant.values(), reverse=True)[:k])
    return gained / best if best else 0.0


def _discounted(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def recall(ranking: Sequence[str], relevant: Mapping[str, int], k: int) -> float:
    """The share of the relevant documents that are among the first `k` (trec_eval `recall`)."""
    found = sum(document in relevant for document in ranking[:k])
    return found / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], relevant: Mapping[str, int], k: int) -> float:
    """1 / the rank of the first relevant document; 0 if it is not among the first `k`.

    Voorhees, "The TREC-8 Question Answering Track Report", 1999; trec_eval `recip_rank` where `k`
    is all of the ranking.
    """
    rank = first_right(ranking[:k], relevant)
    return 1 / rank if rank else 0.0


def first_right(ranking: Sequence[str], relevant: Mapping[str, int]) -> int | None:
    """The rank, from 1, of the first relevant document; None if there is none."""
    return next((r for r, document in enumerate(ranking, 1) if document in relevant), None)
