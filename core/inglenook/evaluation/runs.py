"""Evaluations that were made: what a run records, and the folder where runs are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from inglenook.errors import StoreError, UserError
from inglenook.evaluation.intervals import Estimate
from inglenook.models.storage import write_atomically

__all__ = ["LAST", "Cited", "Excerpt", "QuestionResult", "Run", "RunFolder", "run_id"]

LAST = "last"
"""The word for the newest run of the same questions."""
_FORMAT = 1
_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The beginning of a passage or document, for reading through failures."""

    source: str
    text: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation of an answer, and whether it is right."""

    source: str
    quote: str
    right: bool


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """How one question went.

    Args:
        id, question: The question.
        expected: The answers that would be right.
        unanswerable: Whether a refusal is right.
        scores: Measure -> value.
        ranking: The ids of the documents found, best first, the first ten.
        first_right: The rank, from 1, of the first right document; None if none was found.
        answer: What was answered; None if no model was asked.
        refused: The answer says that the documents do not hold it.
        extracted: The answer is a quote that code chose, and no model's words.
        citations: What the answer cites.
        error: Why there is no answer, or "".
        search_s, answer_s: Seconds that searching and answering took.
        found, right: Excerpts of what was found and should have been, where something went wrong.
    """

    id: str
    question: str
    expected: tuple[str, ...] = ()
    unanswerable: bool = False
    scores: Mapping[str, float] = field(default_factory=dict)
    ranking: tuple[str, ...] = ()
    first_right: int | None = None
    answer: str | None = None
    refused: bool = False
    extracted: bool = False
    citations: tuple[Cited, ...] = ()
    error: str = ""
    search_s: float = 0.0
    answer_s: float = 0.0
    found: tuple[Excerpt, ...] = ()
    right: tuple[Excerpt, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One evaluation, whole.

    Args:
        id: The name of its file.
        made: When it ended, ISO 8601 with the time zone.
        subject: What was asked: the set's name, layout, split, sizes and fingerprints.
        settings: What can be chosen: mode, embedder, model, limit, seed, ….
        versions: What was used: versions of the program and plugins, digests of models.
        measures: Measure -> mean and interval.
        results: Question by question.
        notices: What should be known, a line each.
        seconds: Stage -> how long it took.
    """

    id: str
    made: str
    subject: Mapping[str, Any]
    settings: Mapping[str, Any]
    versions: Mapping[str, Any]
    measures: Mapping[str, Estimate]
    results: tuple[QuestionResult, ...]
    notices: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        """How many questions got no answer because something broke."""
        return sum(bool(result.error) for result in self.results)

    def form(self) -> dict[str, Any]:
        """Plain data, as it is stored and printed with --json."""
        return {"version": _FORMAT, **asdict(self)}


def run_from(data: Mapping[str, Any]) -> Run:
    """The run of a form. Raises `KeyError` or `TypeError` for anything else."""
    results = tuple(
        QuestionResult(
            **{
                **entry,
                "expected": tuple(entry["expected"]),
                "ranking": tuple(entry["ranking"]),
                "citations": tuple(Cited(**c) for c in entry["citations"]),
                "found": tuple(Excerpt(**e) for e in entry["found"]),
                "right": tuple(Excerpt(**e) for e in entry["right"]),
            }
        )
        for entry in data["results"]
    )
    return Run(
        id=data["id"],
        made=data["made"],
        subject=data["subject"],
        settings=data["settings"],
        versions=data["versions"],
        measures={name: Estimate(**value) for name, value in data["measures"].items()},
        results=results,
        notices=tuple(data["notices"]),
        seconds=data["seconds"],
    )


def run_id(made: datetime, name: str) -> str:
    """A name that sorts by time and can be typed."""
    words = re.sub(r"[^\w.]+", "-", name).strip("-._")[:40] or "run"
    return f"{made:%Y%m%d-%H%M%S}-{words}"


def _in_time(id: str) -> tuple[str, int]:
    """Orders runs of the same second and name by the number behind it."""
    name, _, number = id.rpartition("-")
    return (name, int(number)) if number.isdecimal() and name else (id, 1)


class RunFolder:
    """The runs of an installation, one JSON file each.

    Args:
        folder: Made when the first run is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, run: Run) -> Path:
        """Write the run; its file. Raises `StoreError`."""
        path = self.folder / f"{run.id}{_SUFFIX}"
        data = json.dumps(run.form(), ensure_ascii=False, indent=1).encode("utf-8", "replace")
        try:
            write_atomically(path, data, self.folder)
        except OSError as error:
            raise StoreError(
                f"The run could not be kept in {self.folder}: {error.strerror}.",
                hint="Free some space or check its permissions, then run it again.",
            ) from error
        return path

    def ids(self) -> tuple[str, ...]:
        """The names of all runs, oldest first."""
        return tuple(sorted((p.stem for p in self.folder.glob(f"*{_SUFFIX}")), key=_in_time))

    def free_id(self, made: datetime, name: str) -> str:
        """A name that no run has yet."""
        wanted = run_id(made, name)
        known = set(self.ids())
        names = (f"{wanted}-{n}" if n > 1 else wanted for n in range(1, len(known) + 2))
        return next(one for one in names if one not in known)

    def load(self, id: str) -> Run:
        """The run of that name, or the only one whose name begins so. Raises `UserError`."""
        known = self.ids()
        fitting = [one for one in known if one.startswith(id)]
        if id in known:
            fitting = [id]
        if len(fitting) != 1:
            problem = "is no run" if not fitting else f"fits {len(fitting)} runs"
            raise UserError(f"'{id}' {problem}.", hint="See all with: nook eval --list")
        path = self.folder / f"{fitting[0]}{_SUFFIX}"
        try:
            return run_from(json.loads(path.read_bytes()))
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"{path} is not a run that this version can read.", hint="Delete it, or keep it."
            ) from error

    def all(self) -> tuple[tuple[Run, ...], tuple[str, ...]]:
        """Every run, oldest first, and a line for each file that could not be read."""
        runs, problems = [], []
        for id in self.ids():
            try:
                runs.append(self.load(id))
            except StoreError as error:
                problems.append(error.message)
        return tuple(runs), tuple(problems)

    def newest_of(self, name: str, layout: str, split: str) -> Run:
        """The newest run over the same set. Raises `UserError` if there is none."""
        wanted = (name, layout, split)
        # The newest one that can be read; --list tells of the others.
        for run in reversed(self.all()[0]):
            if wanted == tuple(run.subject.get(key) for key in ("name", "layout", "split")):
                return run
        raise UserError(
            f"There is no earlier run of {name} to compare with.",
            hint="Run it without --against first; see all runs with: nook eval --list",
        )
