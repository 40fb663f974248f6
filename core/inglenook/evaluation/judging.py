"""Judges what came back for one question against what was expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from inglenook.evaluation.answer_match import contains, exact_match, f1
from inglenook.evaluation.questions import Question
from inglenook.evaluation.ranking import first_right
from inglenook.evaluation.runs import Cited
from inglenook.types import Answer, Citation, Passage

__all__ = ["Judge", "Ranked"]

_RIGHT = "the right passage"
"""What stands in a ranking for a passage that contains the words of `Question.passage`."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """What was found, each document once at the place of its best passage."""

    documents: tuple[str, ...]
    relevant: Mapping[str, int]

    @property
    def first_right(self) -> int | None:
        return first_right(self.documents, self.relevant)


@dataclass(frozen=True, slots=True)
class Judge:
    """Knows which document a passage is of.

    Args:
        document_of: The id of the document of a source, by the source's name.
        answers_prove: A passage that holds an expected answer is right whatever document it is
            of: where documents are paragraphs, several may tell the same.
    """

    document_of: Callable[[str], str]
    answers_prove: bool = False

    def ranked(self, question: Question, passages: Sequence[Passage]) -> Ranked:
        """The documents of the passages; a document's score is that of its best passage."""
        if question.passage:
            found = (
                _RIGHT if self.is_right(question, p.source, p.text) else p.chunk for p in passages
            )
            return Ranked(tuple(dict.fromkeys(found)), {_RIGHT: 1})
        documents = (
            self.document_of(source)
            for passage in passages
            # Folded into one passage are all sources that say the same.
            for source in (passage.source, *passage.also)
        )
        return Ranked(tuple(dict.fromkeys(documents)), question.relevant)

    def is_right(self, question: Question, source: str, text: str) -> bool:
        """Whether a passage with this text, of this source, answers the question."""
        of_right_document = self.document_of(source) in question.relevant
        if question.passage:
            holds = " ".join(question.passage.split()) in " ".join(text.split())
            return holds and (of_right_document or not question.relevant)
        if of_right_document:
            return True
        return (self.answers_prove or not question.relevant) and contains(text, question.answers)

    def citations(self, question: Question, answer: Answer) -> tuple[Cited, ...]:
        """What the answer cites, each passage once."""
        # A passage may be several chunks that stand beside each other, and be cited by any.
        texts = {chunk: passage.text for passage in answer.passages for chunk in passage.chunks}
        cited: dict[str, Citation] = {}
        for sentence in answer.sentences:
            for citation in sentence.citations:
                cited.setdefault(citation.chunk, citation)
        return tuple(
            Cited(
                self.document_of(c.source),
                c.quote,
                self.is_right(question, c.source, texts.get(c.chunk, c.quote)),
            )
            for c in cited.values()
        )

    def answer_scores(
        self, question: Question, answer: Answer, cited: Sequence[Cited]
    ) -> dict[str, float]:
        """The scores of an answer. A refused question has no right answer and cites nothing."""
        refused = answer.abstained
        if question.unanswerable:
            return {"refusals": float(refused)}
        scores: dict[str, float] = {}
        if question.answers:
            scores["answer_em"] = 0.0 if refused else exact_match(answer.text, question.answers)
            scores["answer_f1"] = 0.0 if refused else f1(answer.text, question.answers)
            text = "" if refused else answer.text
            scores["answer_contains"] = float(contains(text, question.answers))
        if not refused:
            if cited:
                scores["citation_precision"] = sum(c.right for c in cited) / len(cited)
            scores["citation_recall"] = _citation_recall(question, cited)
        scores["wrong_refusals"] = float(refused)
        return scores


def _citation_recall(question: Question, cited: Sequence[Cited]) -> float:
    right = [c.source for c in cited if c.right]
    if question.passage or not question.relevant:
        return float(bool(right))
    # A passage of another document that holds the answer stands for one of the right ones.
    others = any(source not in question.relevant for source in right)
    found = len({source for source in right if source in question.relevant})
    return min(1.0, max(found, int(others)) / len(question.relevant))
