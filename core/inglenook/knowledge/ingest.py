"""The one way of a source into the catalog: load, filter, split, embed, write, record."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from inglenook.errors import LoadError
from inglenook.knowledge.catalog import Catalog, SourceRow
from inglenook.knowledge.embedding_cache import EmbeddingCache
from inglenook.knowledge.lexical import Analyser
from inglenook.knowledge.plan import Step, make_plan
from inglenook.knowledge.reading import Reader, embedded_text
from inglenook.protocols import Embedder
from inglenook.types import (
    CancelToken,
    ChunkText,
    IngestEvent,
    IngestPlan,
    IngestProgress,
    IngestReport,
    Notice,
    Outcome,
    SourceResult,
)

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

__all__ = ["Ingestion"]


class Ingestion:
    """One run over the files of a knowledge base. The caller holds its writer's lock.

    Args:
        catalog: Where everything is recorded.
        reader: Loads, filters and splits.
        embedder: Open already.
        cache: Embeddings that need not be computed again.
    """

    def __init__(
        self, catalog: Catalog, reader: Reader, embedder: Embedder, cache: EmbeddingCache
    ) -> None:
        self._catalog = catalog
        self._reader = reader
        self._embedder = embedder
        self._cache = cache
        self._analyser = Analyser()

    def run(
        self,
        files: Sequence[tuple[str, Path]],
        cancel: CancelToken,
        *,
        retry_failed: bool = False,
        notices: Sequence[Notice] = (),
    ) -> Iterator[IngestEvent]:
        """Bring the catalog up to date. A cancel finishes the source in hand, then stops."""
        started = time.monotonic()
        self._catalog.sweep()
        steps = make_plan(
            files, self._catalog.sources(), self._reader.identity, retry_failed=retry_failed
        )
        yield _summary(steps)
        yield from notices
        results: list[SourceResult] = []
        chunks = 0
        for done, step in enumerate(steps):
            if cancel.cancelled:
                break
            if step.task in ("add", "update"):
                yield IngestProgress(step.name, done, len(steps), chunks)
            result = self._carry_out(step)
            chunks += result.chunks
            results.append(result)
            yield result
        yield IngestReport(
            results=tuple(results),
            sources=self._catalog.count_sources(),
            chunks=self._catalog.count_chunks(),
            seconds=time.monotonic() - started,
            cancelled=cancel.cancelled and len(results) < len(steps),
            notices=tuple(notices),
        )

    def _carry_out(self, step: Step) -> SourceResult:
        if step.task == "unreadable":
            return self._fail(step, LoadError(step.message, reason="unreadable"))
        if step.task in ("add", "update"):
            try:
                return self._read_and_write(step)
            except LoadError as error:
                return self._fail(step, error)
            except (ValueError, TypeError) as error:
                # An embedder or splitter that cannot take this text costs this source only.
                text = f"{step.name}: could not be processed: {type(error).__name__}: {error}"
                return self._fail(step, LoadError(text[:300], reason="broken"))
        assert step.known is not None, "every other task is about a source that is known"
        return self._carry_out_known(step, step.known)

    def _carry_out_known(self, step: Step, row: SourceRow) -> SourceResult:
        if step.task == "rename":
            self._catalog.rename_source(
                row.id,
                step.name,
                step.path,
                step.size,
                step.mtime_ns,
                lambda text, headings: self._terms(step.name, headings, text),
            )
            return _result(step, "renamed", message=f"was {row.name}")
        if step.task == "remove":
            self._catalog.remove_source(row.id)
            return _result(step, "removed")
        if step.task == "still-failed":
            outcome = cast("Outcome", row.outcome)
            return _result(step, outcome, reason=row.reason, message=row.message)
        if step.task == "touch":
            self._catalog.touch_source(row.id, step.size, step.mtime_ns)
        return _result(step, "unchanged", notices=row.notices)

    def _read_and_write(self, step: Step) -> SourceResult:
        embedder = self._embedder
        draft = self._reader.read(
            step.path, step.name, embedder.max_tokens, embedder.count_tokens, CancelToken()
        )
        if draft.quarantine:
            return self._fail(step, LoadError(draft.quarantine), outcome="quarantined")
        vectors, embedded = self._embed(draft.chunks)
        source_id = step.known.id if step.known else self._catalog.add_source(step.name, step.path)
        generation = step.known.generation + 1 if step.known else 1
        self._catalog.write_chunks(
            source_id,
            generation,
            draft.chunks,
            [_chunk_id(source_id, generation, n, c) for n, c in enumerate(draft.chunks)],
            [self._terms(step.name, chunk.headings, chunk.text) for chunk in draft.chunks],
            vectors,
        )
        outcome: Outcome = "updated" if step.known and step.known.generation else "added"
        self._catalog.publish(
            source_id,
            generation,
            sha256=step.sha256,
            size=step.size,
            mtime_ns=step.mtime_ns,
            reader=step.reader,
            outcome=outcome,
            notices=draft.notices,
        )
        return _result(
            step, outcome, chunks=len(draft.chunks), embedded=embedded, notices=draft.notices
        )

    def _embed(self, chunks: Sequence[ChunkText]) -> tuple[NDArray[numpy.float32], int]:
        """Vectors of shape (len(chunks), dimension), and how many were computed now."""
        import numpy

        texts = {hashlib.sha256(t.encode()).digest(): t for t in map(embedded_text, chunks)}
        fingerprint = self._embedder.fingerprint
        known = self._cache.get(fingerprint, list(texts))
        missing = [digest for digest in texts if digest not in known]
        if missing:
            vectors = self._embedder.embed_documents([texts[d] for d in missing], CancelToken())
            self._cache.put(fingerprint, missing, vectors)
            known.update({d: v.tobytes() for d, v in zip(missing, vectors, strict=True)})
        rows = [
            numpy.frombuffer(
                known[hashlib.sha256(embedded_text(chunk).encode()).digest()], dtype=numpy.float32
            )
            for chunk in chunks
        ]
        return numpy.stack(rows), len(missing) if self._embedder.dimension else 0

    def _terms(self, name: str, headings: Sequence[str], text: str) -> str:
        """What the lexical index holds of a chunk: its words, its headings', and its source's."""
        title = Path(name).stem.replace("_", " ").replace("-", " ")
        return " ".join(self._analyser.terms("\n".join((title, *headings, text))))

    def _fail(self, step: Step, error: LoadError, outcome: Outcome = "failed") -> SourceResult:
        source_id = step.known.id if step.known else self._catalog.add_source(step.name, step.path)
        message = " ".join(str(error).splitlines())
        attempt = f"{step.sha256}:{step.reader}" if step.sha256 else ""
        reason = error.reason if outcome == "failed" else "held back by a filter"
        self._catalog.record_failure(
            source_id, attempt, step.size, step.mtime_ns, outcome, reason, message
        )
        if step.known and step.known.generation:
            message += " The version that was read before stays answerable."
        return _result(step, outcome, reason=reason, message=message)


def _summary(steps: Sequence[Step]) -> IngestPlan:
    tasks = [step.task for step in steps]
    to_remove = tasks.count("remove")
    return IngestPlan(
        sources=len(steps) - to_remove,
        to_read=tasks.count("add") + tasks.count("update"),
        unchanged=tasks.count("keep") + tasks.count("touch"),
        to_remove=to_remove,
    )


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


def _chunk_id(source_id: str, generation: int, ordinal: int, chunk: ChunkText) -> str:
    text = f"{source_id}/{generation}/{ordinal}/{chunk.text}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
