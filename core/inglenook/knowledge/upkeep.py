"""Looks after a knowledge base: its state, its size, and space that nothing uses any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from inglenook.errors import StoreError
from inglenook.knowledge.catalog import Catalog, SourceRow
from inglenook.knowledge.drafting import embedded_text
from inglenook.knowledge.embedding import digest_of
from inglenook.knowledge.embedding_cache import EmbeddingCache
from inglenook.knowledge.plan import changed_since
from inglenook.types import PART_FAILED, ChunkText, KnowledgeStatus, Locator

__all__ = ["bytes_under", "free_space", "size_of_database", "status_of"]

_NOWHERE = Locator("whole", "")


def status_of(
    catalog: Catalog,
    *,
    files: Sequence[tuple[str, Path]],
    outdated: bool,
    store_folder: Path,
    store_vectors: int,
    embeddings_file: Path,
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
        changed=changed_since(files, sources),
        outdated=outdated,
        catalog_bytes=size_of_database(catalog.path),
        store_bytes=bytes_under(store_folder),
        store_vectors=store_vectors,
        embeddings_bytes=size_of_database(embeddings_file),
        problems=tuple(problems),
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
    """The bytes of an SQLite file and of what SQLite keeps beside it."""
    return sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*"))


def bytes_under(folder: Path) -> int:
    """The bytes of all files in a folder; 0 if there is none."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
