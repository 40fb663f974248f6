"""`nook ingest --watch` on a terminal or for a program: what each run did, as it happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from inglenook.assistants.passwords import Passwords
from inglenook.assistants.registry import find_profile_file
from inglenook.assistants.watching import RunFailed, Watching
from inglenook.cli.ingestion import Reading, follow
from inglenook.cli.interrupts import INTERRUPTED, end_at_once, stopped_by_interrupt
from inglenook.cli.outcomes import as_before, outcome_table, report_form, summary
from inglenook.cli.terminal import visible
from inglenook.errors import Cancelled, InglenookError
from inglenook.jobs import Job, JobRoom
from inglenook.types import CancelToken, IngestEvent, Notice, SourceResult

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
            show = _Show(session, _shown_name(file, name), name, stop, verbose, as_json)
            show.all(events)
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
        self,
        session: Session,
        name: str,
        typed: str,
        stop: CancelToken,
        verbose: bool,
        as_json: bool,
    ) -> None:
        self._session = session
        self._terminal = session.terminal
        self._name = name
        self._typed = typed
        self._stop = stop
        self._verbose = verbose
        self._as_json = as_json
        self._told: dict[str, SourceResult] = {}
        self._runs = 0

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
            reading = follow(self._session, job, self._stop, verbose=self._verbose)
        except Cancelled:
            return
        except (InglenookError, OSError):
            return  # The watching says it, once, and tries again.
        if self._as_json:
            # What is as it was is only counted, or every change would print everything.
            form = report_form(self._name, reading.report, unchanged=False)
            self._terminal.json(form, line=True)
        else:
            self._table(reading)

    def _table(self, reading: Reading) -> None:
        report, old = reading.report, reading.old_failures
        before = ""
        if not self._runs and not self._verbose:
            # Of an earlier watching, or of `nook ingest`.
            self._told = {result.path: result for result in old}
            before = as_before(old, len(reading.old_notices), self._typed, width=self._width)
        self._runs += 1
        new = [result for result in report.results if self._is_new(result)]
        self._told = {result.path: result for result in report.results if not result.is_whole}
        if not (new or before or report.cancelled):
            return
        whole = self._verbose or not self._terminal.out_is_terminal
        table = outcome_table(new, whole=whole, width=self._width)
        line = f"{time.strftime('%H:%M:%S')}  {summary(report, old)}"
        self._terminal.out("\n".join(filter(None, (table, line, before))))

    @property
    def _width(self) -> int | None:
        return self._terminal.out_columns

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
