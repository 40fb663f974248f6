"""The knowledge base of one assistant: its catalog, its vector side, and the way in and out."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook.errors import Cancelled, StoreError, UserError
from inglenook.knowledge.catalog import Catalog, SourceRow
from inglenook.knowledge.catalog_files import delete_catalog, sync_folder
from inglenook.knowledge.reader_process import (
    Passwords,
    ReaderProcess,
    ReadingLimits,
    no_password,
)
from inglenook.protocols import Embedder, Reranker, VectorStore
from inglenook.types import (
    CancelToken,
    IngestEvent,
    IngestPlan,
    IngestProgress,
    IngestReport,
    KnowledgeStatus,
    Notice,
    Passage,
)

if TYPE_CHECKING:
    from inglenook.knowledge.drafting import Drafter
    from inglenook.knowledge.explanation import Balance
    from inglenook.knowledge.loaders import LoaderTable
    from inglenook.knowledge.plan import Step
    from inglenook.knowledge.retrieve import VectorTrust
    from inglenook.knowledge.search import Search, Wanted

__all__ = ["KnowledgeBase", "Recipe"]

EXACT_SCAN_LIMIT = 50_000
"""Up to this many chunks the exact scan is as fast as a vector store and needs none."""
PLANNING_SHOWN_EVERY_S = 0.5
MOST_READERS = 4
"""Parsing is far faster than embedding; more processes would only hold memory."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the chunks of a knowledge base are made and found; nothing here is loaded yet.

    Args:
        loaders: Which loader reads which file.
        make_drafter: Makes what filters and splits, for an open embedder.
        make_embedder: Makes the embedder, not open.
        identity: Names everything that changes chunks or vectors, loaders apart.
        make_store: Makes the vector store in a folder for a dimension; None means exact scan.
        store_wanted: The profile names the store, so ingestion keeps it in step at any size.
        make_reranker: Makes the reranker, not open; None where the profile names none.
        embedder: What the profile calls it.
        languages: What the embedder was trained for; empty means any.
        has_vectors: Whether there is an embedder; without, words alone are searched.
        limits: What reading one file may take.
        readers: How many processes read; 0 means one for each core, four at most.
    """

    loaders: Callable[[], LoaderTable]
    make_drafter: Callable[[Embedder], Drafter]
    make_embedder: Callable[[], Embedder]
    identity: Mapping[str, Any]
    make_store: Callable[[Path, int], VectorStore] | None = None
    store_wanted: bool = False
    make_reranker: Callable[[], Reranker] | None = None
    embedder: str = ""
    languages: tuple[str, ...] = ()
    has_vectors: bool = True
    exact_scan_limit: int = field(default=EXACT_SCAN_LIMIT)
    limits: ReadingLimits = field(default_factory=ReadingLimits)
    readers: int = 0


class KnowledgeBase:
    """Everything that an assistant knows, on disk in one folder.

    The folder holds `catalog-N.sqlite`, of which the file `current` names the one in use. When
    the recipe changes, the next catalog is built beside and swapped in when it is whole.
    """

    def __init__(self, folder: Path, embeddings_file: Path, recipe: Recipe) -> None:
        self.folder = folder
        self._embeddings_file = embeddings_file
        self._recipe = recipe
        self._catalog: Catalog | None = None
        self._in_use: Catalog | None = None
        self._embedder: Embedder | None = None
        self._reranker: Reranker | None = None
        self._retriever: Any = None
        self._vectors: Any = None
        self._projection: Any = None
        self._store_problem = "There is no vector store."
        self._lock = threading.RLock()

    # --- state ------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether anything was ever ingested."""
        return self._current_file() is not None

    @property
    def matches_recipe(self) -> bool:
        """Whether the catalog was made with today's embedder, splitter and filters."""
        with self._lock:
            return self.exists and self._open_catalog().identity == self._identity

    @property
    def recipe_identity(self) -> Mapping[str, Any]:
        """What names everything that changes chunks or vectors today, loaders apart."""
        return self._recipe.identity

    def sources(self) -> tuple[SourceRow, ...]:
        with self._lock:
            return self._open_catalog().sources() if self.exists else ()

    def count_chunks(self) -> int:
        with self._lock:
            return self._open_catalog().count_chunks() if self.exists else 0

    def changed(self, files: Sequence[tuple[str, Path]]) -> tuple[str, ...]:
        """The names of sources that changed since they were read; looks at sizes and times."""
        from inglenook.knowledge.plan import changed_since

        return changed_since(files, self.sources())

    # --- in ---------------------------------------------------------------------------------

    def plan(
        self,
        files: Sequence[tuple[str, Path]],
        *,
        retry_failed: bool | Collection[str] = False,
        unseen: Collection[str] = (),
    ) -> IngestPlan:
        """What an ingestion would do now. Looks at the files, writes nothing."""
        from inglenook.knowledge.ingest import summary_of
        from inglenook.knowledge.plan import make_plan

        with self._lock:
            known = self.sources() if self.exists and self.matches_recipe else ()
            return summary_of(
                make_plan(
                    files,
                    known,
                    self._recipe.loaders().identity,
                    retry_failed=retry_failed,
                    unseen=unseen,
                )
            )

    def ingest(
        self,
        files: Sequence[tuple[str, Path]],
        cancel: CancelToken,
        *,
        retry_failed: bool | Collection[str] = False,
        notices: Sequence[Notice] = (),
        passwords: Passwords = no_password,
        unseen: Collection[str] = (),
    ) -> Iterator[IngestEvent]:
        """Bring the knowledge base up to date with these (name, path) files.

        `retry_failed` reads again what failed before: all of it, or what lies at these paths.
        `passwords` is asked, from any thread, for sources that turn out to be encrypted. Sources
        at or under `unseen` paths are kept, although they are not among the files.
        Raises `StoreError` if the disk refuses or another process is at it.
        """
        from inglenook.knowledge.embedding_cache import EmbeddingCache
        from inglenook.knowledge.executor import LocalExecutor, usable_cores
        from inglenook.knowledge.ingest import Ingestion
        from inglenook.knowledge.plan import Step, plan_steps

        loaders = self._recipe.loaders()
        readers = self._recipe.readers or min(usable_cores(), MOST_READERS)
        with self._writing():
            self._drop_strays()
            target, is_new = self._catalog_for_writing()
            with ExitStack() as stack:
                cache = stack.enter_context(closing(EmbeddingCache(self._embeddings_file)))
                catalog = stack.enter_context(closing(self._open_for_writing(target)))
                steps = yield from _planned(
                    plan_steps(
                        files,
                        catalog.sources(),
                        loaders.identity,
                        retry_failed=retry_failed,
                        unseen=unseen,
                    ),
                    len(files),
                    cancel,
                )
                executor = LocalExecutor[Step](
                    lambda: ReaderProcess(loaders, self._recipe.limits), readers, passwords
                )
                ingestion = Ingestion(
                    catalog, executor, self._open_embedder, self._recipe.make_drafter, cache
                )
                if cache.was_reset:
                    notices = (*notices, _EMBEDDINGS_RESET)
                for event in ingestion.run(steps, cancel, notices):
                    if isinstance(event, IngestReport):
                        told = self._finish(target, event, is_new=is_new)
                        yield from told
                        event = replace(event, notices=(*event.notices, *told))  # noqa: PLW2901
                    yield event

    def _open_for_writing(self, target: Path) -> Catalog:
        """The catalog, marked with today's recipe; a leftover of another recipe is dropped."""
        catalog = Catalog(target)
        if catalog.identity not in ("", self._identity):
            catalog.close()
            delete_catalog(target)
            catalog = Catalog(target)
        if not catalog.identity:
            catalog.set_identity(self._identity)
        return catalog

    def _finish(self, target: Path, report: IngestReport, *, is_new: bool) -> tuple[Notice, ...]:
        """Let a new catalog take over and bring the vector store in step; what is to be told."""
        # A rebuilt catalog takes over only when it is whole; the first one as soon as it helps.
        if is_new and (not report.cancelled or (not self.exists and report.sources)):
            self._swap_in(target)
        changed = any(r.outcome in ("added", "updated", "removed") for r in report.results)
        wanted = self._recipe.store_wanted or (changed and self._store_folder.is_dir())
        if report.cancelled or not self.exists:
            return ()
        told = self.advice() if changed else ()
        if not wanted or not self._recipe.has_vectors:
            return told
        with self._lock:
            before = set(self.folder.glob("store.bad-*"))
            if self._open_projection(self._open_catalog()) is None:
                return (*told, Notice("store-not-in-step", self._store_problem))
            bad = set(self.folder.glob("store.bad-*")) - before
        return *told, *(
            Notice("store-rebuilt", f"The vector store was damaged; it was rebuilt ({path.name}).")
            for path in sorted(bad)
        )

    def _catalog_for_writing(self) -> tuple[Path, bool]:
        current = self._current_file()
        if current is not None and self.matches_recipe:
            return current, False
        number = int(current.stem.partition("-")[2]) + 1 if current is not None else 1
        return self.folder / f"catalog-{number}.sqlite", True

    def _drop_strays(self) -> None:
        """Delete what a crash between two catalogs left; the caller holds the writer's lock."""
        current = self._current_file()
        if current is None:
            return
        number = int(current.stem.partition("-")[2])
        for path in self.folder.glob("catalog-*.sqlite"):
            # The next one may be a rebuild that goes on.
            if int(path.stem.partition("-")[2]) not in (number, number + 1):
                delete_catalog(path)

    def _swap_in(self, target: Path) -> None:
        with self._lock:
            old = self._current_file()
            self._forget_open()
            pointer = self.folder / "current.new"
            with pointer.open("w", encoding="utf-8") as file:
                file.write(target.name)
                file.flush()
                os.fsync(file.fileno())
            pointer.replace(self.folder / "current")
            sync_folder(self.folder)
            if old is not None and old != target:
                delete_catalog(old)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Only one process at a time writes to a knowledge base."""
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "writer.lock")
            lock.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(
                "Another process is reading documents into this assistant.",
                hint="Wait until it is done, then run this again.",
            ) from error
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written: {error.strerror}.",
                hint="Check permissions and free space, or set INGLENOOK_HOME to another folder.",
            ) from error
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise StoreError(
                f"Writing to {self.folder} failed: {error.strerror}.",
                hint="Free some space and run it again; nothing is lost."
                if full
                else "Check its permissions and run it again; nothing is lost.",
            ) from error
        finally:
            lock.release()

    # --- upkeep -----------------------------------------------------------------------------

    def advice(self) -> tuple[Notice, ...]:
        """What would serve these documents better; looks at some of their passages."""
        from inglenook.knowledge.languages import embedder_advice, sample_of

        if not self._recipe.languages:
            return ()
        with self._lock:
            if not self.exists or not self.matches_recipe:
                return ()
            passages = sample_of(self._open_catalog())
            found = embedder_advice(passages, self._recipe.embedder, self._recipe.languages)
        return (found,) if found else ()

    def status(self, files: Sequence[tuple[str, Path]]) -> KnowledgeStatus:
        """What is here and whether it is in order; reads the whole catalog."""
        from inglenook.knowledge.upkeep import status_of, unfinished_status

        with self._lock:
            if not self.exists:
                return unfinished_status(self.folder, files, self._embeddings_file)
            catalog = self._open_catalog()
            folder = self._store_folder
            vectors = -1
            if self._recipe.has_vectors and self._recipe.make_store and folder.is_dir():
                vectors = self._count_stored()
            return status_of(
                catalog,
                files=files,
                outdated=not self.matches_recipe,
                store_folder=folder,
                store_vectors=vectors,
                embeddings_file=self._embeddings_file,
                notices=self.advice(),
            )

    def rebuild_store(self, cancel: CancelToken) -> tuple[int, float]:
        """Build the vector store anew from the catalog; (vectors, seconds).

        Raises `UserError` if there is nothing to build it from or no vector store is installed.
        """
        from inglenook.knowledge.upkeep import delete_store

        with self._writing(), self._lock:
            catalog = self._open_catalog()
            if self._recipe.make_store is None:
                raise UserError(
                    "No vector store is installed; the exact scan needs none.",
                    hint="For Chroma: pip install 'inglenook[chroma]'",
                )
            if not self.matches_recipe:
                raise UserError(
                    "The documents were read with another embedder or splitter.",
                    hint="Run `nook ingest` for this assistant first.",
                )
            if not self._open_embedder().dimension:
                raise UserError(
                    "This assistant searches by words alone; it has no vectors to build from.",
                    hint="Take `mode=lexical` out of its RETRIEVE line to use a vector store.",
                )
            if cancel.cancelled:
                raise Cancelled
            self._forget_open()
            catalog = self._open_catalog()
            if self._open_projection(catalog) is None:
                raise StoreError(self._store_problem, hint="Close the other nook, then try again.")
            self._forget_open()
            catalog = self._open_catalog()
            delete_store(self._store_folder)
            started = time.monotonic()
            projection = self._open_projection(catalog)
            if projection is None:
                raise StoreError(self._store_problem, hint="Close the other nook, then try again.")
            return catalog.count_chunks(), time.monotonic() - started

    def vacuum(self) -> int:
        """Free what deleted chunks and unused embeddings take; the bytes that were freed."""
        from inglenook.knowledge import upkeep

        with self._writing(), self._lock:
            self._drop_strays()
            (catalog := self._open_catalog()).sweep()
            # Those that are being built too: their embeddings are in use.
            others = sorted(self.folder.parent.glob("*/catalog-*.sqlite"))
            freed = upkeep.free_space(catalog, others, self._embeddings_file)
            freed += upkeep.drop_set_aside(self.folder)
            wasteful = upkeep.is_wasteful(self.folder, catalog.count_chunks())
            store = self._store_folder
            freed += upkeep.bytes_under(store)
            if not self._recipe.has_vectors:
                upkeep.delete_store(store)
        if wasteful and store.is_dir() and self._recipe.make_store and self.matches_recipe:
            self.rebuild_store(CancelToken())
        return freed - upkeep.bytes_under(store)

    # --- out --------------------------------------------------------------------------------

    def search(self, wanted: Wanted, cancel: CancelToken | None = None) -> tuple[Passage, ...]:
        """What is shown: narrowed (or `UserError`), reranked, folded, put together; best first."""
        with self.searching() as search:
            return search.passages(wanted, cancel or CancelToken())

    @contextmanager
    def searching(self) -> Iterator[Search]:
        """What finds passages, while nothing else is done here."""
        from inglenook.knowledge.search import Search

        with self._lock:
            catalog = self._open_catalog()  # the newest: another process may have swapped it
            before, self._in_use = self._in_use, catalog
            try:
                known = self._recipe.loaders().extensions
                yield Search(catalog, self.retrieve, self._balance, self._open_reranker, known)
            finally:
                self._in_use = before

    def _balance(self, question: str, allowed: frozenset[int] | None) -> Balance:
        """How much the vectors count for a question; not at all where there are none in step."""
        from inglenook.knowledge.explanation import Balance, balance_of

        trusted = self._trusted(question) if self.matches_recipe else None
        if trusted is None:
            return Balance(0.0)
        self._open_retriever()
        return balance_of(self._vectors, trusted, allowed)

    def retrieve(
        self, question: str, limit: int, mode: str, *, allowed: frozenset[int] | None = None
    ) -> tuple[Passage, ...]:
        """The best single chunks, best first; of those with the keys `allowed`, None is all."""
        from inglenook.knowledge.no_embedder import no_vectors

        with self._lock:
            self._open_catalog()  # another process may have swapped a rebuilt one in
            by_vectors = mode != "lexical" and self.matches_recipe
            trusted = self._trusted(question) if by_vectors else None
            if trusted is None and mode == "vector":
                raise no_vectors(outdated=not self.matches_recipe)
            retriever = self._open_retriever()
            return tuple(retriever.retrieve(question, limit, mode, trusted, allowed=allowed))

    def _trusted(self, question: str) -> VectorTrust | None:
        from inglenook.knowledge.retrieve import VectorTrust
        from inglenook.knowledge.trust import trust_in

        embedder = self._open_embedder()
        if not embedder.dimension:
            return None  # Words alone.
        trust = trust_in(question, self._recipe.languages)
        return VectorTrust(embedder.embed_query(question), trust)

    def _open_retriever(self) -> Any:
        from inglenook.knowledge.retrieve import Retriever
        from inglenook.knowledge.scan import ExactScan

        if self._retriever is None:
            catalog = self._open_catalog()
            vectors: Any = None
            large = catalog.count_chunks() >= self._recipe.exact_scan_limit
            if large and self.matches_recipe and self._recipe.has_vectors:
                vectors = self._open_projection(catalog)
            self._vectors = vectors or ExactScan(catalog)
            self._retriever = Retriever(catalog, self._vectors)
        return self._retriever

    def _open_projection(self, catalog: Catalog) -> Any:
        """The vector store in step with the catalog; None if there is none or another owns it."""
        from inglenook.knowledge.projection import Projection

        if self._projection is None and self._recipe.make_store is not None:
            dimension = self._open_embedder().dimension
            store = self._recipe.make_store(self._store_folder, dimension)
            try:
                store.open()
            except StoreError as error:
                # The exact scan gives the same passages; who ingests is told.
                self._store_problem = error.message
                return None
            self._projection = Projection(store, catalog)
        if self._projection is not None:
            self._projection.sync()
        return self._projection

    def _count_stored(self) -> int:
        """Vectors in the store; -1 if another process owns it."""
        if self._projection is not None:
            return int(self._projection.count())
        assert self._recipe.make_store is not None
        store = self._recipe.make_store(self._store_folder, self._open_embedder().dimension)
        try:
            store.open()
            return store.count()
        except StoreError:
            return -1
        finally:
            store.close()

    @property
    def _store_folder(self) -> Path:
        return self.folder / "store"

    # --- opening and closing ----------------------------------------------------------------

    @property
    def _identity(self) -> str:
        return json.dumps(self._recipe.identity, sort_keys=True)

    def _current_file(self) -> Path | None:
        try:
            name = (self.folder / "current").read_text("utf-8").strip()
        except OSError:
            return None
        path = self.folder / name
        return path if path.is_file() else None

    def _open_catalog(self) -> Catalog:
        if self._catalog is not None and self._catalog is self._in_use:
            return self._catalog  # A search stays in it: in another its keys mean other chunks.
        current = self._current_file()
        if current is None:
            raise UserError("No documents have been read yet.", hint="Run `nook ingest`.")
        if self._catalog is None or self._catalog.path != current:
            self._forget_open()
            self._catalog = Catalog(current)
        return self._catalog

    def _open_embedder(self) -> Embedder:
        if self._embedder is None:
            embedder = self._recipe.make_embedder()
            embedder.open()
            self._embedder = embedder
        return self._embedder

    def _open_reranker(self) -> Reranker | None:
        if self._reranker is None and self._recipe.make_reranker is not None:
            reranker = self._recipe.make_reranker()
            reranker.open()
            self._reranker = reranker
        return self._reranker

    def _forget_open(self) -> None:
        if self._projection is not None:
            self._projection.close()
        if self._catalog is not None:
            self._catalog.close()
        self._catalog = self._retriever = self._vectors = self._projection = None

    def close(self) -> None:
        with self._lock:
            self._forget_open()
            if self._embedder is not None:
                self._embedder.close()
                self._embedder = None
            if self._reranker is not None:
                self._reranker.close()
                self._reranker = None


_EMBEDDINGS_RESET = Notice(
    "embeddings-reset",
    "The cache of embeddings was damaged and is begun anew; what changes is embedded again.",
)


def _planned(
    planning: Generator[str, None, tuple[Step, ...]], total: int, cancel: CancelToken
) -> Generator[IngestEvent, None, tuple[Step, ...]]:
    """Carry the planning out and tell how far it is; a cancel leaves nothing to be done."""
    shown = time.monotonic()
    for done in range(total + 1):
        try:
            name = next(planning)
        except StopIteration as end:
            steps: tuple[Step, ...] = end.value
            return steps
        if cancel.cancelled:
            break
        if time.monotonic() - shown > PLANNING_SHOWN_EVERY_S:
            shown = time.monotonic()
            yield IngestProgress(name, done, total, 0)
    return ()
