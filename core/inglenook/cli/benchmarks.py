"""How the figures of `nook bench` look in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from inglenook.cli.columns import columns, megabytes, wrapped
from inglenook.cli.device_lists import machine_lines
from inglenook.cli.terminal import visible

if TYPE_CHECKING:
    from inglenook.models.bench_report import (
        BenchReport,
        BenchSubject,
        Comparison,
        Figure,
        Measurement,
        Spread,
    )

__all__ = ["bench_text"]

_INDENT = "  "
_TITLE = 13
_VALUE = 14


def bench_text(report: BenchReport, width: int | None) -> str:
    """All figures of a report. `width` is that of the terminal; None ends no line early."""
    lines = [*machine_lines(report.machine, width)]
    for number, subject in enumerate(report.subjects):
        lines += ["", *_subject(subject, report.devices[number], width)]
        measurements = [m for m in report.measurements if m.subject == number]
        measured = [m for m in measurements if m.samples]
        lines.append(_figures(measured, report.plan.rounds, width))
        lines += [
            _whole(f"{_place(m)}: not measured. {m.refused}", width)
            for m in measurements
            if m.refused
        ]
    for comparison in _compared(report):
        lines += ["", comparison]
    return "\n".join(lines)


def _subject(subject: BenchSubject, device: str, width: int | None) -> Iterator[str]:
    libraries = ", ".join(f"{name} {version}" for name, version in subject.versions.items())
    where = f" on {device}" if device else ""
    how = "the library alone" if subject.bare else f"runtime {subject.runtime}"
    text = f"{visible(subject.name)}: {how}{f' ({libraries})' if libraries else ''}{where}"
    yield _whole(text, width)


def _whole(text: str, width: int | None) -> str:
    return wrapped(text, width, _INDENT, "") if width else text


def _figures(measurements: Sequence[Measurement], rounds: int, width: int | None) -> str:
    """A table, or where the terminal is too narrow for it a list."""
    if not measurements:
        return "Nothing was measured."
    table = _table(measurements, rounds)
    if width is None or max(map(len, table.splitlines())) <= width:
        return table
    return "\n".join(line for m in measurements for line in _listed(m))


def _listed(measurement: Measurement) -> Iterator[str]:
    from inglenook.models.bench_report import FIGURES

    prompt = measurement.tokens("prompt_tokens")
    read = f", a prompt of {prompt} tokens" if prompt is not None else ""
    yield f"{_place(measurement)}{read}:"
    for figure in FIGURES:
        spread = measurement.figure(figure.key)
        value = f"{_shown(figure, spread.median)} {figure.unit}" if spread else "?"
        between = _range(figure, spread) if len(measurement.samples) > 1 else ""
        yield f"{_INDENT}{figure.title:{_TITLE}}{value:{_VALUE}}{between}".rstrip()


def _table(measurements: Sequence[Measurement], rounds: int) -> str:
    from inglenook.models.bench_report import FIGURES

    head = ("CONTEXT", "AT ONCE", "PROMPT", *(figure.title.upper() for figure in FIGURES))
    units = ("tokens", "", "tokens", *(figure.unit for figure in FIGURES))
    rows: list[tuple[str, ...]] = [units]
    for measurement in measurements:
        spreads = [(figure, measurement.figure(figure.key)) for figure in FIGURES]
        prompt = measurement.tokens("prompt_tokens")
        rows.append(
            (
                f"{measurement.context_length}",
                f"{measurement.parallel}",
                f"{prompt}" if prompt is not None else "?",
                *(_shown(figure, s.median) if s else "?" for figure, s in spreads),
            )
        )
        if rounds > 1 and len(measurement.samples) > 1:
            rows.append(("", "", "", *(_range(figure, s) for figure, s in spreads)))
    return columns(head, rows)


def _range(figure: Figure, spread: Spread | None) -> str:
    if spread is None:
        return ""
    low, high = _shown(figure, spread.low), _shown(figure, spread.high)
    return f"{low}–{high}" if low != high else "="


def _shown(figure: Figure, value: float) -> str:
    """With three digits that mean something."""
    if not figure.unit:
        return megabytes(round(value))
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _place(measurement: Measurement | Comparison) -> str:
    return f"Context {measurement.context_length}, {measurement.parallel} at a time"


def _compared(report: BenchReport) -> Iterator[str]:
    from inglenook.models.bench_report import FIGURES

    by_subject: dict[int, list[tuple[str, ...]]] = {}
    for one in report.comparisons():
        row = (
            f"{one.context_length}",
            f"{one.parallel}",
            *(_ratio(one.ratios, figure) for figure in FIGURES),
        )
        by_subject.setdefault(one.against, []).append(row)
    head = ("CONTEXT", "AT ONCE", *(figure.title.upper() for figure in FIGURES))
    names = [visible(subject.name) for subject in report.subjects]
    if len(set(names)) < len(names):
        names = [f"{s.runtime} with {name}" for s, name in zip(report.subjects, names, strict=True)]
    for against, rows in by_subject.items():
        what = f"{names[0]} divided by {names[against]}, the median of the rounds:"
        yield f"{what}\n{columns(head, rows)}"


def _ratio(ratios: Mapping[str, Spread], figure: Figure) -> str:
    ratio = ratios.get(figure.key)
    return f"{ratio.median:.3f}" if ratio is not None else "?"
