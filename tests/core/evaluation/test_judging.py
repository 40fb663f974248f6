"""What came back is judged by the documents and answers that were expected."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from inglenook.evaluation.judging import Judge
from inglenook.evaluation.questions import Question
from inglenook.evaluation.running import Questioning
from inglenook.types import Answer, Citation, Locator, Passage, Sentence

PLACE = Locator("line", 1)
BY_SOURCE = Judge(lambda source: source)
PARAGRAPHS = Judge(lambda source: source.removesuffix(".txt"), answers_prove=True)


def passage(source: str, text: str, also: tuple[str, ...] = ()) -> Passage:
    return Passage(
        f"chunk of {source}: {text}", source, source, source, text, PLACE, 0, len(text), also=also
    )


def answer(text: str, *cited: Passage, abstained: bool = False) -> Answer:
    """An answer of one sentence that cites these passages."""
    citations = tuple(
        Citation(p.source, p.locator, 0, 3, p.chunk, p.text[:3], p.path) for p in cited
    )
    sentence = Sentence(text, 0, len(text), bool(cited), citations)
    return Answer(text, abstained, "stop", (sentence, sentence), passages=tuple(cited))


def scores(question: Question, given: Answer, judge: Judge = BY_SOURCE) -> dict[str, float]:
    return judge.answer_scores(question, given, judge.citations(question, given))


# --- rankings -------------------------------------------------------------------------------------


def test_a_document_stands_where_its_best_passage_does():
    found = [passage("a.txt", "1"), passage("b.txt", "2"), passage("a.txt", "3")]

    assert PARAGRAPHS.ranked(Question("q", "?"), found).documents == ("a", "b")


def test_folded_sources_rank_right_behind_the_passage_that_stands_for_them():
    found = [passage("a", "1", also=("c", "d")), passage("b", "2"), passage("c", "3")]

    assert BY_SOURCE.ranked(Question("q", "?"), found).documents == ("a", "c", "d", "b")


def test_a_question_with_words_of_the_right_passage_ranks_passages():
    question = Question("q", "?", {"a": 1}, passage="at least\n14 characters")
    found = [
        passage("a", "Something else."),
        passage("b", "It has at least 14 characters, too."),
        passage("a", "A password has at least 14   characters."),
    ]

    ranked = BY_SOURCE.ranked(question, found)

    assert (ranked.first_right, len(ranked.documents), len(ranked.relevant)) == (3, 3, 1)


# --- citations ------------------------------------------------------------------------------------


def test_citations_are_right_if_they_are_of_a_right_document():
    question = Question("q", "?", {"a": 1}, ("14",))
    given = answer("14", passage("a", "Fourteen."), passage("b", "It is 14."))

    found = scores(question, given)

    assert (found["citation_precision"], found["citation_recall"]) == (0.5, 1.0)


def test_among_paragraphs_one_that_holds_the_answer_is_right_too():
    question = Question("q", "?", {"a": 1}, ("14",))
    given = answer("14", passage("b.txt", "It is 14."), passage("c.txt", "It is 1400."))

    found = scores(question, given, PARAGRAPHS)

    assert (found["citation_precision"], found["citation_recall"]) == (0.5, 1.0)


def test_without_a_right_document_the_answer_is_looked_for():
    question = Question("q", "?", answers=("14",))

    assert scores(question, answer("14", passage("b", "It is 14.")))["citation_precision"] == 1.0
    assert scores(question, answer("14", passage("b", "It is 15.")))["citation_precision"] == 0.0


def test_recall_counts_the_right_documents_that_are_cited():
    question = Question("q", "?", {"a": 1, "b": 2, "c": 1, "d": 1})

    found = scores(question, answer("x", passage("a", "1"), passage("b", "2"), passage("e", "3")))

    assert found["citation_recall"] == 0.5
    assert found["citation_precision"] == pytest.approx(2 / 3)


def test_an_answer_that_cites_nothing_has_recall_but_no_precision():
    found = scores(Question("q", "?", {"a": 1}), answer("x"))

    assert found["citation_recall"] == 0.0
    assert "citation_precision" not in found


# --- answers and refusals -------------------------------------------------------------------------


# Of "A" nothing is left once articles are taken away, as of a refusal.
@pytest.mark.parametrize("expected", ["I", "A"])
def test_a_refused_question_with_an_answer_counts_as_wrong(expected):
    question = Question("q", "?", {"a": 1}, (expected,))
    found = scores(question, answer("I could not find that.", abstained=True))

    assert found == {
        "answer_em": 0.0,
        "answer_f1": 0.0,
        "answer_contains": 0.0,
        "wrong_refusals": 1.0,
    }


@pytest.mark.parametrize("refused", [True, False])
def test_a_question_without_an_answer_has_only_its_refusal(refused):
    question = Question("q", "?", unanswerable=True)

    assert scores(question, answer("x", passage("a", "1"), abstained=refused)) == {
        "refusals": float(refused)
    }


def test_a_question_that_expects_only_a_source_has_no_answer_scores():
    found = scores(Question("q", "?", {"a": 1}), answer("x", passage("a", "1")))

    assert set(found) == {"citation_precision", "citation_recall", "wrong_refusals"}


def test_one_long_document_does_not_end_the_search_for_others():
    sources = ["long.txt"] * 90 + [f"{number}.txt" for number in range(100)]
    limits = []

    def search(text, *, limit, mode):
        limits.append(limit)
        return tuple(SimpleNamespace(source=source) for source in sources[:limit])

    def ranked(question, found):
        return SimpleNamespace(documents=tuple(dict.fromkeys(p.source for p in found)))

    asking = Questioning(
        SimpleNamespace(search=search), SimpleNamespace(ranked=ranked), None, "lexical", (5,), False
    )

    assert len(ranked(None, asking._search(SimpleNamespace(text="who?"))).documents) >= 10
    assert limits == [20, 40, 80, 160]
    sources = ["long.txt"] * 30
    assert len(asking._search(SimpleNamespace(text="who?"))) == 30
    assert limits[4:] == [20, 40, 80]
