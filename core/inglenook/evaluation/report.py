"""Writes a run as one HTML file that needs nothing else: measures, plots, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inglenook.errors import StoreError, UserError
from inglenook.evaluation.comparing import Comparison
from inglenook.evaluation.intervals import Estimate
from inglenook.evaluation.measures import MeasureKind, kind_of
from inglenook.evaluation.runs import QuestionResult, Run

__all__ = ["check_report_path", "report_html", "write_report"]

MOST_FAILURES = 300
MOST_CHANGED = 50
_TEMPLATE = Path(__file__).with_name("report.html.jinja")
_PLOT_WIDTH = 400.0
_RANKS = (("1", 1), ("2", 2), ("3", 3), ("4–5", 5), ("6–10", 10), ("11–100", 100))


@dataclass(frozen=True, slots=True)
class _Bar:
    """A measure in the plot; `x`, `low`, `high` and `before` are in pixels from the left."""

    kind: MeasureKind
    estimate: Estimate
    x: float
    low: float
    high: float
    before: float | None = None


@dataclass(frozen=True, slots=True)
class _Column:
    """How many questions have their first right document at these ranks."""

    label: str
    count: int
    share: float


def check_report_path(path: Path) -> None:
    """Raise `UserError` before hours are spent, if a report cannot be written there."""
    if path.is_dir():
        raise UserError(f"{path} is a folder.", hint="Name the file: --html report.html")
    if not path.absolute().parent.is_dir():
        raise UserError(f"There is no folder {path.absolute().parent} for the report.")


def write_report(path: Path, run: Run, comparison: Comparison | None = None) -> None:
    """Write the report, all at once. Raises `StoreError`."""
    from inglenook.models.storage import write_atomically

    data = report_html(run, comparison).encode("utf-8", "replace")
    try:
        write_atomically(path.absolute(), data, path.absolute().parent)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from error


def report_html(run: Run, comparison: Comparison | None = None) -> str:
    """The report. Every text in it is escaped, and nothing in it is fetched from anywhere."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    failures = failures_of(run.results)
    return template.render(
        run=run,
        title=title_of(run),
        comparison=comparison,
        kind_of=kind_of,
        bars=_bars(run.measures, comparison),
        plot_width=_PLOT_WIDTH,
        columns=_columns(run.results),
        facts=_facts(run),
        failures=failures[:MOST_FAILURES],
        left_out=max(0, len(failures) - MOST_FAILURES),
        most_changed=MOST_CHANGED,
        reasons=reasons,
    )


def title_of(run: Run) -> str:
    """What was evaluated, in a few words."""
    split = run.subject.get("split")
    return f"{run.subject['name']}{f' ({split})' if split else ''}"


def failures_of(results: Sequence[QuestionResult]) -> list[QuestionResult]:
    """What a person should read through, the worst first."""
    return sorted(
        (result for result in results if reasons(result)),
        key=lambda r: (not r.error, sum(r.scores.values()) / max(1, len(r.scores))),
    )


def reasons(result: QuestionResult) -> list[str]:
    """What is wrong with how a question went, in words; empty if nothing is."""
    found = []
    if result.error:
        found.append("no answer: it failed")
    if "ndcg@10" in result.scores and result.first_right is None:
        found.append("nothing right was found")
    elif "ndcg@10" in result.scores and (result.first_right or 0) > 10:
        found.append(f"right only at rank {result.first_right}")
    if result.answer is None:
        return found
    if result.refused and not result.unanswerable:
        found.append("refused, though there is an answer")
    elif result.scores.get("answer_contains", 1.0) < 1.0:
        found.append("none of the expected answers stands in it")
    if result.unanswerable and not result.refused:
        found.append("answered, though there is no answer")
    if not result.unanswerable and not all(c.right for c in result.citations):
        found.append("a citation is not of a right passage")
    return found


def _bars(measures: Mapping[str, Estimate], comparison: Comparison | None) -> list[_Bar]:
    earlier = {d.measure: d.before for d in comparison.differences} if comparison else {}
    return [
        _Bar(
            kind_of(name),
            estimate,
            _PLOT_WIDTH * estimate.value,
            _PLOT_WIDTH * estimate.low,
            _PLOT_WIDTH * estimate.high,
            _PLOT_WIDTH * earlier[name] if name in earlier else None,
        )
        for name, estimate in measures.items()
    ]


def _columns(results: Sequence[QuestionResult]) -> list[_Column]:
    ranks = [result.first_right for result in results if "ndcg@10" in result.scores]
    counts, above = [], 0
    for label, most in _RANKS:
        counts.append((label, sum(rank is not None and above < rank <= most for rank in ranks)))
        above = most
    counts.append(("later or never", len(ranks) - sum(count for _, count in counts)))
    largest = max((count for _, count in counts), default=0)
    return [_Column(label, n, n / largest) for label, n in counts] if largest else []


def _facts(run: Run) -> list[tuple[str, str]]:
    """The settings, sizes and versions, flat."""
    facts = [("run", run.id), ("made", run.made)]
    for part in (run.subject, run.settings, run.versions, run.seconds):
        facts += _flat(part, "seconds: " if part is run.seconds else "")
    return facts


def _flat(data: Mapping[str, Any], above: str) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in data.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{above}{key}: ")
        elif value not in (None, ""):
            rows.append((f"{above}{key}".replace("_", " "), str(value)))
    return rows
