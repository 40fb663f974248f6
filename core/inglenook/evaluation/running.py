"""Asks the questions of an evaluation, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from inglenook.assistants.assistant import Assistant
from inglenook.errors import Cancelled
from inglenook.evaluation.judging import Judge
from inglenook.evaluation.measures import ranking_scores
from inglenook.evaluation.questions import Question, SetDocument
from inglenook.evaluation.runs import Excerpt, QuestionResult
from inglenook.types import Answer, Answered, CancelToken, Failed, Passage

__all__ = ["Questioning"]

_EXCERPT = 300
_EXCERPTS = 3
_RANKING_KEPT = 10
_MOST_PASSAGES = 10_000
_BAD_RANK = 10
"""A right document below this rank counts as something to read through."""


@dataclass(frozen=True, slots=True)
class Questioning:
    """How the questions are asked.

    Args:
        assistant: Its documents are read.
        judge: Says what is right.
        document: The document of that id, for excerpts; None where it is not known.
        mode: `lexical`, `vector` or `hybrid`.
        depths: The k of recall@k.
        answers: Whether the model is asked.
    """

    assistant: Assistant
    judge: Judge
    document: Callable[[str], SetDocument | None]
    mode: str
    depths: Sequence[int]
    answers: bool

    def results(
        self, questions: Sequence[Question], cancel: CancelToken
    ) -> Iterator[QuestionResult]:
        """One result a question, in order.

        An answer that fails is a result with an error. Raises `Cancelled`, and what the first
        question would raise for a model that cannot be loaded.
        """
        if self.answers:
            self.assistant.open()
        for question in questions:
            if cancel.cancelled:
                raise Cancelled
            yield self._result(question, cancel)

    def _result(self, question: Question, cancel: CancelToken) -> QuestionResult:
        started = time.perf_counter()
        passages = self._search(question)
        searched = time.perf_counter()
        ranked = self.judge.ranked(question, passages)
        result = QuestionResult(
            id=question.id,
            question=question.text,
            expected=question.answers,
            unanswerable=question.unanswerable,
            scores=ranking_scores(ranked.documents, ranked.relevant, self.depths),
            ranking=ranked.documents[:_RANKING_KEPT],
            first_right=ranked.first_right,
            search_s=round(searched - started, 4),
        )
        if self.answers:
            result = self._answered(question, result, cancel)
            result = replace(result, answer_s=round(time.perf_counter() - searched, 3))
        if not _went_wrong(result):
            return result
        return replace(
            result,
            found=self._found(question, passages),
            right=tuple(self._right(question)),
        )

    def _search(self, question: Question) -> tuple[Passage, ...]:
        """As many passages as it takes to see the deepest rank in documents."""
        deepest = max((_RANKING_KEPT, *self.depths))
        limit, before = 2 * deepest, (-1, -1)
        while True:
            found = self.assistant.search(question.text, limit=limit, mode=self.mode)
            ranked = self.judge.ranked(question, found)
            # Merged neighbours and folded duplicates leave fewer than were asked for, so that
            # only a search that finds no more has come to its end.
            sizes = (len(found), len(ranked.documents))
            if sizes == before or limit >= _MOST_PASSAGES or sizes[1] >= deepest:
                return found
            limit, before = limit * 2, sizes

    def _answered(
        self, question: Question, result: QuestionResult, cancel: CancelToken
    ) -> QuestionResult:
        outcome = self._ask(question, cancel)
        if isinstance(outcome, Failed):
            return replace(result, error=outcome.message)
        cited = self.judge.citations(question, outcome)
        scores = self.judge.answer_scores(question, outcome, cited)
        return replace(
            result,
            answer=outcome.text,
            refused=outcome.abstained,
            extracted=outcome.extracted,
            citations=cited,
            scores={**result.scores, **scores},
        )

    def _ask(self, question: Question, cancel: CancelToken) -> Answer | Failed:
        for event in self.assistant.ask_events(question.text, cancel=cancel):
            if cancel.cancelled:
                raise Cancelled
            if isinstance(event, Failed):
                return event
            if isinstance(event, Answered):
                return event.answer
        raise AssertionError("a stream of an answer ends in Answered or Failed")

    def _found(self, question: Question, passages: Sequence[Passage]) -> tuple[Excerpt, ...]:
        return tuple(
            Excerpt(
                self.judge.document_of(passage.source),
                _beginning(passage.text),
                not question.unanswerable
                and self.judge.is_right(question, passage.source, passage.text),
            )
            for passage in passages[:_EXCERPTS]
        )

    def _right(self, question: Question) -> Iterator[Excerpt]:
        for id in list(question.relevant)[:_EXCERPTS]:
            document = self.document(id)
            text = question.passage or (document.whole if document is not None else "")
            yield Excerpt(id, _beginning(text), right=True)


def _beginning(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT].rstrip()}…"


def _went_wrong(result: QuestionResult) -> bool:
    """Whether a person should look at it."""
    missed = "ndcg@10" in result.scores and (result.first_right or _BAD_RANK + 1) > _BAD_RANK
    if result.error or missed:
        return True
    if result.answer is None:
        return False
    wrong_refusal = result.refused != result.unanswerable
    wrong_answer = result.scores.get("answer_contains", 1.0) < 1.0
    wrong_citation = not result.unanswerable and not all(c.right for c in result.citations)
    return wrong_refusal or wrong_answer or wrong_citation
