"""Two runs are compared question by question."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from inglenook.errors import UserError
from inglenook.evaluation.comparing import compare
from inglenook.evaluation.measures import summarised
from inglenook.evaluation.runs import QuestionResult, Run, RunFolder, run_from


def run(id: str, measure: str, values: dict[str, float], **settings: object) -> Run:
    results = tuple(QuestionResult(q, f"{q}?", scores={measure: v}) for q, v in values.items())
    return Run(
        id,
        "2030-01-01T00:00:00+00:00",
        {"name": "set", "layout": "beir", "split": "", "documents_fingerprint": "d"},
        settings,
        {"plugins": {"a": "1"}},
        summarised(result.scores for result in results),
        results,
    )


def test_only_questions_of_both_runs_are_compared_and_that_is_told():
    before = run("old", "ndcg@10", {"a": 0.2, "b": 0.5, "c": 0.9})
    now = run("new", "ndcg@10", {"a": 0.4, "b": 0.5, "d": 0.1})

    found = compare(before, now)

    (difference,) = found.differences
    assert (difference.before, difference.now) == (pytest.approx(0.35), pytest.approx(0.45))
    assert difference.difference.n == 2
    assert found.notices[0] == "Only 2 of 3 questions are in both runs; those are compared."


def test_better_and_worse_questions_are_named_the_largest_change_first():
    before = run("old", "ndcg@10", {"a": 0.2, "b": 0.5, "c": 0.9, "d": 1.0})
    now = run("new", "ndcg@10", {"a": 0.4, "b": 1.0, "c": 0.9, "d": 0.0})

    (difference,) = compare(before, now).differences

    assert [one.id for one in difference.better] == ["b", "a"]
    assert [one.id for one in difference.worse] == ["d"]


def test_fewer_wrong_refusals_are_better():
    before = run("old", "wrong_refusals", dict.fromkeys("abcdefgh", 1.0))
    now = run("new", "wrong_refusals", dict.fromkeys("abcdefgh", 0.0))

    (difference,) = compare(before, now).differences

    assert difference.is_certain
    assert difference.is_better
    assert len(difference.better) == 8


def test_what_was_chosen_differently_is_named():
    before = run("old", "ndcg@10", {"a": 0.2}, embedder="one", mode="hybrid")
    now = run("new", "ndcg@10", {"a": 0.2}, embedder="two", mode="hybrid")

    assert compare(before, now).changes == {"embedder": ("one", "two")}


def test_the_same_id_with_another_text_is_another_question():
    before = run("old", "ndcg@10", {"a": 0.2})
    now = run("new", "ndcg@10", {"b": 0.2})

    with pytest.raises(UserError, match="asked other questions"):
        compare(before, now)


def test_a_run_is_the_same_after_it_was_written_and_read():
    whole = run("old", "ndcg@10", {"a": 0.2, "b": 1.0}, mode="hybrid")

    assert run_from(whole.form()) == whole


def test_runs_of_one_second_are_listed_in_the_order_they_were_made(tmp_path):
    folder = RunFolder(tmp_path / "runs")
    made = datetime(2030, 1, 1, tzinfo=UTC)
    names = []
    for _ in range(12):
        names.append(folder.free_id(made, "set-7"))
        folder.keep(replace(run("x", "ndcg@10", {"a": 0.2}), id=names[-1]))

    assert folder.ids() == tuple(names)
