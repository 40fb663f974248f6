"""How an ingestion is told, to people and machines: what will be done, how each source ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, get_args

from inglenook.cli.columns import columns, count, shortened
from inglenook.cli.terminal import visible
from inglenook.types import (
    PART_FAILED,
    IngestPlan,
    IngestReport,
    Notice,
    Outcome,
    SourceResult,
)

__all__ = [
    "failures",
    "outcome_table",
    "plan_form",
    "plan_table",
    "reason",
    "report_form",
    "summary",
]

MOST_ROWS = 50
"""Of more rows about what went well, a person sees none but their number."""

_MESSAGE = 160
_TO_DO = {
    "broken": "replace it with a whole copy",
    "encrypted": "on a terminal, nook ingest --retry-failed asks for its password",
    "no text: needs OCR": "run a text recognition (OCR) over it",
    "too large": "split it into smaller files",
    "unsupported": "see what can be read with: nook doctor",
    "unreadable": "check its permissions",
    "timed out": "try again, or split it",
}
_ORDER = get_args(Outcome)
_NOT_WELL = ("still-failed", "unreadable")
_PLAN_WORDS = {"still-failed": "still failed"}

_Row = tuple[str, ...]


# --- the report -----------------------------------------------------------------------------------


def outcome_table(results: Iterable[SourceResult], *, whole: bool = True) -> str:
    """A table of every source that is not just as it was before; "" if there is none.

    What failed is always in it, parts of sources too.

    Args:
        results: How each source ended.
        whole: List what went well even if that is much.
    """
    rows = [
        (result.is_whole, row)
        for result in results
        if not (result.outcome == "unchanged" and result.is_whole)
        for row in _rows(result)
    ]
    return _table(("OUTCOME", "SOURCE", "CHUNKS", ""), rows, whole=whole)


def _table(head: _Row, rows: Sequence[tuple[bool, _Row]], *, whole: bool) -> str:
    """The rows, each with whether it may be left out where there are too many."""
    dispensable = [row for well, row in rows if well]
    hidden = not whole and len(dispensable) > MOST_ROWS
    shown = [row for well, row in rows if not (well and hidden)]
    lines = [columns(head, shown)] if shown else []
    if hidden:
        counts = Counter(row[0] for row in dispensable)
        parts = ", ".join(f"{number:,} {word}" for word, number in counts.most_common())
        lines.append(f"Not listed: {parts}. --verbose lists them.")
    return "\n".join(lines)


def _rows(result: SourceResult) -> list[_Row]:
    """The row of a source, and one for each of its parts that failed."""
    name, chunks = visible(result.name), str(result.chunks or "")
    return [
        (result.outcome, name, chunks, reason(result)),
        *(
            ("part failed", name, "", visible(shortened(notice.message, _MESSAGE)))
            for notice in _failed_parts(result)
        ),
    ]


def _failed_parts(result: SourceResult) -> list[Notice]:
    return [notice for notice in result.notices if notice.code == PART_FAILED]


def failures(results: Iterable[SourceResult]) -> list[str]:
    """A line for each source, or part of one, that could not be read."""
    return [
        ": ".join(filter(None, (row[1], row[0], row[3])))
        for result in results
        if not result.is_whole
        for row in _rows(result)
        if row[0] in ("failed", "quarantined", "part failed")
    ]


def reason(result: SourceResult) -> str:
    """Why it could not be read and what to do; "" if it could."""
    if result.outcome not in ("failed", "quarantined"):
        return ""
    message = result.message.removeprefix(f"{result.name}: ")
    message = message.replace(result.name, visible(result.name))
    said = f"{result.reason}: {message}" if result.reason else message
    # A message of two sentences says by itself what to do.
    to_do = "" if ". " in message else _TO_DO.get(result.reason, "")
    return visible(shortened(said, _MESSAGE)) + (f" → {to_do}" if to_do else "")


def summary(report: IngestReport) -> str:
    """One line: how many sources ended how, and what there is now."""
    counts = Counter(result.outcome for result in report.results)
    words = [f"{counts[outcome]:,} {outcome}" for outcome in _ORDER if counts[outcome]]
    lost = sum(len(_failed_parts(result)) for result in report.results)
    if lost:
        words.append(f"{count(lost, 'part')} failed")
    stopped = " Stopped before the end; run it again to go on." if report.cancelled else ""
    return (
        f"{', '.join(words) or 'nothing to do'}; {count(report.sources, 'source')} and "
        f"{count(report.chunks, 'chunk')} in {report.seconds:.1f} s.{stopped}"
    )


def report_form(assistant: str, report: IngestReport, *, unchanged: bool = True) -> dict[str, Any]:
    """The report as `nook ingest --json` prints it.

    Args:
        assistant: Whose.
        report: How it went.
        unchanged: List the sources that are whole and as they were; they are counted anyway.
    """
    from inglenook.assistants.forms import VERSION, plain

    counts = Counter(result.outcome for result in report.results)
    listed = (r for r in report.results if unchanged or r.outcome != "unchanged" or not r.is_whole)
    form = plain(replace(report, results=tuple(listed)))
    return {"version": VERSION, "assistant": assistant, "counts": dict(counts), **form}


# --- the plan -------------------------------------------------------------------------------------


def plan_table(plan: IngestPlan, *, whole: bool = True) -> str:
    """A table of what would be done, and a line with the numbers.

    Args:
        plan: What would be done.
        whole: List everything even if that is much.
    """
    rows = [
        (step.task not in _NOT_WELL, (_PLAN_WORDS.get(step.task, step.task), visible(step.name)))
        for step in plan.steps
    ]
    table = _table(("TASK", "SOURCE"), rows, whole=whole)
    numbers = (
        f"{plan.to_read:,} to read, {plan.to_remove:,} to remove, "
        f"{plan.unchanged:,} unchanged; nothing was done."
    )
    return f"{table}\n{numbers}".strip()


def plan_form(assistant: str, plan: IngestPlan) -> dict[str, Any]:
    """The plan as `nook ingest --dry-run --json` prints it."""
    from inglenook.assistants.forms import VERSION, plain

    return {"version": VERSION, "assistant": assistant, **plain(plan)}
