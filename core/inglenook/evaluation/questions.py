"""What is asked in an evaluation, of which documents, and what is expected."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

__all__ = ["EvaluationSet", "Question", "SetDocument"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question and what is expected of its answer.

    Args:
        id: Its name in the set.
        text: What is asked.
        relevant: Id of each document that answers it -> grade, 1 or more.
        answers: The answers that count as right, as short as they can be.
        unanswerable: No document answers it; the right answer is to say so.
        passage: Words that the right passage contains; then passages are judged, not documents.
    """

    id: str
    text: str
    relevant: Mapping[str, int] = field(default_factory=dict)
    answers: tuple[str, ...] = ()
    unanswerable: bool = False
    passage: str = ""


@dataclass(frozen=True, slots=True)
class SetDocument:
    """A document of a data set."""

    id: str
    title: str
    text: str

    @property
    def whole(self) -> str:
        """The title, then the text."""
        return f"{self.title}\n\n{self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Questions, and the documents that answer them.

    Args:
        name: What it is called in lists.
        layout: `beir`, `squad` or `questions`.
        questions: In the order of the file.
        documents: None for an assistant's own, which are not part of the set.
        split: The part of a BEIR set; "" elsewhere.
        notices: What is odd about the set, a line each.
        asked_of: How many questions there were before some were drawn.
        file: Where questions of one's own come from.
    """

    name: str
    layout: str
    questions: tuple[Question, ...]
    documents: tuple[SetDocument, ...] | None = None
    split: str = ""
    notices: tuple[str, ...] = ()
    asked_of: int = 0
    file: Path | None = None

    def drawn(self, limit: int | None, seed: int) -> EvaluationSet:
        """The same with at most `limit` questions, drawn by `seed`, in their old order."""
        total = len(self.questions)
        if limit is None or limit >= total:
            return replace(self, asked_of=total)
        chosen = sorted(random.Random(seed).sample(range(total), limit))  # noqa: S311
        return replace(self, questions=tuple(self.questions[i] for i in chosen), asked_of=total)

    @property
    def documents_fingerprint(self) -> str:
        """The sha256 of the documents; "" where they are not part of the set."""
        if self.documents is None:
            return ""
        return _digest([(d.id, d.title, d.text) for d in self.documents])

    @property
    def questions_fingerprint(self) -> str:
        """The sha256 of all that is asked and expected."""
        return _digest(
            [
                (q.id, q.text, sorted(q.relevant.items()), q.answers, q.unanswerable, q.passage)
                for q in self.questions
            ]
        )


def _digest(rows: Sequence[object]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row).encode() + b"\n")
    return digest.hexdigest()
