"""Sources on their way: what readers give is split, embedded in batches, and written.

This thread filters, splits and writes while another one embeds. A transaction holds a whole batch:
a source becomes visible in the same step in which its last chunk is written, so what a crash
leaves is always whole generations.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from inglenook.errors import InglenookError, LoadError
from inglenook.knowledge.catalog import Catalog, NewChunk
from inglenook.knowledge.drafting import Drafter, embedded_text
from inglenook.knowledge.embedding import Embedded, EmbeddingStage
from inglenook.knowledge.executor import ReadPiece
from inglenook.knowledge.plan import Step
from inglenook.knowledge.reader_process import AGAIN
from inglenook.knowledge.recording import Recorder
from inglenook.types import (
    EMPTY,
    PART_FAILED,
    ChunkText,
    Notice,
    Outcome,
    SourceResult,
    encrypted_part,
    has_encrypted_part,
    without_name,
)

__all__ = ["Pipeline"]

BATCH_CHUNKS = 128
"""Chunks that are embedded together and written in one transaction."""

_NOTHING_TO_READ = (EMPTY, "part-empty", "part-skipped")
"""What may be said of a source in which all is in order although it has no text."""


@dataclass(slots=True)
class _Draft:
    """A source: what was read of it, and how much of that is written.

    Args:
        listed: It is in the catalog, visible or not.
        stale: There are chunks in the catalog that do not belong to it any more.
        read: Nothing more will come.
        may_pass: The error says little about the file: the next run tries again.
    """

    step: Step
    source_id: str
    generation: int
    notices: list[Notice] = field(default_factory=list)
    chunks: int = 0
    hidden_bytes: int = 0
    waiting: int = 0
    embedded: int = 0
    listed: bool = False
    stale: bool = False
    read: bool = False
    error: LoadError | None = None
    outcome: Outcome = "failed"
    may_pass: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A chunk that is not written yet."""

    draft: _Draft
    ordinal: int
    chunk: ChunkText
    terms: str


