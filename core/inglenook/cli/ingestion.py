"""Reads an assistant's documents as a job in the room, and shows how far it is."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from inglenook.assistants.passwords import Passwords
from inglenook.cli.interrupts import INTERRUPTED, end_at_once, stopped_by_interrupt
from inglenook.cli.outcomes import failures, summary
from inglenook.cli.reading_progress import ReadingProgress
from inglenook.errors import Cancelled, InglenookError
from inglenook.jobs import Job, JobRoom
from inglenook.types import CancelToken, IngestEvent, IngestPlan, IngestProgress, IngestReport

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
]


@dataclass(frozen=True, slots=True)
class Reading:
    """An ingestion that has ended: what was to be done, and how it went."""

    plan: IngestPlan
    report: IngestReport


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
    with ReadingProgress(session.terminal, verbose=verbose) as progress:
        forget = stop.on_cancel(partial(_say_stopping, progress))
        try:
            for event in job.observe():
                if notes or isinstance(event, IngestProgress):
                    progress.show(event)
                if isinstance(event, IngestPlan):
                    plan = event
                elif isinstance(event, IngestReport):
                    report = event
        finally:
            forget()
    job.check()
    if report is None:
        if job.state == "cancelled":
            raise Cancelled
        raise InglenookError(f"{job.name} ended without a report.")
    return Reading(plan, report)


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
) -> IngestReport:
    """Read what is new or changed; on a terminal, ask for the passwords that are missing."""
    passwords = Passwords()
    first = read_documents(
        session, assistant, retry_failed=retry_failed, passwords=passwords, verbose=verbose
    )
    if not session.terminal.interactive or first.report.cancelled:
        return first.report
    from inglenook.cli.password_questions import with_passwords

    def read_again(paths: Collection[str]) -> IngestReport:
        again = read_documents(
            session, assistant, retry_failed=paths, passwords=passwords, notes=False
        )
        return again.report

    return with_passwords(session.terminal, passwords, first, read_again)


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
    report = read_documents(session, assistant).report
    session.terminal.note(summary(report))
    for line in failures(report.results):
        session.terminal.error(line)
    return exit_code(report)


def require_model(session: Session, assistant: Assistant) -> None:
    """Raise at once for a model that is not here, before minutes are spent on documents."""
    from inglenook.assistants.composition import model_files

    base = assistant.path.parent if assistant.path is not None else None
    model_files(assistant.profile.model, base, session.installation.library)


def exit_code(report: IngestReport) -> int:
    """0 all in, 1 some failed, 130 stopped."""
    return INTERRUPTED if report.cancelled else report.exit_code
