"""Finds out which layout a data set has, and reads it."""

from __future__ import annotations

from pathlib import Path

from inglenook.errors import UserError
from inglenook.evaluation.beir import read_beir
from inglenook.evaluation.questions import EvaluationSet
from inglenook.evaluation.squad import read_squad

__all__ = ["DEFAULT_SPLIT", "read_dataset"]

DEFAULT_SPLIT = "test"


def read_dataset(path: Path, split: str | None = None) -> EvaluationSet:
    """The data set at `path`: a folder in BEIR's layout, or a file in SQuAD's or its folder.

    Args:
        path: The folder or file.
        split: The part of a BEIR set; `test` unless named. A SQuAD file has no parts.

    Raises:
        UserError: It is neither, or is wrong at some place.
    """
    path = path.expanduser()
    if not path.exists():
        raise UserError(f"There is nothing at {path}.", hint="Check the path of the data set.")
    if path.is_dir() and any((path / n).exists() for n in ("corpus.jsonl", "queries.jsonl")):
        return read_beir(path, split or DEFAULT_SPLIT)
    file = _squad_file(path)
    if split is not None:
        raise UserError(
            f"{file} is in SQuAD's layout, which has no splits.", hint="Leave --split out."
        )
    return read_squad(file)


def _squad_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    files = sorted(path.glob("*.json"))
    if len(files) == 1:
        return files[0]
    if files:
        names = ", ".join(file.name for file in files[:8])
        raise UserError(
            f"{path} holds {len(files)} JSON files: {names}{', …' if len(files) > 8 else ''}.",
            hint=f"Name one: --dataset {files[0]}",
        )
    raise UserError(
        f"{path} is no data set: it has neither corpus.jsonl (BEIR) nor a .json file (SQuAD).",
        hint="See the page on evaluation in the manual for both layouts.",
    )
