"""The measures of a ranking are those of trec_eval."""

from __future__ import annotations

import math

import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from inglenook.evaluation.ranking import first_right, ndcg, recall, reciprocal_rank

DOCUMENTS = [f"d{number:02}" for number in range(30)]
rankings = st.lists(st.sampled_from(DOCUMENTS), unique=True, max_size=30)
judgements = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(1, 4), min_size=1, max_size=12)


def trec_eval(ranking: list[str], relevant: dict[str, int]) -> dict[str, float]:
    """What trec_eval says of one query."""
    wanted = {"ndcg_cut.1,5,10", "recall.1,5,10", "recip_rank"}
    scores = {document: float(len(ranking) - at) for at, document in enumerate(ranking)}
    return pytrec_eval.RelevanceEvaluator({"q": relevant}, wanted).evaluate({"q": scores})["q"]


@given(rankings, judgements)
@settings(max_examples=300, deadline=None)
def test_ndcg_and_recall_are_what_trec_eval_says(ranking, relevant):
    expected = trec_eval(ranking, relevant)

    for k in (1, 5, 10):
        assert ndcg(ranking, relevant, k) == pytest.approx(expected[f"ndcg_cut_{k}"])
        assert recall(ranking, relevant, k) == pytest.approx(expected[f"recall_{k}"])


@given(rankings, judgements)
@settings(max_examples=300, deadline=None)
def test_the_reciprocal_rank_over_all_of_the_ranking_is_what_trec_eval_says(ranking, relevant):
    expected = trec_eval(ranking, relevant)["recip_rank"]

    assert reciprocal_rank(ranking, relevant, len(DOCUMENTS)) == pytest.approx(expected)


def test_ndcg_of_an_example_worked_by_hand():
    # Gains 0, 2, 0, 1 against the best order 2, 1.
    gained = 2 / math.log2(3) + 1 / math.log2(5)
    best = 2 / math.log2(2) + 1 / math.log2(3)

    assert ndcg(["x", "two", "y", "one"], {"one": 1, "two": 2}, 10) == pytest.approx(gained / best)


def test_what_stands_below_k_does_not_count():
    ranking, relevant = ["a", "b", "right"], {"right": 1}

    assert (0.0, 1.0) == (recall(ranking, relevant, 2), recall(ranking, relevant, 3))
    assert (0.0, 1 / 3) == (
        reciprocal_rank(ranking, relevant, 2),
        reciprocal_rank(ranking, relevant, 3),
    )


def test_the_first_right_document_has_its_rank_from_one():
    assert first_right(["a", "right", "also right"], {"right": 1, "also right": 1}) == 2
    assert first_right(["a"], {"right": 1}) is None
