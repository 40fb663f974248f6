"""The measures of an evaluation: what each is called, which way is better, and its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from inglenook.evaluation.intervals import Estimate, estimate
from inglenook.evaluation.ranking import ndcg, recall, reciprocal_rank

__all__ = ["DEFAULT_DEPTHS", "HEADLINES", "MeasureKind", "kind_of", "ranking_scores", "summarised"]

DEFAULT_DEPTHS = (1, 5, 10, 100)
"""The k of recall@k."""
HEADLINES = ("ndcg@10", "answer_f1", "citation_precision", "refusals", "wrong_refusals")
"""The measures whose better and worse questions a comparison lists."""


@dataclass(frozen=True, slots=True)
class MeasureKind:
    """What a measure is.

    Args:
        title: Its name for people.
        meaning: One sentence.
        lower_is_better: Which way is better.
    """

    title: str
    meaning: str
    lower_is_better: bool = False


_KINDS = {
    "ndcg": MeasureKind("nDCG", "How near to the top the right documents are."),
    "recall": MeasureKind("Recall", "The share of the right documents among the first k."),
    "mrr": MeasureKind("MRR", "1 / the rank of the first right document; 0 beyond k."),
    "answer_em": MeasureKind("Answer, exact", "The answer is an expected one and nothing more."),
    "answer_f1": MeasureKind("Answer, F1", "Words shared with the expected answer."),
    "answer_contains": MeasureKind(
        "Answer, contained", "An expected answer stands in the answer, word for word."
    ),
    "citation_precision": MeasureKind(
        "Citation precision",
        "The share of an answer's citations whose passage is of a right document or holds an "
        "expected answer; over answers that cite.",
    ),
    "citation_recall": MeasureKind(
        "Citation recall", "The share of the right documents that are cited; over given answers."
    ),
    "refusals": MeasureKind(
        "Refusals", "Questions without an answer in the documents that are refused."
    ),
    "wrong_refusals": MeasureKind(
        "Wrong refusals", "Questions with an answer that are refused.", lower_is_better=True
    ),
}


def kind_of(name: str) -> MeasureKind:
    """What the measure of that name is; `recall@5` is a `Recall@5`. Unknown ones speak plainly."""
    family, at, depth = name.partition("@")
    kind = _KINDS.get(family) or MeasureKind(name, "")
    if not at:
        return kind
    return MeasureKind(f"{kind.title}@{depth}", kind.meaning, kind.lower_is_better)


def ranking_scores(
    ranking: Sequence[str], relevant: Mapping[str, int], depths: Iterable[int]
) -> dict[str, float]:
    """The retrieval measures of one question; none where nothing is right to be found."""
    if not relevant:
        return {}
    scores = {"ndcg@10": ndcg(ranking, relevant, 10)}
    scores |= {f"recall@{k}": recall(ranking, relevant, k) for k in depths}
    scores["mrr@10"] = reciprocal_rank(ranking, relevant, 10)
    return scores


def summarised(scores: Iterable[Mapping[str, float]]) -> dict[str, Estimate]:
    """The mean and interval of each measure, over the questions that have it."""
    values: dict[str, list[float]] = {}
    for one in scores:
        for name, value in one.items():
            values.setdefault(name, []).append(value)
    order = {family: number for number, family in enumerate(_KINDS)}
    return {
        name: estimate(values[name])
        for name in sorted(values, key=lambda n: (order.get(n.partition("@")[0], 99), _depth(n)))
    }


def _depth(name: str) -> int:
    return int(name.partition("@")[2] or 0)
