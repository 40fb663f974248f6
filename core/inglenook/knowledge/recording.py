"""Writes down in the catalog how each source ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from inglenook.errors import LoadError
from inglenook.knowledge.catalog import Catalog, SourceRow
from inglenook.knowledge.lexical import Analyser
from inglenook.knowledge.plan import Step
from inglenook.types import Notice, Outcome, SourceResult

__all__ = ["Recorder"]


TRY_AGAIN = "again"
"""The mark of an attempt that equals no later one."""


class Recorder:
    """Records the ends of sources; the caller groups them into transactions.

    Args:
        catalog: Open for writing.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._analyser = Analyser()
        self.failed = 0
        """Sources that failed or were held back in this run."""

    def known(self, step: Step) -> SourceResult:
        """Carry out a step that reads no file."""
        if step.task == "unreadable":
            return self.fail(step, LoadError(step.message, reason="unreadable"))
        assert step.known is not None, "every other task is about a source that is known"
        row: SourceRow = step.known
        if step.task == "rename":
            self._catalog.rename_source(
                row.id,
                step.name,
                step.path,
                step.size,
                step.mtime_ns,
                lambda text, headings: self.terms(step.name, headings, text),
            )
            return _result(step, "renamed", message=f"was {row.name}", notices=row.notices)
        if step.task == "remove":
            self._catalog.remove_source(row.id)
            return _result(step, "removed")
        if step.task == "still-failed":
            outcome = cast("Outcome", row.outcome)
            return _result(step, outcome, reason=row.reason, message=row.message)
        if step.task == "touch":
            self._catalog.touch_source(row.id, step.size, step.mtime_ns)
        return _result(step, "unchanged", notices=row.notices)

    def terms(self, name: str, headings: Sequence[str], text: str) -> str:
        """What the lexical index holds of a chunk: its words, its headings', and its source's."""
        title = Path(name).stem.replace("_", " ").replace("-", " ")
        return " ".join(self._analyser.terms("\n".join((title, *headings, text))))

    def fail(
        self,
        step: Step,
        error: LoadError,
        outcome: Outcome = "failed",
        *,
        may_pass: bool = False,
        notices: Sequence[Notice] = (),
    ) -> SourceResult:
        """Note that a source could not be read; what was visible of it stays.

        With `may_pass` the next run tries again, although the file is the same. The `notices` are
        for who is told now.
        """
        source_id = step.known.id if step.known else self._catalog.add_source(step.name, step.path)
        message = " ".join(str(error).splitlines())
        attempt = f"{step.sha256}:{step.reader}" if step.sha256 else ""
        if may_pass:
            attempt = TRY_AGAIN
        reason = error.reason if outcome == "failed" else "held back by a filter"
        self._catalog.record_failure(
            source_id, attempt, step.size, step.mtime_ns, outcome, reason, message
        )
        if step.known and step.known.generation:
            message += " The version that was read before stays answerable."
        self.failed += 1
        return _result(step, outcome, reason=reason, message=message, notices=notices)

    def kept(self, step: Step) -> SourceResult:
        """Leave what was read before as it is."""
        notices = step.known.notices if step.known else ()
        return _result(step, "unchanged", notices=notices)

    def published(
        self,
        step: Step,
        source_id: str,
        generation: int,
        *,
        chunks: int,
        embedded: int,
        notices: Sequence[Notice],
    ) -> SourceResult:
        """Make what was written of a source visible, in place of what was before."""
        outcome: Outcome = "updated" if step.known and step.known.generation else "added"
        self._catalog.publish(
            source_id,
            generation,
            sha256=step.sha256,
            size=step.size,
            mtime_ns=step.mtime_ns,
            reader=step.reader,
            outcome=outcome,
            notices=notices,
        )
        return _result(step, outcome, chunks=chunks, embedded=embedded, notices=notices)


def _result(
    step: Step,
    outcome: Outcome,
    *,
    reason: str = "",
    message: str = "",
    chunks: int = 0,
    embedded: int = 0,
    notices: Sequence[Notice] = (),
) -> SourceResult:
    return SourceResult(
        name=step.name,
        outcome=outcome,
        reason=reason,
        message=message,
        chunks=chunks,
        embedded=embedded,
        notices=tuple(notices),
        path=str(step.path),
    )
