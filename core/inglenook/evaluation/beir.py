"""Reads a data set in BEIR's layout: corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv.

The layout is that of Thakur et al., "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation of
Information Retrieval Models", NeurIPS 2021 (github.com/beir-cellar/beir).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inglenook.errors import UserError
from inglenook.evaluation.questions import EvaluationSet, Question, SetDocument
from inglenook.evaluation.reading import json_lines, lines_of

__all__ = ["read_beir"]


def read_beir(folder: Path, split: str) -> EvaluationSet:
    """The set in a folder, with the questions that its split judges. Raises `UserError`."""
    judged = _judgements(_qrels_file(folder, split))
    texts = dict(_texts(folder / "queries.jsonl"))
    documents = tuple(_documents(folder / "corpus.jsonl"))
    known = {document.id for document in documents}
    questions = tuple(
        Question(id, text.strip(), relevant)
        for id, text in texts.items()
        if (relevant := {d: grade for d, grade in judged.get(id, {}).items() if grade > 0})
        and text.strip()
    )
    if not questions:
        raise UserError(
            f"The split '{split}' of {folder} asks nothing: it judges no document right for any "
            "query of queries.jsonl.",
            hint=_other_splits(folder, split) or "Check the ids in qrels and queries.jsonl.",
        )
    missing = sum(document not in known for q in questions for document in q.relevant)
    unasked = len(judged) - len(questions)
    blank = sum(not document.whole.strip() for document in documents)
    return EvaluationSet(
        folder.resolve().name,
        "beir",
        questions,
        documents,
        split,
        tuple(_notices(split, missing, unasked, blank)),
    )


def _notices(split: str, missing: int, unasked: int, blank: int) -> Iterator[str]:
    if blank:
        yield f"{_count(blank, 'document')} of corpus.jsonl without text cannot be found."
    if missing:
        yield (
            f"{_count(missing, 'document')} that qrels/{split}.tsv names, and corpus.jsonl does "
            "not have, count as not found."
        )
    if unasked:
        yield (
            f"{_count(unasked, 'judged query', 'judged queries')} without text, or without a right "
            "document, are left out."
        )


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or one + 's'}"


def _qrels_file(folder: Path, split: str) -> Path:
    for name in ("corpus.jsonl", "queries.jsonl"):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder} has no {name}.",
                hint="A BEIR set has corpus.jsonl, queries.jsonl and qrels/test.tsv.",
            )
    path = folder / "qrels" / f"{split}.tsv"
    if path.is_file() and Path(split).name == split:
        return path
    raise UserError(
        f"{folder} has no judgements qrels/{split}.tsv, so nothing can be measured.",
        hint=_other_splits(folder, split)
        or "Each line of that file: query-id, tab, corpus-id, tab, score.",
    )


def _other_splits(folder: Path, split: str) -> str:
    others = sorted(p.stem for p in (folder / "qrels").glob("*.tsv") if p.stem != split)
    return f"There is: {', '.join(f'--split {name}' for name in others)}." if others else ""


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    """Query -> document -> grade."""
    judged: dict[str, dict[str, int]] = {}
    for number, line in lines_of(path):
        cells = line.split("\t")
        if number == 1 and cells[-1].strip().lower() == "score":
            continue
        try:
            query, document, score = (cell.strip() for cell in cells)
            grade = float(score)
            if not grade.is_integer():
                raise ValueError(score)
        except (ValueError, OverflowError) as error:
            raise UserError(
                f"{path}, line {number}: this is not query-id, corpus-id and a whole score with "
                "tabs between them."
            ) from error
        judged.setdefault(query, {})[document] = int(grade)
    return judged


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for number, data in json_lines(path):
        yield _id(path, number, data, seen), _string(path, number, data, "text")


def _documents(path: Path) -> Iterator[SetDocument]:
    seen: set[str] = set()
    for number, data in json_lines(path):
        yield SetDocument(
            _id(path, number, data, seen),
            _string(path, number, data, "title", optional=True),
            _string(path, number, data, "text"),
        )


def _id(path: Path, number: int, data: dict[str, Any], seen: set[str]) -> str:
    given = data.get("_id")
    if isinstance(given, bool) or not isinstance(given, (str, int)) or given == "":
        raise UserError(f'{path}, line {number}: there is no "_id".')
    id = str(given)
    if id in seen:
        raise UserError(f"{path}, line {number}: the _id '{id}' is there twice.")
    seen.add(id)
    return id


def _string(
    path: Path, number: int, data: dict[str, Any], key: str, *, optional: bool = False
) -> str:
    value = data.get(key)
    if value is None and optional:
        return ""
    if not isinstance(value, str):
        raise UserError(f'{path}, line {number}: "{key}" is missing or not a string.')
    return value
