"""Intervals hold what they promise, and the same values give the same ones."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inglenook.evaluation.intervals import estimate, estimate_difference

scores = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@given(scores)
def test_the_mean_lies_in_its_interval_and_the_interval_in_the_range(values):
    found = estimate(values)

    assert found.n == len(values)
    assert 0 <= found.low <= found.high <= 1
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9


def test_a_share_has_the_interval_of_wilson():
    # 8 of 10: the worked example of the score interval, 0.490 to 0.943.
    found = estimate([1.0] * 8 + [0.0] * 2)

    assert (found.low, found.high) == (
        pytest.approx(0.4902, abs=1e-4),
        pytest.approx(0.9433, abs=1e-4),
    )


def test_five_hits_of_five_are_not_certain():
    assert estimate([1.0] * 5).low < 0.6


def test_one_value_says_nothing_about_the_others():
    found = estimate([0.3])

    assert (found.low, found.high) == (0, 1)


def test_one_question_that_changed_says_nothing_about_the_others():
    found = estimate_difference([0.0], [1.0])

    assert (found.value, found.low, found.high) == (1, -1, 1)


def test_the_bootstrap_agrees_with_the_normal_interval_where_there_is_much():
    values = numpy.random.default_rng(3).beta(2, 2, 400)
    half = 1.96 * values.std() / len(values) ** 0.5

    found = estimate(values.tolist())

    assert found.low == pytest.approx(values.mean() - half, abs=0.003)
    assert found.high == pytest.approx(values.mean() + half, abs=0.003)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    random = numpy.random.default_rng(11)
    estimates = [estimate(random.uniform(0, 1, 60).tolist()) for _ in range(200)]

    assert 0.89 <= sum(e.low <= 0.5 <= e.high for e in estimates) / 200 <= 0.99


def test_the_same_values_give_the_same_interval():
    values = [0.1, 0.5, 0.7, 0.75, 0.9]

    assert estimate(values) == estimate(list(values))


def test_a_paired_difference_is_narrower_than_the_means_are():
    before = [number / 50 for number in range(50)]
    now = [value + 0.01 + 0.001 * (at % 3) for at, value in enumerate(before)]

    found = estimate_difference(before, now)

    assert 0 < found.low <= found.value <= found.high < 0.02


def test_equal_runs_do_not_differ_at_all():
    found = estimate_difference([0.2, 0.4], [0.2, 0.4])

    assert (found.value, found.low, found.high, found.n) == (0, 0, 0, 2)


def test_nothing_has_no_mean():
    with pytest.raises(ValueError, match="at least one"):
        estimate([])
