"""Compares two runs over the same questions: how far the means differ, and which questions did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from inglenook.errors import UserError
from inglenook.evaluation.intervals import Estimate, estimate_difference
from inglenook.evaluation.measures import HEADLINES, kind_of
from inglenook.evaluation.runs import Run

__all__ = ["Changed", "Comparison", "Difference", "compare"]


@dataclass(frozen=True, slots=True)
class Changed:
    """A question whose score differs between two runs."""

    id: str
    question: str
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How one measure differs, over the questions that have it in both runs.

    Args:
        measure: Its name.
        before, now: The means over those questions.
        difference: `now - before` with the interval of the paired bootstrap.
        better, worse: The questions that changed, the largest change first; only for headlines.
    """

    measure: str
    before: float
    now: float
    difference: Estimate
    better: tuple[Changed, ...] = ()
    worse: tuple[Changed, ...] = ()

    @property
    def is_certain(self) -> bool:
        """Whether the interval leaves out that nothing changed."""
        return self.difference.low > 0 or self.difference.high < 0

    @property
    def is_better(self) -> bool:
        """Whether the mean moved the right way."""
        up = self.difference.value > 0
        return not up if kind_of(self.measure).lower_is_better else up


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs, side by side.

    Args:
        before: The id of the earlier run.
        changes: Setting or version -> (before, now), where they differ.
        differences: Measure by measure.
        notices: What makes the two less comparable, a line each.
    """

    before: str
    changes: Mapping[str, tuple[str, str]]
    differences: tuple[Difference, ...]
    notices: tuple[str, ...] = ()

    def form(self) -> dict[str, Any]:
        """Plain data for --json."""
        return asdict(self)


def compare(before: Run, now: Run) -> Comparison:
    """What changed from one run to the other, question by question where both asked it.

    Raises `UserError` if they have no question in common.
    """
    earlier = {(r.id, r.question): r for r in before.results}
    pairs = [(earlier[r.id, r.question], r) for r in now.results if (r.id, r.question) in earlier]
    if not pairs:
        raise UserError(
            f"{before.id} asked other questions, so there is nothing to compare.",
            hint="See what each run asked with: nook eval --list",
        )
    differences = []
    for name in now.measures:
        both = [
            Changed(new.id, new.question, old.scores[name], new.scores[name])
            for old, new in pairs
            if name in old.scores and name in new.scores
        ]
        if both:
            differences.append(_difference(name, both))
    return Comparison(
        before.id,
        dict(_changes(before, now)),
        tuple(differences),
        tuple(_notices(before, now, len(pairs))),
    )


def _difference(name: str, both: list[Changed]) -> Difference:
    before, now = [one.before for one in both], [one.now for one in both]
    difference = Difference(
        name, sum(before) / len(both), sum(now) / len(both), estimate_difference(before, now)
    )
    if name not in HEADLINES:
        return difference
    sign = -1 if kind_of(name).lower_is_better else 1
    moved = sorted(both, key=lambda one: -abs(one.now - one.before))
    return Difference(
        name,
        difference.before,
        difference.now,
        difference.difference,
        better=tuple(one for one in moved if sign * (one.now - one.before) > 0),
        worse=tuple(one for one in moved if sign * (one.now - one.before) < 0),
    )


def _changes(before: Run, now: Run) -> Iterator[tuple[str, tuple[str, str]]]:
    """Everything that was chosen or used and differs, one line each."""
    for part in ("settings", "versions"):
        old, new = dict(_flat(getattr(before, part))), dict(_flat(getattr(now, part)))
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                yield key, (old.get(key, "—"), new.get(key, "—"))


def _flat(data: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        else:
            yield name, str(value)


def _notices(before: Run, now: Run, pairs: int) -> Iterator[str]:
    most = max(len(before.results), len(now.results))
    if pairs < most:
        yield f"Only {pairs} of {most} questions are in both runs; those are compared."
    if before.subject.get("documents_fingerprint") != now.subject.get("documents_fingerprint"):
        yield "The documents are not the same in both runs."
    if before.subject.get("questions_fingerprint") != now.subject.get("questions_fingerprint"):
        yield "The questions, or what they expect, are not the same in both runs."
