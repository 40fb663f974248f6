"""How an ingestion is told, to people and machines: what will be done, how each source ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, get_args

from inglenook.cli.columns import count, table_with_remarks, wrapped
from inglenook.cli.terminal import visible
from inglenook.types import (
    PART_FAILED,
    IngestPlan,
    IngestReport,
    Notice,
    Outcome,
    SourceResult,
    without_name,
)

__all__ = [
    "as_before",
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

_Row = tuple[tuple[str, ...], str]
"""The cells of a row, and what there is to remark on it."""


# --- the report -----------------------------------------------------------------------------------


def outcome_table(
    results: Iterable[SourceResult], *, whole: bool = True, width: int | None = None
) -> str:
    """A table of every source that is not just as it was before; "" if there is none.

    What failed is always in it, parts of sources too.

    Args:
        results: How each source ended.
        whole: List what went well even if that is much.
        width: Of the terminal; None for a file or a program.
    """
    rows = [
        (result.is_whole, row)
        for result in results
        if not (result.outcome == "unchanged" and result.is_whole)
        for row in _rows(result)
    ]
    return _table(("OUTCOME", "SOURCE", "CHUNKS"), rows, whole=whole, width=width)


def _table(
    head: tuple[str, ...], rows: Sequence[tuple[bool, _Row]], *, whole: bool, width: int | None
) -> str:
    """The rows, each with whether it may be left out where there are too many."""
    dispensable = [row for well, row in rows if well]
    hidden = not whole and len(dispensable) > MOST_ROWS
    shown = [row for well, row in rows if not (well and hidden)]
    lines = [table_with_remarks(head, shown, width)] if shown else []
    if hidden:
        counts = Counter(cells[0] for cells, _ in dispensable)
        parts = ", ".join(f"{number:,} {word}" for word, number in counts.most_common())
        lines.append(f"Not listed: {parts}. --verbose lists them.")
    return "\n".join(lines)


def _rows(result: SourceResult) -> list[_Row]:
    """The row of a source, and one for each of its parts that failed."""
    name, chunks = visible(result.name), str(result.chunks or "")
    return [
        ((result.outcome, name, chunks), reason(result)),
        *((("part failed", name, ""), visible(notice.message)) for notice in _failed_parts(result)),
    ]


def _failed_parts(result: SourceResult) -> list[Notice]:
    return [notice for notice in result.notices if notice.code == PART_FAILED]


def failures(results: Iterable[SourceResult]) -> list[str]:
    """A line for each source, or part of one, that could not be read."""
    return [
        ": ".join(filter(None, (name, outcome, remark)))
        for result in results
        if not result.is_whole
        for (outcome, name, _), remark in _rows(result)
        if outcome in ("failed", "quarantined", "part failed")
    ]


def reason(result: SourceResult) -> str:
    """Why it could not be read and what to do; "" if it could."""
    if result.outcome not in ("failed", "quarantined"):
        return ""
    message = without_name(result.name, result.message)
    message = message.replace(result.name, visible(result.name))
    said = f"{result.reason}: {message}" if result.reason else message
    # A message of two sentences says by itself what to do, but not how a password is given.
    known = ". " in message and result.reason != "encrypted"
    to_do = "" if known else _TO_DO.get(result.reason, "")
    return visible(" ".join(said.split())) + (f" → {to_do}" if to_do else "")


def as_before(
    old: Sequence[SourceResult], notes: int, name: str, *, width: int | None = None
) -> str:
    """What was told with an earlier run and is so still, counted; "" if there is nothing.

    Args:
        old: Sources that failed, or parts of which did, before this run.
        notes: How many notes are as before.
        name: What to call the assistant in commands.
        width: Of the terminal; None for a file or a program.
    """
    lines = []
    if old:
        lines.append(
            f"{count(len(old), 'document')}, or parts of them, failed before and did not change: "
            f"nook kb status {name} lists them, nook ingest {name} --retry-failed tries again."
        )
    if notes:
        lines.append(f"{count(notes, 'note')} as before; --verbose shows them.")
    return "\n".join(line if width is None else wrapped(line, width) for line in lines)


def summary(report: IngestReport, old: Sequence[SourceResult] = ()) -> str:
    """One line: how many sources ended how, and what there is now.

    Args:
        report: How it went.
        old: Those of its results that an earlier run had already.
    """
    counts = Counter(result.outcome for result in report.results)
    before = sum(result.outcome == "failed" for result in old)
    counts["failed"] -= before
    words = [f"{counts[outcome]:,} {outcome}" for outcome in _ORDER if counts[outcome]]
    if before:
        words.append(f"{before:,} failed before")
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


def plan_table(plan: IngestPlan, *, whole: bool = True, width: int | None = None) -> str:
    """A table of what would be done, and a line with the numbers.

    Args:
        plan: What would be done.
        whole: List everything even if that is much.
        width: Of the terminal; None for a file or a program.
    """
    rows: list[tuple[bool, _Row]] = [
        (
            step.task not in _NOT_WELL,
            ((_PLAN_WORDS.get(step.task, step.task), visible(step.name)), ""),
        )
        for step in plan.steps
    ]
    table = _table(("TASK", "SOURCE"), rows, whole=whole, width=width)
    numbers = (
        f"{plan.to_read:,} to read, {plan.to_remove:,} to remove, "
        f"{plan.unchanged:,} unchanged; nothing was done."
    )
    return f"{table}\n{numbers}".strip()


def plan_form(assistant: str, plan: IngestPlan) -> dict[str, Any]:
    """The plan as `nook ingest --dry-run --json` prints it."""
    from inglenook.assistants.forms import VERSION, plain

    return {"version": VERSION, "assistant": assistant, **plain(plan)}
