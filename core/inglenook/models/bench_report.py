"""What a benchmark of models measured: figures over rounds, how subjects compare, and its form."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inglenook.models.machine import Machine, machine_form
from inglenook.types import ModelFiles, Notice, RuntimeOptions

__all__ = [
    "FIGURES",
    "SEED",
    "BenchPlan",
    "BenchReport",
    "BenchSubject",
    "Comparison",
    "Figure",
    "Measurement",
    "Sample",
    "Spread",
]

VERSION = 1
SEED = 1
_DIGITS = 6
_SPARE_TOKENS = 4
"""What is left free of a context that a prompt and its answer fill."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that is measured.

    Args:
        key: Its name in forms; the unit is in it.
        title: For people.
        unit: Behind its numbers; "" for a size in bytes.
        lower_is_better: Whether a smaller number is the better one.
    """

    key: str
    title: str
    unit: str
    lower_is_better: bool


FIGURES = (
    Figure("load_s", "Load", "s", True),
    Figure("first_token_s", "First token", "s", True),
    Figure("prompt_tokens_per_s", "Reading", "tok/s", False),
    Figure("stream_tokens_per_s", "Writing", "tok/s", False),
    Figure("total_tokens_per_s", "All writing", "tok/s", False),
    Figure("peak_memory_bytes", "Memory", "", True),
)


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What is measured.

    Args:
        contexts: The context lengths, in tokens.
        parallel: How many requests run at the same time.
        prompt_tokens: Tokens of each prompt; None fills the context but for the answer.
        tokens: Tokens of each answer, at most.
        rounds: How often.
    """

    contexts: tuple[int, ...]
    parallel: tuple[int, ...] = (1,)
    prompt_tokens: int | None = None
    tokens: int = 64
    rounds: int = 3

    def prompt_at(self, context: int) -> int:
        """The tokens of a prompt in that context; less than 1 if none fits."""
        fitting = context - self.tokens - _SPARE_TOKENS
        if self.prompt_tokens is None:
            return fitting
        return self.prompt_tokens if self.prompt_tokens <= fitting else 0


@dataclass(frozen=True, slots=True)
class BenchSubject:
    """What is measured: a model in a runtime.

    Args:
        name: What the user called it.
        runtime: The runtime's name.
        load: Its class, `package.module:Class`.
        files: The model.
        options: How to open it; context length and slots are the plan's.
        versions: Of the runtime's libraries, by distribution.
        bare: Whether the library runs it alone.
    """

    name: str
    runtime: str
    load: str
    files: ModelFiles
    options: RuntimeOptions
    versions: Mapping[str, str] = field(default_factory=dict)
    bare: bool = False

    @property
    def is_remote(self) -> bool:
        """Whether a server runs it, in memory that nobody can see from here."""
        return self.files.format == "remote"

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files.files.values() if path.is_file())


