"""Reads an assistant's documents as a job in the room, and shows how far it is."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from inglenook.assistants.passwords import Passwords
from inglenook.cli.columns import wrapped
from inglenook.cli.interrupts import INTERRUPTED, end_at_once, stopped_by_interrupt
from inglenook.cli.outcomes import as_before, failures, outcome_table, summary
from inglenook.cli.reading_progress import ReadingProgress
from inglenook.errors import Cancelled, InglenookError
from inglenook.jobs import Job, JobRoom
from inglenook.types import (
    CancelToken,
    IngestEvent,
    IngestPlan,
    IngestProgress,
    IngestReport,
    Notice,
    SourceResult,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inglenook.assistants.assistant import Assistant
    from inglenook.cli.session import Session

__all__ = [
    "Reading",
    "exit_code",
    "follow",
    "prepare",
    "read_and_ask",
    "read_documents",
    "read_first",
    "require_model",
    "show_report",
]


@dataclass(frozen=True, slots=True)
class Reading:
    """An ingestion that has ended: what was to be done, and how it went.

    Args:
        plan: What was to be done.
        report: How it went.
        old_notices: Those of the report that an earlier run told.
    """

    plan: IngestPlan
    report: IngestReport
    old_notices: tuple[Notice, ...] = ()

    @property
    def old_failures(self) -> tuple[SourceResult, ...]:
        """What failed before, was not tried again, and so is nothing new."""
        not_tried = {step.path for step in self.plan.steps if step.task == "still-failed"}
        return tuple(
            result
            for result in self.report.results
            if not result.is_whole and (result.path in not_tried or result.outcome == "unchanged")
        )

    @property
    def news(self) -> tuple[SourceResult, ...]:
        """How all others ended."""
        old = {result.path for result in self.old_failures}
        return tuple(result for result in self.report.results if result.path not in old)


def read_documents(
    session: Session,
    assistant: Assistant,
    *,
    retry_failed: bool | Collection[str] = False,
    passwords: Passwords | None = None,
    verbose: bool = False,
    notes: bool = True,
) -> Reading:
    """Read what is new or changed. Ctrl-C finishes what is in hand and keeps what is done.

    Args:
        session: The run.
        assistant: Whose documents.
        retry_failed: Read again what failed before; or only the sources with these paths.
        passwords: What to try on encrypted documents; by default what the keyring has.
        verbose: Show every note.
        notes: Whether to show any; not where they were shown just now.
    """
    known = passwords or Passwords()

    def work(cancel: CancelToken) -> Iterator[IngestEvent]:
        return assistant.ingest_events(
            cancel,
            retry_failed=retry_failed,
            passwords=known,
        )

    stop = CancelToken()
    room = JobRoom(at_once=1)
    try:
        with stopped_by_interrupt(stop):
            name = f"Reading the documents of {assistant.name}"
            job = room.start(name, work, passing=(IngestProgress,))
            stop.on_cancel(job.cancel)
            return follow(session, job, stop, verbose=verbose, notes=notes)
    except KeyboardInterrupt:
        end_at_once(session.terminal)
        raise
    finally:
        room.close()


def follow(
    session: Session,
    job: Job[IngestEvent],
    stop: CancelToken,
    *,
    verbose: bool = False,
    notes: bool = True,
) -> Reading:
    """Show a job until it has ended. Raises what it failed with.

    Args:
        session: The run.
        job: An ingestion.
        stop: Says when the user wants it to stop.
        verbose: Show every note.
        notes: Whether to show any.
    """
    plan, report = IngestPlan(0, 0, 0, 0), None
    told: set[Notice] = set()
    with ReadingProgress(session.terminal, verbose=verbose) as progress:
        forget = stop.on_cancel(partial(_say_stopping, progress))
        try:
            for event in job.observe():
                if notes or isinstance(event, IngestProgress):
                    progress.show(event)
                if isinstance(event, IngestPlan):
                    plan = event
                elif isinstance(event, Notice):
                    told.add(event)
                elif isinstance(event, IngestReport):
                    report = event
        finally:
            forget()
        old = tuple(n for n in report.notices if n not in told) if report is not None else ()
        for notice in old if notes and verbose else ():
            progress.show(notice)
    job.check()
    if report is None:
        if job.state == "cancelled":
            raise Cancelled
        raise InglenookError(f"{job.name} ended without a report.")
    return Reading(plan, report, () if verbose else old)


def _say_stopping(progress: ReadingProgress) -> None:
    # Whoever reads stderr may be gone by now; it stops all the same.
    with suppress(OSError):
        progress.say("Stopping: what is in hand is finished first. Ctrl-C again ends it at once.")


def read_and_ask(
    session: Session,
    assistant: Assistant,
    *,
    retry_failed: bool = False,
    verbose: bool = False,
) -> Reading:
    """Read what is new or changed; on a terminal, ask for the passwords that are missing."""
    passwords = Passwords()
    first = read_documents(
        session, assistant, retry_failed=retry_failed, passwords=passwords, verbose=verbose
    )
    if not session.terminal.interactive or first.report.cancelled:
        return first
    from inglenook.cli.password_questions import with_passwords

    def read_again(paths: Collection[str]) -> IngestReport:
        again = read_documents(
            session, assistant, retry_failed=paths, passwords=passwords, notes=False
        )
        return again.report

    report = with_passwords(session.terminal, passwords, first, read_again)
    return replace(first, report=report)


def show_report(session: Session, name: str, reading: Reading, *, verbose: bool = False) -> None:
    """Print how a reading ended: what is new of it, and how much is as it was.

    Args:
        session: The run.
        name: What the user calls the assistant.
        reading: The reading.
        verbose: List everything.
    """
    terminal = session.terminal
    width, report = terminal.out_columns, reading.report
    whole = verbose or not terminal.out_is_terminal
    old = () if verbose else reading.old_failures
    results = report.results if verbose else reading.news
    lines = [
        outcome_table(results, whole=whole, width=width),
        _fitted(summary(report, reading.old_failures), width),
        as_before(old, len(reading.old_notices), name, width=width),
    ]
    terminal.out("\n".join(filter(None, lines)))


def _fitted(line: str, width: int | None) -> str:
    return line if width is None else wrapped(line, width)


def prepare(
    session: Session, assistant: Assistant, *, ingest: bool = True, extractive: bool = False
) -> int:
    """Make an assistant ready to be asked: its model is here, its documents were read once.

    With `extractive` no model is needed. Returns the exit code so far: 1 if some of the documents
    could not be read.
    """
    if assistant.needs_model and not extractive:
        require_model(session, assistant)
        tell_remote(session, assistant)
    return read_first(session, assistant) if ingest else 0


def read_first(session: Session, assistant: Assistant) -> int:
    """Read documents that were never read; 0, or 1 if some of them could not be."""
    if not assistant.needs_ingest:
        return 0
    session.terminal.note(f"Reading the documents of {assistant.name} for the first time.")
    report = read_documents(session, assistant).report
    session.terminal.note(summary(report))
    for line in failures(report.results):
        session.terminal.error(line)
    return exit_code(report)


def require_model(session: Session, assistant: Assistant) -> None:
    """Raise at once for a model that is not here, before minutes are spent on documents."""
    from inglenook.assistants.composition import model_of

    base = assistant.path.parent if assistant.path is not None else None
    model_of(assistant.profile, base, session.installation.library, session.installation.host)


def tell_remote(session: Session, assistant: Assistant) -> None:
    """Say before a question leaves this machine where it goes."""
    if assistant.remote:
        session.terminal.note(
            f"Remote: questions and the passages for them go to {assistant.remote}."
        )


def exit_code(report: IngestReport) -> int:
    """0 all in, 1 some failed, 130 stopped."""
    return INTERRUPTED if report.cancelled else report.exit_code
