"""`nook ingest --watch` on a terminal or for a program: what each run did, as it happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.assistants.passwords import Passwords
from inglenook.assistants.registry import find_profile_file
from inglenook.assistants.watching import RunFailed, Watching
from inglenook.cli.ingestion import follow
from inglenook.cli.interrupts import INTERRUPTED, end_at_once, stopped_by_interrupt
from inglenook.cli.outcomes import outcome_table, report_form, summary
from inglenook.cli.terminal import visible
from inglenook.errors import Cancelled, InglenookError
from inglenook.jobs import Job, JobRoom
from inglenook.types import CancelToken, IngestEvent, IngestReport, Notice, SourceResult

if TYPE_CHECKING:
    from inglenook.assistants.assistant import Assistant
    from inglenook.cli.session import Session

__all__ = ["watch_documents"]


def watch_documents(
    session: Session, name: str, *, retry_failed: bool, verbose: bool, as_json: bool
) -> int:
    """Read what changes until Ctrl-C (130) or the signal to terminate (0)."""
    file = find_profile_file(name)
    # A folder that vanishes and comes back is not the one that a relative path starts from.
    reference = str(file) if file is not None else name

    def open_assistant() -> Assistant:
        return session.fresh_installation().assistant(reference)

    paths = session.settings.paths
    # One run at a time, and no need to remember many: their reports may be long.
    room = JobRoom(at_once=1, remembered=1)
    watching = Watching(
        open_assistant,
        room,
        passwords=Passwords(),
        ignored=(paths.config, paths.data, paths.cache),
    )
    stop = CancelToken()
    try:
        with stopped_by_interrupt(stop, terminate=True) as interrupt:
            events = watching.runs(stop, retry_failed=retry_failed)
            _Show(session, _shown_name(file, name), stop, verbose, as_json).all(events)
        session.terminal.note("Stopped watching.")
        return 0 if interrupt.asked_to_terminate else INTERRUPTED
    except KeyboardInterrupt:
        end_at_once(session.terminal)
        raise
    finally:
        room.close()


def _shown_name(file: Path | None, name: str) -> str:
    return name if file is None else file.parent.name


class _Show:
    """Shows the runs; what failed is told once, not with every run."""

    def __init__(
        self, session: Session, name: str, stop: CancelToken, verbose: bool, as_json: bool
    ) -> None:
        self._session = session
        self._terminal = session.terminal
        self._name = name
        self._stop = stop
        self._verbose = verbose
        self._as_json = as_json
        self._told: dict[str, SourceResult] = {}

    def all(self, events: Iterator[Job[IngestEvent] | RunFailed | Notice]) -> None:
        """Show everything until it ends."""
        for event in events:
            if isinstance(event, Job):
                self._run(event)
            elif isinstance(event, RunFailed):
                self._failed(event.error)
            else:
                self._terminal.note(visible(event.message))

    def _run(self, job: Job[IngestEvent]) -> None:
        try:
            report = follow(self._session, job, self._stop, verbose=self._verbose).report
        except Cancelled:
            return
        except (InglenookError, OSError):
            return  # The watching says it, once, and tries again.
        if self._as_json:
            # What is as it was is only counted, or every change would print everything.
            form = report_form(self._name, report, unchanged=False)
            self._terminal.json(form, line=True)
        else:
            self._table(report)

    def _table(self, report: IngestReport) -> None:
        new = [result for result in report.results if self._is_new(result)]
        self._told = {result.path: result for result in report.results if not result.is_whole}
        if not new and not report.cancelled:
            return
        whole = self._verbose or not self._terminal.out_is_terminal
        table = outcome_table(new, whole=whole)
        line = f"{time.strftime('%H:%M:%S')}  {summary(report)}"
        self._terminal.out(f"{table}\n{line}".strip())

    def _is_new(self, result: SourceResult) -> bool:
        """Whether there is something to say of it that was not said with an earlier run."""
        if result.is_whole:
            return result.outcome != "unchanged"
        return result.outcome in ("added", "updated") or _end(result) != _end(
            self._told.get(result.path)
        )

    def _failed(self, error: InglenookError) -> None:
        if self._as_json:
            form = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
            self._terminal.json({"version": 1, "error": form}, line=True)
        else:
            self._terminal.error(f"{error.message} It is tried again until it works.")


def _end(result: SourceResult | None) -> tuple[str, str] | None:
    return None if result is None else (result.reason, result.message)
