"""Reads the questions that somebody wrote for an assistant of their own.

A file is JSON lines, one question a line, or TOML, with a table `[[questions]]` for each. The keys
are the same in both; docs/evaluation.md describes them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inglenook.errors import UserError
from inglenook.evaluation.questions import EvaluationSet, Question
from inglenook.evaluation.reading import json_lines, text_of

__all__ = ["FILE_NAMES", "NONE", "find_question_file", "read_question_file"]

FILE_NAMES = ("questions.jsonl", "questions.toml")
NONE = "none"
"""As `answer`: no document answers the question."""

_KEYS = ("id", "question", "answer", "answers", "source", "sources", "passage")
_EXAMPLE = '{"question": "How long must a password be?", "answer": "14", "source": "rules.pdf"}'


def find_question_file(folder: Path) -> Path:
    """The file beside an Assistantfile. Raises `UserError` that says what to write."""
    for name in FILE_NAMES:
        if (folder / name).is_file():
            return folder / name
    raise UserError(
        f"There are no questions: {folder} has neither {' nor '.join(FILE_NAMES)}.",
        hint=f"Write {folder / FILE_NAMES[0]}, one question a line, or name a file with "
        f"--questions:\n{_EXAMPLE}",
    )


def read_question_file(path: Path, name: str) -> EvaluationSet:
    """The questions for the assistant `name`. Raises `UserError`, with the line or place."""
    if not path.is_file():
        raise UserError(f"There is no file {path}.", hint=f"Its lines look like this:\n{_EXAMPLE}")
    if path.suffix == ".toml":
        entries = _toml_entries(path)
    elif path.suffix == ".jsonl":
        entries = ((f"{path}, line {n}", data) for n, data in json_lines(path))
    else:
        raise UserError(
            f"{path} is neither .jsonl nor .toml.",
            hint=f"Write JSON lines or TOML. A line of .jsonl:\n{_EXAMPLE}",
        )
    questions: dict[str, Question] = {}
    for where, data in entries:
        question = _question(where, data, len(questions) + 1)
        if question.id in questions:
            raise UserError(f"{where}: the id '{question.id}' is there twice.")
        questions[question.id] = question
    if not questions:
        raise UserError(f"{path} holds no question.", hint=f"A line looks like this:\n{_EXAMPLE}")
    return EvaluationSet(name, "questions", tuple(questions.values()), file=path)


def _toml_entries(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        table = tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not TOML: {error}.") from error
    entries = table.get("questions", [])
    unknown = [key for key in table if key != "questions"]
    if unknown or not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise UserError(
            f"{path} holds something else than [[questions]].",
            hint='Write a table [[questions]] for each, with question = "…" and answer = "…".',
        )
    for number, entry in enumerate(entries, 1):
        yield f"{path}, question {number}", entry


def _question(where: str, data: Mapping[str, Any], number: int) -> Question:
    for key in data:
        if key not in _KEYS:
            raise UserError(f"{where}: there is no key '{key}'.", hint=f"{', '.join(_KEYS)}.")
    text = _one(where, data, "question")
    if not text:
        raise UserError(f"{where}: there is no question.", hint=f"It looks like this:\n{_EXAMPLE}")
    id = str(data.get("id") or f"q{number}")
    passage = _one(where, data, "passage")
    answers = _several(where, data, "answer", "answers")
    sources = _several(where, data, "source", "sources")
    if data.get("answer") == NONE:
        if sources or passage:
            raise UserError(
                f"{where}: a question without an answer has no source and no passage either."
            )
        return Question(id, text, unanswerable=True)
    if not (answers or sources or passage):
        raise UserError(
            f"{where}: nothing is expected, so nothing can be measured.",
            hint=f'Add answer, source or passage; answer "{NONE}" if no document answers it.',
        )
    return Question(id, text, dict.fromkeys(sources, 1), answers, passage=passage)


def _one(where: str, data: Mapping[str, Any], key: str) -> str:
    value = data.get(key, "")
    if not isinstance(value, str):
        raise UserError(f"{where}: {key} is not a text.", hint="Put it in quotes.")
    return value.strip()


def _several(where: str, data: Mapping[str, Any], one: str, many: str) -> tuple[str, ...]:
    """What stands under either key: a text, or a list of texts."""
    if one in data and many in data:
        raise UserError(f"{where}: there are both {one} and {many}.", hint=f"Use {many} alone.")
    value = data.get(one, data.get(many, ()))
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(t, str) for t in texts):
        raise UserError(f"{where}: {one} is neither a text nor a list of texts.")
    return tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))
