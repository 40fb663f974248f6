"""Looks after a knowledge base: its state, its size, and space that nothing uses any more."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path

from inglenook.errors import StoreError
from inglenook.knowledge.catalog import Catalog, SourceRow
from inglenook.knowledge.drafting import embedded_text
from inglenook.knowledge.embedding import digest_of
from inglenook.knowledge.embedding_cache import EmbeddingCache
from inglenook.knowledge.plan import changes_since
from inglenook.knowledge.projection import dead_vectors
from inglenook.types import PART_FAILED, ChunkText, KnowledgeStatus, Locator, Notice

__all__ = [
    "bytes_of",
    "bytes_under",
    "delete_store",
    "drop_set_aside",
    "free_space",
    "is_wasteful",
    "size_of_database",
    "status_of",
    "unfinished_status",
]

DEAD_SHARE = 0.2
"""Of a vector store; if more of it is dead, building it anew is worth the time."""

_NOWHERE = Locator("whole", "")


def status_of(
    catalog: Catalog,
    *,
    files: Sequence[tuple[str, Path]],
    outdated: bool,
    store_folder: Path,
    store_vectors: int,
    embeddings_file: Path,
    notices: tuple[Notice, ...] = (),
) -> KnowledgeStatus:
    """What the catalog holds; reads all of it to find damage."""
    sources: tuple[SourceRow, ...] = ()
    counted = chunks = 0
    problems = list(catalog.problems())
    try:
        sources, counted = catalog.sources(), catalog.count_sources()
        chunks = catalog.count_chunks()
    except StoreError as error:
        problems.append(error.message)
    if store_vectors >= 0 and store_vectors != chunks:
        problems.append(
            f"the vector store holds {store_vectors:,} vectors for {chunks:,} chunks; "
            "the next ingestion or `nook kb rebuild` mends it"
        )
    changes = changes_since(files, sources)
    return KnowledgeStatus(
        sources=counted,
        chunks=chunks,
        failed=(
            *((s.name, s.reason, s.message) for s in sources if s.reason),
            *(
                (s.name, "part failed", notice.message)
                for s in sources
                for notice in s.notices
                if notice.code == PART_FAILED
            ),
        ),
        changed=tuple(change.name for change in changes),
        renamed=tuple((change.name, change.was) for change in changes if change.was),
        outdated=outdated,
        catalog_bytes=size_of_database(catalog.path),
        store_bytes=bytes_under(store_folder),
        store_vectors=store_vectors,
        embeddings_bytes=size_of_database(embeddings_file),
        problems=tuple(problems),
        notices=notices,
    )


def unfinished_status(
    folder: Path, files: Sequence[tuple[str, Path]], embeddings_file: Path
) -> KnowledgeStatus:
    """The state of a knowledge base that cannot be asked yet: never read, or not to the end."""
    kept, problems, catalog_bytes = 0, list[str](), 0
    for path in sorted(folder.glob("catalog-*.sqlite"))[:1]:
        catalog_bytes = size_of_database(path)
        try:
            with closing(Catalog(path)) as catalog:
                kept = catalog.count_sources()
        except StoreError as error:
            problems.append(error.message)
    return KnowledgeStatus(
        0,
        0,
        changed=tuple(name for name, _ in files),
        catalog_bytes=catalog_bytes,
        embeddings_bytes=size_of_database(embeddings_file),
        problems=tuple(problems),
        begun=bool(catalog_bytes),
        kept=kept,
    )


def free_space(catalog: Catalog, all_catalogs: Iterable[Path], embeddings_file: Path) -> int:
    """Compact a catalog, and drop embeddings that no catalog uses; the bytes that were freed.

    Raises `StoreError`; nothing is dropped if one of the catalogs cannot be read.
    """
    before = size_of_database(catalog.path) + size_of_database(embeddings_file)
    catalog.vacuum()
    if embeddings_file.exists():
        used = _digests_in_use(all_catalogs)
        cache = EmbeddingCache(embeddings_file)
        try:
            cache.keep_only(used)
        finally:
            cache.close()
    return before - size_of_database(catalog.path) - size_of_database(embeddings_file)


def drop_set_aside(folder: Path) -> int:
    """Delete stores that were damaged and set aside; the bytes that were freed."""
    freed = 0
    for bad in (*folder.glob("store.bad-*"), *folder.glob("store.old")):
        size = bytes_under(bad)
        shutil.rmtree(bad, ignore_errors=True)
        freed += size - bytes_under(bad)
    return freed


def is_wasteful(folder: Path, live: int) -> bool:
    """Whether so much of the vector store is dead that it should be built anew."""
    dead = dead_vectors(folder)
    return dead > DEAD_SHARE * (dead + live)


def _digests_in_use(catalogs: Iterable[Path]) -> set[bytes]:
    used: set[bytes] = set()
    for path in catalogs:
        other = Catalog(path)
        try:
            used.update(
                digest_of(embedded_text(ChunkText(text, 0, 0, _NOWHERE, headings)))
                for text, headings in other.embedded_parts()
            )
        finally:
            other.close()
    return used


def size_of_database(path: Path) -> int:
    """The bytes of an SQLite file and of what SQLite keeps beside it, which comes and goes."""
    return sum(bytes_of(part) for part in path.parent.glob(f"{path.name}*"))


def bytes_of(path: Path) -> int:
    """The bytes of a file; 0 if it is none, or has just vanished."""
    with suppress(OSError):
        return path.stat().st_size if path.is_file() else 0
    return 0


def bytes_under(folder: Path) -> int:
    """The bytes of all files in a folder; 0 if there is none. Files may vanish meanwhile."""
    return sum(map(bytes_of, folder.rglob("*")))


def delete_store(folder: Path) -> None:
    """Delete a vector store, if it is there."""
    if folder.exists():
        # Renamed first: an interrupted deletion must not look like a store.
        old = folder.with_name("store.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        shutil.rmtree(old, ignore_errors=True)