class Pipeline:
    """Takes pieces of files in and gives results of sources out.

    Args:
        catalog: Where chunks go.
        recorder: Writes down how sources end.
        drafter: Filters and splits.
        stage: Embeds.
    """

    def __init__(
        self, catalog: Catalog, recorder: Recorder, drafter: Drafter, stage: EmbeddingStage
    ) -> None:
        self._catalog = catalog
        self._recorder = recorder
        self._drafter = drafter
        self._stage = stage
        self._drafts: dict[str, _Draft] = {}
        self._waiting: list[_Waiting] = []
        self._ended: list[_Draft] = []
        self._in_flight: tuple[list[_Waiting], Future[Embedded]] | None = None
        self.chunks = 0
        """Chunks written so far."""
        self.seconds = {"split": 0.0, "write": 0.0}
        """Spent so far in these stages."""

    def take(self, piece: ReadPiece[Step] | None) -> Iterator[SourceResult]:
        """Draft what was read, and keep the embedder and the disk busy.

        None means that nothing was read for a moment: what waits goes on without being joined.
        """
        if piece is not None:
            self._draft(piece)
        while len(self._waiting) >= BATCH_CHUNKS:
            yield from self._advance(least=BATCH_CHUNKS)
        idle = self._in_flight is None or self._in_flight[1].done()
        if idle and (piece is None or self._in_flight is not None):
            yield from self._advance(least=1 if piece is None else BATCH_CHUNKS)

    def finish(self) -> Iterator[SourceResult]:
        """Write what is left of the sources that were read to their end, and drop the others."""
        self._waiting = [waiting for waiting in self._waiting if waiting.draft.read]
        while self._waiting or self._ended or self._in_flight:
            yield from self._advance(least=1)

    # --- from pieces to chunks --------------------------------------------------------------

    def _draft(self, piece: ReadPiece[Step]) -> None:
        step = piece.file.key
        draft = self._drafts.get(str(step.path))
        if draft is None:
            known = step.known
            draft = self._drafts[str(step.path)] = _Draft(
                step,
                known.id if known else uuid.uuid4().hex,
                known.generation + 1 if known else 1,
                listed=known is not None,
            )
        if piece.items == (AGAIN,):
            self._begin_anew(draft)
            return
        started = time.monotonic()
        for item in piece.items:
            if draft.error is not None:
                break
            if isinstance(item, Notice):
                draft.notices.append(item)
                continue
            try:
                drafted = self._drafter.draft(item, step.name)
            except LoadError as error:
                self._drop(draft, error)
                break
            draft.notices += drafted.notices
            if drafted.quarantine:
                self._drop(draft, LoadError(drafted.quarantine), outcome="quarantined")
                break
            self._add(draft, drafted.chunks)
        self.seconds["split"] += time.monotonic() - started
        if piece.ended:
            self._end(draft, piece.error)

    def _add(self, draft: _Draft, chunks: Sequence[ChunkText]) -> None:
        for chunk in chunks:
            terms = self._recorder.terms(draft.step.name, chunk.headings, chunk.text)
            self._waiting.append(_Waiting(draft, draft.chunks, chunk, terms))
            draft.chunks += 1
            draft.waiting += 1

    def _end(self, draft: _Draft, error: LoadError | None) -> None:
        draft.read = True
        if draft.error is None and error is not None:
            if error.reason == "empty" and not draft.chunks:
                said = without_name(draft.step.name, error.message).rstrip(".")
                draft.notices.append(Notice(EMPTY, said))
            else:
                self._drop(draft, error)
        elif draft.error is None and not draft.chunks:
            missing = _without_text(draft)
            if missing is not None:
                self._drop(draft, missing)
            else:
                draft.notices.append(Notice(EMPTY, "there is nothing in it that can be read"))
        if not draft.waiting:
            self._ended.append(draft)

    def _begin_anew(self, draft: _Draft) -> None:
        """Forget what was read of a source; what is on its way to the catalog is left out there."""
        self._drafts[str(draft.step.path)] = _Draft(
            draft.step, draft.source_id, draft.generation, listed=draft.listed, stale=True
        )
        self._drop(draft, LoadError("It was read anew."))

    def _drop(
        self,
        draft: _Draft,
        error: LoadError,
        outcome: Outcome = "failed",
        *,
        may_pass: bool = False,
    ) -> None:
        """Take back what is not written; what is was never visible."""
        draft.error, draft.outcome = error, outcome
        draft.may_pass = may_pass or error.reason == "unreadable"
        self._waiting = [waiting for waiting in self._waiting if waiting.draft is not draft]
        draft.waiting = 0

    # --- from chunks to the catalog ---------------------------------------------------------

    def _advance(self, least: int) -> Iterator[SourceResult]:
        """Wait for the batch in flight, send the next one off, then write the first.

        The next one is sent only if it has `least` chunks.
        """
        before, self._in_flight = self._in_flight, None
        embedded = self._embedded(before) if before is not None else ([], [])
        if len(self._waiting) >= least:
            batch, self._waiting = self._waiting[:BATCH_CHUNKS], self._waiting[BATCH_CHUNKS:]
            texts = [embedded_text(waiting.chunk) for waiting in batch]
            self._in_flight = batch, self._stage.submit(texts)
        if embedded[0] or self._ended:
            yield from self._commit(*embedded)

    def _embedded(
        self, flight: tuple[list[_Waiting], Future[Embedded]]
    ) -> tuple[list[_Waiting], list[bytes]]:
        batch, future = flight
        try:
            vectors, computed = future.result()
        except InglenookError:
            raise
        # Embedders are plugins: a text that one cannot take costs the source of that text only.
        except Exception:  # noqa: BLE001
            return self._embedded_apart(batch)
        batch[0].draft.embedded += computed
        return batch, vectors

    def _embedded_apart(self, batch: list[_Waiting]) -> tuple[list[_Waiting], list[bytes]]:
        left: list[_Waiting] = []
        vectors: list[bytes] = []
        for draft in {id(waiting.draft): waiting.draft for waiting in batch}.values():
            if draft.error is not None:
                continue
            own = [waiting for waiting in batch if waiting.draft is draft]
            try:
                found, computed = self._stage.submit(
                    [embedded_text(waiting.chunk) for waiting in own]
                ).result()
            except InglenookError:
                raise
            except Exception as error:  # noqa: BLE001
                self._drop(draft, _not_embedded(draft.step.name, error), may_pass=True)
                if draft.read:
                    self._ended.append(draft)
                continue
            draft.embedded += computed
            left += own
            vectors += found
        return left, vectors

    def _commit(
        self, batch: Sequence[_Waiting], vectors: Sequence[bytes]
    ) -> Iterator[SourceResult]:
        """Write a batch, publish the sources that it completes and record those that failed."""
        started = time.monotonic()
        groups: dict[str, tuple[_Draft, list[NewChunk]]] = {}
        for waiting, vector in zip(batch, vectors, strict=True):
            draft = waiting.draft
            if draft.error is not None:
                continue
            _, rows = groups.setdefault(draft.source_id, (draft, []))
            rows.append(
                NewChunk(_chunk_id(waiting), waiting.ordinal, waiting.chunk, waiting.terms, vector)
            )
        ended, self._ended = self._ended, []
        self._catalog.require_space(
            sum(_size(row) for _, rows in groups.values() for row in rows),
            sum(draft.hidden_bytes for draft in self._drafts.values()),
        )
        with self._catalog.transaction():
            for draft, rows in groups.values():
                self._write(draft, rows)
                if draft.read and not draft.waiting:
                    ended.append(draft)
            results = [self._record(draft) for draft in ended]
        self.chunks += sum(len(rows) for _, rows in groups.values())
        self.seconds["write"] += time.monotonic() - started
        for draft in ended:
            del self._drafts[str(draft.step.path)]
        yield from results

    def _write(self, draft: _Draft, rows: Sequence[NewChunk]) -> None:
        if not draft.listed:
            self._catalog.add_source(draft.step.name, draft.step.path, draft.source_id)
        if draft.stale:
            self._catalog.drop_unpublished(draft.source_id)
        self._catalog.write_chunks(draft.source_id, draft.generation, rows)
        draft.listed, draft.stale = True, False
        draft.hidden_bytes += sum(map(_size, rows))
        draft.waiting -= len(rows)

    def _record(self, draft: _Draft) -> SourceResult:
        if draft.error is None and _is_worse(draft):
            self._catalog.drop_unpublished(draft.source_id)
            return self._recorder.kept(draft.step)
        if draft.error is None:
            if not draft.listed:
                self._catalog.add_source(draft.step.name, draft.step.path, draft.source_id)
            return self._recorder.published(
                draft.step,
                draft.source_id,
                draft.generation,
                chunks=draft.chunks,
                embedded=draft.embedded,
                notices=draft.notices,
            )
        if draft.listed and draft.step.known is None:
            self._catalog.remove_source(draft.source_id)
        elif draft.listed:
            self._catalog.drop_unpublished(draft.source_id)
        return self._recorder.fail(
            draft.step,
            draft.error,
            draft.outcome,
            may_pass=draft.may_pass,
            notices=[notice for notice in draft.notices if encrypted_part(notice)],
        )


