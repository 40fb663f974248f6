"""Measures ranking: nDCG@10 of words, vectors and both, on sets with known answers.

    retrieval_study.py DATA CACHE [--embedder minilm:int8] [--sets scifact,heq] [--whole]
        [--held-out]

DATA holds `scifact`, `xquad` and `heq` (see `ranking_sets`), CACHE keeps what was embedded. The
catalog, the analysis, the splitter and the retriever are the product's; a document ranks by its
best chunk, or is one chunk with --whole. Constants are tuned on the questions of the first
column, and the second one is reported; with --held-out only that one is measured.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
from ranking_sets import RankingSet, load_sets, ndcg

from inglenook.host import Host
from inglenook.knowledge.catalog import Catalog, NewChunk
from inglenook.knowledge.drafting import Drafter, embedded_text
from inglenook.knowledge.embedding_cache import EmbeddingCache
from inglenook.knowledge.recording import Recorder
from inglenook.knowledge.retrieve import Retriever, VectorTrust
from inglenook.knowledge.scan import ExactScan
from inglenook.knowledge.trust import trust_in
from inglenook.models.library import Library
from inglenook.protocols import Embedder
from inglenook.security.pipeline import Filters
from inglenook.types import CancelToken, ChunkText, Locator, Section

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

MODES = ("lexical", "vector", "hybrid")
SETS = "scifact,heq,xquad-en,xquad-ar,xquad-de,xquad-es,xquad-zh"
PASSAGES = 60
"""Enough for ten documents, whose chunks are ranked one by one."""
EMBEDDED_AT_ONCE = 64


class CachedEmbedder:
    """Embeds each text once for all runs."""

    def __init__(self, embedder: Embedder, cache: EmbeddingCache) -> None:
        self._embedder = embedder
        self._cache = cache

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (len(texts), dimension)."""
        return self._all(
            self._embedder.fingerprint,
            texts,
            lambda some: self._embedder.embed_documents(some, CancelToken()),
        )

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (len(texts), dimension)."""
        return self._all(
            f"{self._embedder.fingerprint}:question",
            texts,
            lambda some: numpy.array([self._embedder.embed_query(text) for text in some]),
        )

    def _all(
        self, kind: str, texts: Sequence[str], embed: Callable[[Sequence[str]], Vectors]
    ) -> Vectors:
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        known = self._cache.get(kind, digests)
        missing = {d: t for d, t in zip(digests, texts, strict=True) if d not in known}
        wanted = list(missing)
        for begin in range(0, len(wanted), EMBEDDED_AT_ONCE):
            part = wanted[begin : begin + EMBEDDED_AT_ONCE]
            vectors = numpy.asarray(embed([missing[d] for d in part]), dtype=numpy.float32)
            self._cache.put(kind, part, vectors)
            known.update({d: v.tobytes() for d, v in zip(part, vectors, strict=True)})
        flat = numpy.frombuffer(b"".join(known[d] for d in digests), dtype=numpy.float32)
        return flat.reshape(len(texts), -1)


def chunks_of(
    ranking: RankingSet, embedder: Embedder, *, whole: bool
) -> dict[str, list[ChunkText]]:
    """The chunks of each document, its title as their heading."""
    splitter = Host().make_splitter("sentences")
    drafter = Drafter(splitter, Filters(), embedder.max_tokens, embedder.count_tokens)
    made = {}
    for name, (title, text) in ranking.documents.items():
        headings = (title,) if title else ()
        locator = Locator("whole", 0)
        made[name] = (
            [ChunkText(text=text, locator=locator, start=0, end=len(text), headings=headings)]
            if whole
            else list(drafter.draft(Section(text, locator, headings), name).chunks)
        )
    return made


def fill(
    catalog: Catalog,
    documents: dict[str, list[ChunkText]],
    embed: Callable[[Sequence[str]], Vectors],
) -> None:
    """Write every document as a source of its own, its terms and vectors as ingestion does."""
    recorder = Recorder(catalog)
    vectors = iter(embed([embedded_text(c) for chunks in documents.values() for c in chunks]))
    with catalog.transaction():
        for name, chunks in documents.items():
            source = catalog.add_source(name, Path("/study") / name)
            new = [
                NewChunk(
                    f"{source}-{number}",
                    number,
                    chunk,
                    recorder.terms("document", chunk.headings, chunk.text),
                    next(vectors).tobytes(),
                )
                for number, chunk in enumerate(chunks)
            ]
            catalog.write_chunks(source, 1, new)
            catalog.publish(
                source, 1, sha256="", size=0, mtime_ns=0, reader="study", outcome="added"
            )


def measure(
    ranking: RankingSet, catalog: Catalog, questions: Vectors, languages: Sequence[str], mode: str
) -> tuple[float, float]:
    """nDCG@10 of the questions for tuning, and of the others."""
    retriever = Retriever(catalog, ExactScan(catalog))
    scores: dict[bool, list[float]] = {True: [], False: []}
    for asked, vector in zip(ranking.questions, questions, strict=True):
        trusted = VectorTrust(vector, trust_in(asked.text, languages))
        found = retriever.retrieve(
            asked.text, PASSAGES, mode, None if mode == "lexical" else trusted
        )
        ranked = list(dict.fromkeys(passage.source for passage in found))
        scores[asked.tuning].append(ndcg(ranked, asked.gains))
    tuned, held = (float(numpy.mean(some)) if some else math.nan for some in scores.values())
    return tuned, held


def study(
    sets: Sequence[RankingSet],
    embedder: Embedder,
    cache: EmbeddingCache,
    languages: Sequence[str],
    *,
    whole: bool = False,
) -> None:
    """Print a line for each set and mode."""
    cached = CachedEmbedder(embedder, cache)
    for ranking in sets:
        with tempfile.TemporaryDirectory() as folder:
            catalog = Catalog(Path(folder) / "catalog.sqlite")
            fill(catalog, chunks_of(ranking, embedder, whole=whole), cached.passages)
            questions = cached.questions([asked.text for asked in ranking.questions])
            for mode in MODES:
                tuned, held = measure(ranking, catalog, questions, languages, mode)
                print(
                    f"{ranking.name:10} {mode:8} tuning {tuned:.4f}  held out {held:.4f}"
                    f"  ({catalog.count_chunks()} chunks)",
                    flush=True,
                )
            catalog.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--embedder", default="minilm:int8")
    parser.add_argument("--models", type=Path, default=Path(".local/test/data/models"))
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--held-out", action="store_true")
    given = parser.parse_args()
    host = Host()
    files = Library(given.models).get(given.embedder)
    able = [
        entry.factory.name
        for entry in host.registered("embedder")
        if files.format in entry.factory.capabilities.get("formats", ())
    ]
    embedder = host.make_embedder(able[0], files)
    embedder.open()
    given.cache.mkdir(parents=True, exist_ok=True)
    cache = EmbeddingCache(given.cache / "study.sqlite")
    languages = tuple(files.details.get("languages", ()))
    sets = load_sets(given.data, given.sets.split(","))
    if given.held_out:
        sets = [replace(s, questions=tuple(q for q in s.questions if not q.tuning)) for s in sets]
    study(sets, embedder, cache, languages, whole=given.whole)
    embedder.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
