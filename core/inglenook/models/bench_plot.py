"""Draws the figures of a benchmark as one SVG file that needs nothing else."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from inglenook.errors import StoreError, UserError
from inglenook.models.bench_report import FIGURES, BenchReport, Figure, Spread

__all__ = ["bench_svg", "check_plot_path", "write_plot"]

_COLOURS = ("#a4480f", "#1d5f8a", "#1d6b3a", "#7a3d8f", "#8a6d1d", "#5c5650")
_PANEL_WIDTH = 360
_PANEL_HEIGHT = 220
_LEFT = 62
_TOP = 34
_BOTTOM = 40
_RIGHT = 16
_ACROSS = 2
_HEAD = 62
_LEGEND_LINE = 20
_TICKS = 4
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1c1b1a}.soft{fill:#6a655f}.title{font-weight:600}"
    ".grid{stroke:#d9d4cc}.paper{fill:#fdfcfa}.bar{stroke-width:1.5}.line{fill:none;stroke-width:1.5}"
    "@media (prefers-color-scheme:dark){text{fill:#eceae6}.soft{fill:#a8a29a}.grid{stroke:#3d3a36}"
    ".paper{fill:#191817}}"
)


@dataclass(frozen=True, slots=True)
class _Line:
    """One subject with one number of requests, over the context lengths."""

    label: str
    colour: str
    points: tuple[tuple[int, Spread], ...]


def check_plot_path(path: Path) -> None:
    """Raise `UserError` before minutes are spent, if a plot cannot be written there."""
    if path.suffix.lower() != ".svg":
        raise UserError(f"{path} is no .svg file.", hint="Name the plot: --plot bench.svg")
    another = "Name another file: --plot bench.svg"
    folder = path.absolute().parent
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        kind = stat.S_IFREG
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(f"{path} cannot be written: {why}.", hint=another) from error
    if kind == stat.S_IFDIR:
        raise UserError(f"{path} is a folder.", hint="Name the file: --plot bench.svg")
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder} for the plot.", hint="Make it first.")
    if kind != stat.S_IFREG:
        raise UserError(f"{path} is a device or a pipe.", hint=another)
    if not os.access(folder, os.W_OK):
        raise UserError(f"{folder} cannot be written.", hint=another)


def write_plot(path: Path, report: BenchReport) -> None:
    """Write the plot, all at once. Raises `StoreError`."""
    from inglenook.models.storage import write_atomically

    data = bench_svg(report).encode("utf-8", "replace")
    try:
        write_atomically(path.absolute(), data, path.absolute().parent)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}.", hint="Name another file with --plot."
        ) from error


def bench_svg(report: BenchReport) -> str:
    """One panel for each figure, over the context length; whiskers are the spread of the rounds."""
    panels = [(figure, lines) for figure in FIGURES if (lines := _lines(report, figure))]
    legend = list(dict.fromkeys((line.label, line.colour) for _, lines in panels for line in lines))
    rows = -(-len(panels) // _ACROSS)
    head = _HEAD + _LEGEND_LINE * len(legend)
    width, height = _ACROSS * _PANEL_WIDTH, head + max(1, rows) * _PANEL_HEIGHT
    begin = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{_safe(_title(report))}">'
    )
    parts = [
        begin,
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        _text(16, 24, _title(report), "title"),
        _text(16, 44, _remark(report), "soft"),
    ]
    for number, (label, colour) in enumerate(legend):
        y = _HEAD + number * _LEGEND_LINE
        parts.append(f'<circle cx="22" cy="{y}" r="4" fill="{colour}"/>')
        parts.append(_text(34, y + 4, label))
    for number, (figure, lines) in enumerate(panels):
        x, y = number % _ACROSS * _PANEL_WIDTH, head + number // _ACROSS * _PANEL_HEIGHT
        parts.append(f'<g transform="translate({x} {y})">')
        parts += _panel(figure, lines)
        parts.append("</g>")
    if not panels:
        parts.append(_text(16, head + 40, "Nothing was measured."))
    return "\n".join([*parts, "</svg>", ""])


def _title(report: BenchReport) -> str:
    return " and ".join(subject.name for subject in report.subjects)


def _remark(report: BenchReport) -> str:
    processor = report.machine.processor or report.machine.architecture
    rounds = report.plan.rounds
    spread = f"median and spread of {rounds} rounds" if rounds > 1 else "one round"
    return f"{processor}; {spread}, by context length in tokens; {report.made}"


def _lines(report: BenchReport, figure: Figure) -> list[_Line]:
    found: list[_Line] = []
    for number, subject in enumerate(report.subjects):
        for parallel in report.plan.parallel:
            points = [
                (m.context_length, spread)
                for m in report.measurements
                if (m.subject, m.parallel) == (number, parallel)
                and (spread := m.figure(figure.key)) is not None
            ]
            series = number * len(report.plan.parallel) + report.plan.parallel.index(parallel)
            if points:
                label = f"{subject.name}, {subject.runtime}, {parallel} at a time"
                colour = _COLOURS[series % len(_COLOURS)]
                found.append(_Line(label, colour, tuple(sorted(points, key=lambda p: p[0]))))
    return found


def _panel(figure: Figure, lines: list[_Line]) -> Iterator[str]:
    scale = 1e6 if not figure.unit else 1.0
    unit = figure.unit or "MB"
    top = _ceiling(max(spread.high for line in lines for _, spread in line.points) / scale)
    contexts = sorted({context for line in lines for context, _ in line.points})
    plot_height = _PANEL_HEIGHT - _TOP - _BOTTOM
    plot_width = _PANEL_WIDTH - _LEFT - _RIGHT
    step = plot_width / len(contexts)

    def x_of(context: int) -> float:
        return _LEFT + (contexts.index(context) + 0.5) * step

    def y_of(value: float) -> float:
        return _TOP + plot_height * (1 - value / scale / top)

    better = "lower is better" if figure.lower_is_better else "higher is better"
    yield _text(_LEFT, 20, f"{figure.title} ({unit}; {better})", "title")
    right = _PANEL_WIDTH - _RIGHT
    for tick in range(_TICKS + 1):
        value = top * tick / _TICKS
        y = _TOP + plot_height * (1 - tick / _TICKS)
        yield f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(_LEFT - 6, y + 4, f"{value:g}", "soft", "end")
    for context in contexts:
        yield _text(x_of(context), _PANEL_HEIGHT - 20, f"{context}", "soft", "middle")
    for index, line in enumerate(lines):
        # Beside each other, or equal ones would hide each other.
        shift = (index - (len(lines) - 1) / 2) * min(18.0, step / (len(lines) + 1))
        dots = [(x_of(context) + shift, spread) for context, spread in line.points]
        path = " ".join(f"{x:.1f},{y_of(spread.median):.1f}" for x, spread in dots)
        yield f'<polyline class="line" stroke="{line.colour}" points="{path}"/>'
        for x, spread in dots:
            low, high = y_of(spread.low), y_of(spread.high)
            yield (
                f'<line class="bar" stroke="{line.colour}" x1="{x:.1f}" x2="{x:.1f}" '
                f'y1="{low:.1f}" y2="{high:.1f}"/>'
            )
            shown = f"{line.label}: {spread.median / scale:.4g} {unit}"
            yield (
                f'<circle cx="{x:.1f}" cy="{y_of(spread.median):.1f}" r="3.5" fill="{line.colour}">'
                f"<title>{_safe(shown)}</title></circle>"
            )


def _ceiling(value: float) -> float:
    """A round number that is not below the value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value * 0.999_999)


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "start") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_safe(text)}</text>'


def _safe(text: str) -> str:
    """Escaped, and without the characters that XML has no place for."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in text))
