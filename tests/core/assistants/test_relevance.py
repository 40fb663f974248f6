"""Whether passages bear on a question is decided from cosines and words, not from ranks."""

from __future__ import annotations

from dataclasses import replace

from inglenook.assistants.extractive import Extractor
from inglenook.assistants.relevance import bears_on, relevance, speaks_of
from inglenook.types import Locator, Passage

TEXT = "Staff accounts must use a password of at least 14 characters."


def passage(
    coverage: float, vector: float | None, text: str = TEXT, background: float | None = None
) -> Passage:
    return Passage(
        "c", "a.txt", "s", "/a.txt", text, Locator("line", 1), 0, len(text),
        score=1.0, lexical=1.0, vector=vector, coverage=coverage,
        background=background,
    )  # fmt: skip


def test_a_near_passage_with_the_words_of_the_question_bears_on_it() -> None:
    assert bears_on("How long must a password be?", [passage(1.0, 0.7)])


def test_words_alone_are_enough_where_there_is_no_cosine() -> None:
    assert bears_on("How many characters has a password?", [passage(1.0, None)])


def test_a_paraphrase_is_carried_by_its_cosine() -> None:
    assert bears_on("What is the shortest secret for signing in?", [passage(0.1, 0.65)])


def test_the_fused_score_decides_nothing() -> None:
    assert not bears_on("Who won the cup in 1998?", [passage(0.0, 0.08)])


def test_cosines_of_an_embedder_that_finds_everything_near_do_not_count() -> None:
    assert not bears_on("Who won the cup in 1998?", [passage(0.0, 0.83), passage(0.0, 0.8)])


def test_where_all_texts_are_alike_a_cosine_counts_by_how_far_it_rises_above_the_rest() -> None:
    question = "Who won the cup in 1998?"
    alike = [passage(0.0, 0.83, background=0.76), passage(0.0, 0.8, background=0.76)]
    near = [passage(0.0, 0.93, background=0.76), passage(0.0, 0.8, background=0.76)]

    assert not bears_on(question, alike)
    assert bears_on(question, near)


def test_the_same_holds_in_every_script() -> None:
    question = "מי זכה בגביע בשנת 1998?"

    assert not bears_on(question, [passage(0.0, 0.83, background=0.76)])
    assert bears_on(question, [passage(0.0, 0.93, background=0.76)])


def test_a_low_mean_changes_nothing() -> None:
    question = "What is the shortest secret for signing in?"
    found = passage(0.1, 0.65)
    with_mean = replace(found, background=0.05)

    assert relevance(question, [found], Extractor().rank(question, [found])) == relevance(
        question, [with_mean], Extractor().rank(question, [with_mean])
    )


def test_nothing_bears_on_a_question_without_passages() -> None:
    assert not bears_on("Anything?", [])


def test_it_does_not_matter_where_the_best_of_all_documents_stands() -> None:
    far = replace(passage(0.0, 0.2, "The hall has three doors."), chunk="d", score=0.1)
    question = "How long must a password be?"
    orders = ([passage(1.0, 0.5), far], [far, passage(1.0, 0.5)])

    first, last = (relevance(question, o, Extractor().rank(question, o)) for o in orders)

    assert first == last


def test_a_question_speaks_of_what_stands_in_a_passage_in_any_form_or_names_nothing() -> None:
    assert speaks_of("And for passwords?", [passage(0.0, None)])
    assert speaks_of("And why?", [passage(0.0, None)])
    assert not speaks_of("And on the moon?", [passage(0.0, None)])
