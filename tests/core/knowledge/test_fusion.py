"""The two sides' scores become one order, in which an embedder counts as far as it tells apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.knowledge.fusion import Scatter, fuse, vector_weight

MANY = 1_000


@given(
    st.dictionaries(st.integers(0, 9), st.floats(0, 50)),
    st.dictionaries(st.integers(0, 9), st.floats(-1, 1)),
    st.floats(0, 1),
    st.integers(0, MANY),
)
def test_fused_scores_lie_between_0_and_1_and_keep_agreement(
    lexical, cosines, weight, chunks
) -> None:
    fused = fuse(lexical, cosines, Scatter(0.1, 0.2, chunks), weight)

    assert set(lexical) | set(cosines) == set(fused)
    assert all(0 <= score <= 1 + 1e-9 for score in fused.values())
    if lexical and cosines and max(lexical.values()) > 0 and max(cosines.values()) > 0.1:
        both = [
            k
            for k in fused
            if lexical.get(k) == max(lexical.values()) and cosines.get(k) == max(cosines.values())
        ]
        assert all(fused[k] == pytest.approx(1) for k in both)


def test_vectors_count_more_the_further_their_best_stands_out() -> None:
    scatter = Scatter(0.2, 0.1, MANY)

    weights = [vector_weight(scatter, cosine) for cosine in (0.2, 0.45, 0.6, 0.75)]

    assert sorted(weights) == weights
    assert 0 == weights[0]
    assert weights[1] < 0.2
    assert weights[3] == pytest.approx(0.5)


def test_vectors_that_are_not_trusted_do_not_count() -> None:
    scatter = Scatter(0.2, 0.1, MANY)
    lexical, cosines = {1: 3.0, 2: 1.0}, {2: 0.9, 3: 0.8}

    weight = vector_weight(scatter, 0.9, trust=0.0)
    fused = fuse(lexical, cosines, scatter, weight)

    assert [1, 2, 3] == sorted(fused, key=lambda key: -fused[key])


def test_the_scale_of_an_embedder_does_not_matter() -> None:
    """Some embedders give cosines from 0 to 1, others from 0.8 to 0.9."""
    lexical = {1: 3.0, 2: 2.9}
    wide = fuse(lexical, {1: 0.1, 2: 0.5}, Scatter(0.1, 0.1, MANY), 0.4)
    narrow = fuse(lexical, {1: 0.81, 2: 0.85}, Scatter(0.81, 0.01, MANY), 0.4)

    assert wide == pytest.approx(narrow)


def test_where_no_word_is_found_the_vectors_decide() -> None:
    fused = fuse({}, {1: 0.5, 2: 0.7}, Scatter(0.1, 0.1, MANY), 0.3)

    assert fused[2] == pytest.approx(1)
    assert fused[1] < fused[2]