def _size(row: NewChunk) -> int:
    """About the bytes that a chunk takes in the catalog."""
    return 4 * len(row.chunk.text) + len(row.terms) + len(row.embedding) + 300


def _is_worse(draft: _Draft) -> bool:
    """Whether the same bytes were read with a password before, and without one now."""
    known = draft.step.known
    return (
        known is not None
        and (known.sha256, known.reader) == (draft.step.sha256, draft.step.reader)
        and has_encrypted_part(draft.notices)
        and not has_encrypted_part(known.notices)
    )


def _without_text(draft: _Draft) -> LoadError | None:
    """Why nothing came of a source; None if that is all there is in it."""
    name = draft.step.name
    said = [notice for notice in draft.notices if notice.code == PART_FAILED]
    if said:
        more = f" ({len(said)} in all)" if len(said) > 1 else ""
        text = f"{name}: nothing in it could be read: {said[0].message}{more}"
        return LoadError(text, reason="encrypted" if has_encrypted_part(said) else "broken")
    if draft.notices and all(notice.code in _NOTHING_TO_READ for notice in draft.notices):
        return None
    return LoadError(f"{name}: there is no text in it.", reason="no text: needs OCR")


def _not_embedded(name: str, error: Exception) -> LoadError:
    # The text of the error may quote the document.
    return LoadError(f"{name}: could not be embedded: {type(error).__name__}.", reason="broken")


def _chunk_id(waiting: _Waiting) -> str:
    draft = waiting.draft
    text = f"{draft.source_id}/{draft.generation}/{waiting.ordinal}/{waiting.chunk.text}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
