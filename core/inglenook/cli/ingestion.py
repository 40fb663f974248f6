"""Reads an assistant's documents, shows how far it is, and prints how each one ended."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from inglenook.cli.columns import columns, count, shortened
from inglenook.cli.interrupts import stopped_by_interrupt
from inglenook.cli.progress import Progress
from inglenook.cli.terminal import visible
from inglenook.errors import InglenookError
from inglenook.types import (
    CancelToken,
    IngestPlan,
    IngestProgress,
    IngestReport,
    Notice,
    SourceResult,
)

if TYPE_CHECKING:
    from inglenook.assistants.assistant import Assistant
    from inglenook.cli.session import Session

__all__ = [
    "exit_code",
    "outcomes",
    "prepare",
    "read_documents",
    "read_first",
    "report_form",
    "require_model",
    "summary",
]

_MESSAGE = 160
_TO_DO = {
    "broken": "replace it with a whole copy",
    "encrypted": "save a copy without a password",
    "no text: needs OCR": "run a text recognition (OCR) over it",
    "too large": "split it into smaller files",
    "unsupported": "see what can be read with: nook doctor",
    "unreadable": "check its permissions",
    "timed out": "try again, or split it",
}


def read_documents(
    session: Session, assistant: Assistant, *, retry_failed: bool = False
) -> IngestReport:
    """Read what is new or changed. Ctrl-C stops between two documents and keeps what is done."""
    cancel = CancelToken()
    report: IngestReport | None = None
    with stopped_by_interrupt(cancel), Progress(session.terminal) as progress:
        for event in assistant.ingest_events(cancel, retry_failed=retry_failed):
            if isinstance(event, IngestPlan) and event.to_read:
                progress.show("reading", 0, event.to_read)
            elif isinstance(event, IngestProgress):
                progress.show(visible(event.name), event.done, event.total)
            elif isinstance(event, SourceResult):
                for notice in event.notices:
                    progress.note(visible(f"{event.name}: {notice.message}"))
            elif isinstance(event, Notice):
                progress.note(visible(event.message))
            elif isinstance(event, IngestReport):
                report = event
    if report is None:
        raise InglenookError(f"Reading the documents of '{assistant.name}' ended without a report.")
    return report


def prepare(session: Session, assistant: Assistant, *, ingest: bool = True) -> int:
    """Make an assistant ready to be asked: its model is here, its documents were read once.

    Returns the exit code so far: 1 if some of the documents could not be read.
    """
    require_model(session, assistant)
    return read_first(session, assistant) if ingest else 0


def read_first(session: Session, assistant: Assistant) -> int:
    """Read documents that were never read; 0, or 1 if some of them could not be."""
    if not assistant.needs_ingest:
        return 0
    session.terminal.note(f"Reading the documents of {assistant.name} for the first time.")
    report = read_documents(session, assistant)
    session.terminal.note(summary(report))
    failed = [r for r in report.results if r.outcome in ("failed", "quarantined")]
    for result in failed:
        session.terminal.error(f"{visible(result.name)}: {result.outcome}: {_reason(result)}")
    return exit_code(report)


def require_model(session: Session, assistant: Assistant) -> None:
    """Raise at once for a model that is not here, before minutes are spent on documents."""
    from inglenook.assistants.composition import model_files

    base = assistant.path.parent if assistant.path is not None else None
    model_files(assistant.profile.model, base, session.installation.library)


def outcomes(report: IngestReport) -> str:
    """A table of every source that is not just as it was before; "" if there is none."""
    rows = [
        (result.outcome, visible(result.name), str(result.chunks or ""), _reason(result))
        for result in report.results
        if result.outcome != "unchanged"
    ]
    return columns(("OUTCOME", "SOURCE", "CHUNKS", ""), rows) if rows else ""


def _reason(result: SourceResult) -> str:
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
    parts = ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())
    stopped = " Stopped before the end; run it again to go on." if report.cancelled else ""
    return (
        f"{parts or 'nothing to do'}; {count(report.sources, 'source')} and "
        f"{count(report.chunks, 'chunk')} in {report.seconds:.1f} s.{stopped}"
    )


def report_form(assistant: str, report: IngestReport) -> dict[str, Any]:
    """The report as `nook ingest --json` prints it."""
    from inglenook.assistants.forms import VERSION, plain

    counts = Counter(result.outcome for result in report.results)
    return {"version": VERSION, "assistant": assistant, "counts": dict(counts), **plain(report)}


def exit_code(report: IngestReport) -> int:
    """0 all in, 1 some failed, 130 stopped."""
    return 130 if report.cancelled else report.exit_code