@dataclass(frozen=True, slots=True)
class Sample:
    """One round: the value of each figure by its key; None where it cannot be known."""

    values: Mapping[str, float | None]
    prompt_tokens: int | None
    completion_tokens: int | None
    device: str


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over rounds, the lowest and the highest, and all of them in order."""

    median: float
    low: float
    high: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread | None:
        """None if there is nothing to spread."""
        known = tuple(value for value in values if value is not None)
        if not known:
            return None
        return cls(statistics.median(known), min(known), max(known), known)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One subject with one context length and number of requests at the same time.

    `refused` says why there is none, or "".
    """

    subject: int
    context_length: int
    parallel: int
    samples: tuple[Sample, ...] = ()
    refused: str = ""

    @property
    def place(self) -> tuple[int, int]:
        return self.context_length, self.parallel

    def figure(self, key: str) -> Spread | None:
        """A figure over the rounds."""
        return Spread.of([sample.values.get(key) for sample in self.samples])

    def tokens(self, which: str) -> int | None:
        """`prompt_tokens` or `completion_tokens` of one request, the median over the rounds."""
        counts = [n for sample in self.samples if (n := getattr(sample, which)) is not None]
        return int(statistics.median(counts)) if counts else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the first subject compares with another one in the same place.

    `ratios` are the first one's figures divided by the other's, round by round, so that a machine
    that grows slower meanwhile slows both.
    """

    against: int
    context_length: int
    parallel: int
    ratios: Mapping[str, Spread]


@dataclass(frozen=True, slots=True)
class BenchReport:
    """All that was measured.

    Args:
        made: When, in ISO 8601.
        version: Of this program.
        machine: Where; its load is that of before.
        plan, subjects: What was asked for.
        measurements: Of every place that was tried.
        devices: Where each subject ran, and why there; "" for one that was not opened.
        others_share: The share of all processors that other programs had meanwhile; None if
            unknown.
        notices: What should be known of the figures.
        cancelled: Whether it was stopped.
        error: What ended it: `type`, `message` and `hint`; None for nothing.
    """

    made: str
    version: str
    machine: Machine
    plan: BenchPlan
    subjects: tuple[BenchSubject, ...]
    measurements: tuple[Measurement, ...]
    devices: tuple[str, ...]
    others_share: float | None
    notices: tuple[Notice, ...] = ()
    cancelled: bool = False
    error: Mapping[str, str] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether not one round was finished."""
        return not any(measurement.samples for measurement in self.measurements)

    def comparisons(self) -> Iterator[Comparison]:
        """The first subject against each other one, where both were measured."""
        found = {(m.subject, m.place): m for m in self.measurements if m.samples}
        for (subject, place), other in found.items():
            first = found.get((0, place))
            if subject == 0 or first is None:
                continue
            ratios = {figure.key: _ratios(first, other, figure.key) for figure in FIGURES}
            known = {key: ratio for key, ratio in ratios.items() if ratio is not None}
            yield Comparison(subject, *place, known)

    def form(self) -> dict[str, Any]:
        """As `nook bench --json` prints it."""
        return {
            "version": VERSION,
            "made": self.made,
            "machine": {**machine_form(self.machine), "others_share": self.others_share},
            "settings": {
                "contexts": list(self.plan.contexts),
                "parallel": list(self.plan.parallel),
                "prompt_tokens": self.plan.prompt_tokens,
                "tokens": self.plan.tokens,
                "rounds": self.plan.rounds,
                "temperature": 0,
                "seed": SEED,
                "inglenook": self.version,
            },
            "subjects": [
                _subject_form(subject, device)
                for subject, device in zip(self.subjects, self.devices, strict=True)
            ],
            "measurements": [_measurement_form(m) for m in self.measurements],
            "comparisons": [
                {
                    "subject": 0,
                    "against": one.against,
                    "context_length": one.context_length,
                    "parallel": one.parallel,
                    "ratios": {key: _spread_form(ratio) for key, ratio in one.ratios.items()},
                }
                for one in self.comparisons()
            ],
            "notices": [{"code": n.code, "message": n.message, "page": 0} for n in self.notices],
            "cancelled": self.cancelled,
            "error": dict(self.error) if self.error is not None else None,
        }


def _subject_form(subject: BenchSubject, device: str) -> dict[str, Any]:
    return {
        "name": subject.name,
        "model": subject.files.reference,
        "format": subject.files.format,
        "digest": subject.files.digest,
        "size_bytes": subject.size_bytes,
        "runtime": subject.runtime,
        "bare": subject.bare,
        "libraries": dict(subject.versions),
        "device": device,
    }


def _measurement_form(measurement: Measurement) -> dict[str, Any]:
    return {
        "subject": measurement.subject,
        "context_length": measurement.context_length,
        "parallel": measurement.parallel,
        "prompt_tokens": measurement.tokens("prompt_tokens"),
        "completion_tokens": measurement.tokens("completion_tokens"),
        "rounds": len(measurement.samples),
        "refused": measurement.refused,
        "figures": {
            figure.key: _spread_form(measurement.figure(figure.key), whole=not figure.unit)
            for figure in FIGURES
        },
    }


def _spread_form(spread: Spread | None, *, whole: bool = False) -> dict[str, Any] | None:
    if spread is None:
        return None

    def rounded(value: float) -> float:
        return round(value) if whole else round(value, _DIGITS)

    return {
        "median": rounded(spread.median),
        "low": rounded(spread.low),
        "high": rounded(spread.high),
        "values": [rounded(value) for value in spread.values],
    }


def _ratios(first: Measurement, other: Measurement, key: str) -> Spread | None:
    pairs = zip(first.samples, other.samples, strict=False)
    values = [(ours.values.get(key), theirs.values.get(key)) for ours, theirs in pairs]
    return Spread.of([a / b if a is not None and b else None for a, b in values])
