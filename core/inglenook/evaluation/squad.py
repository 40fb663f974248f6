"""Reads a data set in SQuAD's layout, version 1.1 or 2.0: paragraphs become documents.

The layout is that of Rajpurkar et al., "SQuAD: 100,000+ Questions", EMNLP 2016, and "Know What You
Don't Know", ACL 2018, which adds `is_impossible`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inglenook.errors import UserError
from inglenook.evaluation.questions import EvaluationSet, Question, SetDocument
from inglenook.evaluation.reading import read_json

__all__ = ["read_squad"]


def read_squad(path: Path) -> EvaluationSet:
    """The set of one file. Raises `UserError`, with the place in the file.

    The same paragraph is one document, however often it stands there. A question that has no
    answer in its paragraph (`is_impossible`) has no relevant document either.
    """
    data = read_json(path)
    documents: dict[str, SetDocument] = {}
    questions: dict[str, Question] = {}
    for place, paragraph in _paragraphs(path, data):
        context = _string(path, place, paragraph, "context").strip()
        if not context:
            raise UserError(f"{path}: {place}.context is empty.")
        document = documents.setdefault(context, SetDocument(f"p{len(documents) + 1}", "", context))
        for where, entry in _objects(path, place, paragraph, "qas"):
            question = _question(path, where, entry, document.id, len(questions) + 1)
            if question.id in questions:
                raise UserError(f"{path}: {where}.id '{question.id}' is there twice.")
            questions[question.id] = question
    if not questions:
        raise UserError(f"{path} holds no question.")
    return EvaluationSet(
        path.resolve().stem, "squad", tuple(questions.values()), tuple(documents.values())
    )


def _paragraphs(path: Path, data: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(data, dict) or not isinstance(data.get("data"), list):
        raise UserError(
            f'{path} is not in SQuAD\'s layout: it has no list "data".',
            hint='It looks like {"data": [{"paragraphs": [{"context": "…", "qas": […]}]}]}',
        )
    for where, article in _objects(path, "", data, "data"):
        yield from _objects(path, where, article, "paragraphs")


def _question(
    path: Path, where: str, entry: dict[str, Any], document: str, number: int
) -> Question:
    impossible = bool(entry.get("is_impossible"))
    answers = [
        _string(path, place, answer, "text").strip()
        for place, answer in _objects(path, where, entry, "answers", optional=True)
    ]
    text = _string(path, where, entry, "question").strip()
    if not text:
        raise UserError(f"{path}: {where}.question is empty.")
    return Question(
        str(entry.get("id") or f"q{number}"),
        text,
        {} if impossible else {document: 1},
        () if impossible else tuple(dict.fromkeys(filter(None, answers))),
        unanswerable=impossible,
    )


def _objects(
    path: Path, where: str, holder: dict[str, Any], key: str, *, optional: bool = False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a list, each with its place in the file."""
    place = f"{where}.{key}" if where else key
    value = holder.get(key)
    if value is None and optional:
        return
    if not isinstance(value, list):
        raise UserError(f"{path}: {place} is missing or not a list.")
    for number, item in enumerate(value):
        if not isinstance(item, dict):
            raise UserError(f"{path}: {place}[{number}] is not an object.")
        yield f"{place}[{number}]", item


def _string(path: Path, where: str, holder: dict[str, Any], key: str) -> str:
    value = holder.get(key)
    if not isinstance(value, str):
        raise UserError(f"{path}: {where}.{key} is missing or not a string.")
    return value
