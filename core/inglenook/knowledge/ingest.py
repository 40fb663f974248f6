"""One run over the files of a knowledge base: what is to be done, done, and reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress

from inglenook.errors import StoreError
from inglenook.knowledge.catalog import Catalog
from inglenook.knowledge.drafting import Drafter
from inglenook.knowledge.embedding import EmbeddingStage
from inglenook.knowledge.embedding_cache import EmbeddingCache
from inglenook.knowledge.executor import FileToRead, LocalExecutor, ReadPiece
from inglenook.knowledge.pipeline import Pipeline
from inglenook.knowledge.plan import Step
from inglenook.knowledge.recording import Recorder
from inglenook.protocols import Embedder
from inglenook.types import (
    CancelToken,
    IngestEvent,
    IngestPlan,
    IngestProgress,
    IngestReport,
    Notice,
    PlannedSource,
    SourceResult,
)

__all__ = ["Ingestion", "summary_of"]

CANCEL_GRACE_S = 3.0
"""How long a file that is being read when the user cancels may take to end."""

_STEPS_PER_TRANSACTION = 500
_PROGRESS_EVERY_S = 0.1
_READING = ("add", "update")
_STANDING = ("file-hidden", "file-missing", "file-skipped")
"""The codes of notices that stay true from run to run."""


class Ingestion:
    """One run. The caller holds the writer's lock of the knowledge base.

    Args:
        catalog: Where everything is recorded.
        executor: Reads files.
        open_embedder: Called only if something is to be read.
        make_drafter: Makes what filters and splits, for the open embedder.
        cache: Embeddings that need not be computed again.
    """

    def __init__(
        self,
        catalog: Catalog,
        executor: LocalExecutor[Step],
        open_embedder: Callable[[], Embedder],
        make_drafter: Callable[[Embedder], Drafter],
        cache: EmbeddingCache,
    ) -> None:
        self._catalog = catalog
        self._executor = executor
        self._open_embedder = open_embedder
        self._make_drafter = make_drafter
        self._cache = cache
        self._recorder = Recorder(catalog)
        self._seconds = dict.fromkeys(("embed", "split", "write", "wait"), 0.0)

    def run(
        self, steps: Sequence[Step], cancel: CancelToken, notices: Sequence[Notice] = ()
    ) -> Iterator[IngestEvent]:
        """Bring the catalog up to date. A cancel finishes the sources in hand, then stops.

        What an earlier run told of files that are left out is in the report only.
        """
        started = time.monotonic()
        self._catalog.sweep()
        yield summary_of(steps)
        told = set(self._catalog.told)
        yield from (notice for notice in notices if notice not in told)
        results: dict[str, SourceResult] = {}
        try:
            for event in self._events(steps, cancel, started):
                if isinstance(event, SourceResult):
                    results[event.path] = event
                yield event
        except StoreError:
            # The disk is full, most likely: give back what never became visible.
            with suppress(StoreError):
                self._catalog.sweep()
            raise
        self._remember(notices)
        yield IngestReport(
            results=tuple(results[str(s.path)] for s in steps if str(s.path) in results),
            sources=self._catalog.count_sources(),
            chunks=self._catalog.count_chunks(),
            seconds=time.monotonic() - started,
            cancelled=cancel.cancelled and (len(results) < len(steps) or not steps),
            notices=tuple(notices),
            stage_seconds={key: round(value, 3) for key, value in self._seconds.items()},
        )

    def _remember(self, notices: Sequence[Notice]) -> None:
        standing = tuple(notice for notice in notices if notice.code in _STANDING)
        if standing != self._catalog.told:
            self._catalog.remember_told(standing)

    def _events(
        self, steps: Sequence[Step], cancel: CancelToken, started: float
    ) -> Iterator[SourceResult | IngestProgress]:
        to_read = [step for step in steps if step.task in _READING]
        others = [step for step in steps if step.task not in (*_READING, "remove")]
        gone = [step for step in steps if step.task == "remove"]
        yield from self._without_reading(others, cancel)
        if to_read and not cancel.cancelled:
            yield from self._reading(to_read, cancel, started)
        # Last: what moved and is read anew is always there under one of its names.
        yield from self._without_reading(gone, cancel)

    def _without_reading(
        self, steps: Sequence[Step], cancel: CancelToken
    ) -> Iterator[SourceResult]:
        for begin in range(0, len(steps), _STEPS_PER_TRANSACTION):
            if cancel.cancelled:
                return
            part = steps[begin : begin + _STEPS_PER_TRANSACTION]
            if all(step.task in ("keep", "still-failed") for step in part):
                results = [self._recorder.known(step) for step in part]
            else:
                with self._catalog.transaction():
                    results = [self._recorder.known(step) for step in part]
            yield from results

    def _reading(
        self, steps: Sequence[Step], cancel: CancelToken, started: float
    ) -> Iterator[SourceResult | IngestProgress]:
        progress = _Progress(steps, started)
        yield progress.event(steps[0].name, 0, self._recorder.failed)
        with ExitStack() as stack:
            executor = stack.enter_context(self._executor)
            # The readers start on the first files while the embedder is loaded.
            pieces = executor.run(FileToRead(step, step.path, step.name) for step in steps)
            embedder = self._open_embedder()
            stage = stack.enter_context(EmbeddingStage(embedder, self._cache))
            pipeline = Pipeline(self._catalog, self._recorder, self._make_drafter(embedder), stage)
            name = steps[0].name
            for piece in self._until_cancelled(pieces, cancel):
                name = piece.file.name if piece else name
                for result in pipeline.take(piece):
                    progress.ended(result)
                    yield result
                if progress.is_due():
                    yield progress.event(name, pipeline.chunks, self._recorder.failed)
            for result in pipeline.finish():
                progress.ended(result)
                yield result
            self._seconds |= {"embed": stage.seconds, **pipeline.seconds}
        yield progress.event(name, pipeline.chunks, self._recorder.failed)

    def _until_cancelled(
        self, pieces: Iterator[ReadPiece[Step] | None], cancel: CancelToken
    ) -> Iterator[ReadPiece[Step] | None]:
        """The pieces; after a cancel only those of files in hand, for a few seconds."""
        deadline = 0.0
        waited = time.monotonic()
        for piece in pieces:
            self._seconds["wait"] += time.monotonic() - waited
            if cancel.cancelled and not deadline:
                deadline = time.monotonic() + CANCEL_GRACE_S
                self._executor.take_no_more()
            if deadline and time.monotonic() > deadline:
                self._executor.stop()
            yield piece
            cancel.wait_while_paused()
            waited = time.monotonic()


class _Progress:
    """How far the reading is."""

    def __init__(self, steps: Sequence[Step], started: float) -> None:
        self._sizes = {str(step.path): step.size for step in steps}
        self._total_bytes = sum(self._sizes.values())
        self._started = started
        self._shown = time.monotonic()
        self._ended = 0
        self._bytes = 0

    def ended(self, result: SourceResult) -> None:
        self._ended += 1
        self._bytes += self._sizes[result.path]

    def is_due(self) -> bool:
        return time.monotonic() - self._shown > _PROGRESS_EVERY_S

    def event(self, name: str, chunks: int, failed: int) -> IngestProgress:
        self._shown = time.monotonic()
        return IngestProgress(
            name,
            self._ended,
            len(self._sizes),
            chunks,
            failed=failed,
            seconds=time.monotonic() - self._started,
            bytes_done=self._bytes,
            bytes_total=self._total_bytes,
        )


def summary_of(steps: Sequence[Step]) -> IngestPlan:
    """What will be done, as faces show it."""
    tasks = [step.task for step in steps]
    to_remove = tasks.count("remove")
    return IngestPlan(
        sources=len(steps) - to_remove,
        to_read=tasks.count("add") + tasks.count("update"),
        unchanged=tasks.count("keep") + tasks.count("touch"),
        to_remove=to_remove,
        steps=tuple(
            PlannedSource(step.name, step.task, str(step.path))
            for step in steps
            if step.task not in ("keep", "touch")
        ),
    )
