"""Measures models on this machine: each round in fresh processes, the subjects in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inglenook.errors import ContextOverflowError, InglenookError, ModelError, UserError
from inglenook.models.bench_report import (
    BenchPlan,
    BenchReport,
    BenchSubject,
    Measurement,
    Sample,
)
from inglenook.models.bench_runs import (
    OpenFailure,
    Round,
    TextIds,
    bare_sample,
    runtime_sample,
)
from inglenook.models.machine import CpuTimes, Machine
from inglenook.models.memory_need import least_memory_bytes
from inglenook.models.storage import megabytes
from inglenook.types import CancelToken, Notice

__all__ = ["BenchStep", "Benchmark"]

_OTHERS_NOTICED = 0.1
"""The share of the processors that other programs may have before it is told."""

_Place = tuple[int, int, int]
"""Subject, context length, requests at the same time."""


@dataclass(frozen=True, slots=True)
class BenchStep:
    """What is about to be measured: the round that will be number `done + 1` of `total`."""

    subject: BenchSubject
    context_length: int
    parallel: int
    round: int
    done: int
    total: int


class Benchmark:
    """Measures and keeps what it measured, also when it is stopped or fails.

    Args:
        subjects: The first one is compared with each other one.
        plan: What is measured.
        machine: This machine, as it was before.
        log: The log file of a subject's native output.
    """

    def __init__(
        self,
        subjects: tuple[BenchSubject, ...],
        plan: BenchPlan,
        machine: Machine,
        log: Callable[[BenchSubject], Path],
    ) -> None:
        self._subjects = subjects
        self._plan = plan
        self._machine = machine
        self._log = log
        self._samples: dict[_Place, list[Sample]] = {
            (subject, context, parallel): []
            for context in plan.contexts
            for parallel in plan.parallel
            for subject in range(len(subjects))
        }
        self._refused: dict[_Place, InglenookError] = {}
        self._ids: TextIds | None = None
        self._before = CpuTimes.now()

    def steps(self, cancel: CancelToken) -> Iterator[BenchStep]:
        """Yield before each round, which runs when the next step is asked for.

        What cannot be measured in one place, such as more requests than a runtime takes, is kept as
        a refusal. Raises `RuntimeFailure` if a runtime fails or dies, `Cancelled`, and the first
        refusal if nothing could be measured at all.
        """
        self._refuse_what_cannot_fit()
        done, total = 0, len(self._samples) * self._plan.rounds
        for turn in range(self._plan.rounds):
            # Forth and back, so that what grows slower meanwhile slows all the same.
            places = list(self._samples)
            for place in places if turn % 2 == 0 else reversed(places):
                if place not in self._refused:
                    subject, context, parallel = place
                    yield BenchStep(
                        self._subjects[subject], context, parallel, turn + 1, done, total
                    )
                    self._measure(place, turn, cancel)
                done += 1
        if self._refused and not any(self._samples.values()):
            raise next(iter(self._refused.values()))

    def report(
        self,
        made: str,
        version: str,
        *,
        cancelled: bool = False,
        error: InglenookError | None = None,
    ) -> BenchReport:
        """What was measured so far. `made` is the time in ISO 8601, `version` this program's."""
        after = CpuTimes.now()
        others = after.others_since(self._before) if after and self._before else None
        told = None
        if error is not None:
            told = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
        measurements = []
        for place, samples in self._samples.items():
            refusal = self._refused.get(place)
            if samples or refusal is not None:
                why = refusal.message if refusal is not None else ""
                measurements.append(Measurement(*place, tuple(samples), why))
        return BenchReport(
            made,
            version,
            self._machine,
            self._plan,
            self._subjects,
            tuple(measurements),
            tuple(self._device(number) for number in range(len(self._subjects))),
            round(others, 3) if others is not None else None,
            tuple(self._notices(others)),
            cancelled,
            told,
        )

    # --- measuring ------------------------------------------------------------------------------

    def _refuse_what_cannot_fit(self) -> None:
        """Refuse places whose prompt does not fit, or whose model is larger than the memory."""
        for place in self._samples:
            number, context, parallel = place
            subject = self._subjects[number]
            if self._plan.prompt_at(context) < 1:
                self._refused[place] = self._too_small(context)
            elif error := self._too_large(subject, context, parallel):
                self._refused[place] = error

    def _too_small(self, context: int) -> InglenookError:
        prompt = (
            f"a prompt of {self._plan.prompt_tokens}" if self._plan.prompt_tokens else "a prompt"
        )
        return UserError(
            f"A context of {context} tokens has no room for {prompt} and an answer of "
            f"{self._plan.tokens}.",
            hint="Make --context larger, or --tokens smaller.",
        )

    def _too_large(
        self, subject: BenchSubject, context: int, parallel: int
    ) -> InglenookError | None:
        has = self._machine.memory_bytes
        # What a GPU holds is not known before it is tried.
        if has is None or self._machine.has("gpu"):
            return None
        needs = least_memory_bytes(subject.files, context, parallel)
        if needs <= has:
            return None
        return ModelError(
            f"{subject.files.reference} needs at least {megabytes(needs)} of memory for a context "
            f"of {context} tokens and {parallel} at a time; this machine has {megabytes(has)}.",
            hint="Choose a smaller model or quantisation, or a smaller --context.",
        )

    def _measure(self, place: _Place, turn: int, cancel: CancelToken) -> None:
        number, context, parallel = place
        subject = self._subjects[number]
        asked = Round(context, parallel, self._plan.prompt_at(context), self._plan.tokens, turn)
        try:
            if subject.bare:
                sample = self._bare(subject, asked, cancel)
            else:
                sample, ids = runtime_sample(subject, asked, self._log(subject), cancel)
                self._ids = ids if number == 0 else self._ids
        except (UserError, ContextOverflowError) as error:
            self._refused[place] = error
            return
        except OpenFailure as failure:
            if not self._was_opened(number):
                raise failure.error from None
            # It opens with less: what is asked for here is too much.
            self._refused[place] = failure.error
            return
        self._samples[place].append(sample)

    def _was_opened(self, number: int) -> bool:
        return any(samples for place, samples in self._samples.items() if place[0] == number)

    def _bare(self, subject: BenchSubject, asked: Round, cancel: CancelToken) -> Sample:
        if self._ids is None or (0, asked.context_length, asked.parallel) in self._refused:
            raise UserError("There is nothing to compare it with.")
        return bare_sample(subject, asked, self._ids, self._log(subject), cancel)

    # --- what to know ---------------------------------------------------------------------------

    def _device(self, number: int) -> str:
        for (subject, _, _), samples in self._samples.items():
            if subject == number and samples:
                return samples[0].device
        return ""

    def _notices(self, others: float | None) -> Iterator[Notice]:
        if self._machine.is_busy:
            text = (
                f"The machine was busy before: a load of {self._machine.load:g} on "
                f"{self._machine.usable} usable processors."
            )
            yield Notice("busy-before", text)
        if others is not None and others >= _OTHERS_NOTICED:
            text = (
                f"Other programs had {others:.0%} of the processors meanwhile: on an idle machine "
                "the figures are better."
            )
            yield Notice("busy", text)
        short = {
            made
            for samples in self._samples.values()
            for sample in samples
            if (made := sample.completion_tokens) is not None and made < self._plan.tokens
        }
        if short:
            text = f"Some answers ended by themselves, after {min(short)} tokens or more."
            yield Notice("short-answers", text)
