"""How long a question takes, the embedding of it apart, against the bare libraries.

    retrieval.py [--quick] [--long] [--chunks N] [--questions 60] [--json FILE]

Made-up text is searched through the product's retriever, in turns with a bare Chroma query plus a
bare FTS5 query for the same terms; 10,000 chunks, or with --long 100,000, which is when vectors
come from the store. There the 95th percentile may be 1.5 times the bare one, else exit code 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy

from inglenook.host import Host
from inglenook.knowledge.catalog import Catalog, NewChunk
from inglenook.knowledge.knowledge_base import EXACT_SCAN_LIMIT
from inglenook.knowledge.lexical import Analyser
from inglenook.knowledge.projection import Projection
from inglenook.knowledge.retrieve import CANDIDATES, Retriever, VectorTrust
from inglenook.knowledge.scan import ExactScan, as_matrix
from inglenook.knowledge.word_scores import TermStatistics, weigh_terms
from inglenook.types import ChunkText, Locator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[numpy.float32]

T = TypeVar("T")

DIMENSION = 384
WORDS_A_CHUNK = 110
VOCABULARY = 30_000
CHUNKS_A_SOURCE = 50
BATCH = 2_000
LIMIT = 8
WORST_RATIO = 1.5
_SYLLABLES = (
    "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu bra cle dri flo gru".split()
)


class MadeUpText:
    """Words as rare as in real text (Zipf), and vectors that have neighbours."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self._words = [
            "".join(chance.choice(_SYLLABLES) for _ in range(chance.randint(2, 5)))
            for _ in range(VOCABULARY)
        ]
        self._numbers = numpy.random.default_rng(seed)
        ranks = numpy.arange(1, VOCABULARY + 1)
        self._shares = (1 / ranks) / (1 / ranks).sum()
        self._topics = self._numbers.normal(size=(200, DIMENSION))

    def texts(self, count: int, length: int, first: int = 0) -> list[str]:
        """So many texts of so many words, none of the `first` most frequent words among them."""
        shares = self._shares[first:] / self._shares[first:].sum()
        chosen = self._numbers.choice(numpy.arange(first, VOCABULARY), (count, length), p=shares)
        return [" ".join(self._words[number] for number in row) for row in chosen]

    def vectors(self, count: int) -> Vectors:
        """Of shape (count, DIMENSION), each of length 1."""
        topics = self._topics[self._numbers.integers(0, len(self._topics), count)]
        made = topics + self._numbers.normal(size=(count, DIMENSION))
        return (made / numpy.linalg.norm(made, axis=1, keepdims=True)).astype(numpy.float32)


def fill(catalog: Catalog, made: MadeUpText, chunks: int) -> None:
    """Write the chunks as ingestion does."""
    analyser = Analyser()
    locator = Locator("whole", 0)
    for begin in range(0, chunks, BATCH):
        texts = made.texts(min(BATCH, chunks - begin), WORDS_A_CHUNK)
        vectors = made.vectors(len(texts))
        with catalog.transaction():
            for first in range(0, len(texts), CHUNKS_A_SOURCE):
                name = f"{begin + first}.txt"
                source = catalog.add_source(name, Path("/bench") / name)
                part = [
                    NewChunk(
                        f"{source}-{number}",
                        number - first,
                        ChunkText(
                            text=texts[number], locator=locator, start=0, end=len(texts[number])
                        ),
                        " ".join(analyser.terms(texts[number])),
                        vectors[number].tobytes(),
                    )
                    for number in range(first, min(first + CHUNKS_A_SOURCE, len(texts)))
                ]
                catalog.write_chunks(source, 1, part)
                catalog.publish(
                    source, 1, sha256="", size=0, mtime_ns=0, reader="bench", outcome="added"
                )


class BareLibraries:
    """Chroma and FTS5 by themselves, over the same vectors and terms."""

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        import chromadb

        client = chromadb.PersistentClient(str(folder / "bare"))
        self._collection = client.create_collection("bare", metadata={"hnsw:space": "cosine"})
        self._words = sqlite3.connect(folder / "words.sqlite")
        self._words.execute(
            "CREATE VIRTUAL TABLE terms USING fts5(content, tokenize=\"ascii tokenchars '.'\")"
        )
        rows = list(catalog.embeddings())
        for begin in range(0, len(rows), BATCH):
            part = rows[begin : begin + BATCH]
            terms = catalog.terms_of([key for key, _, _ in part])
            self._words.executemany(
                "INSERT INTO terms (rowid, content) VALUES (?, ?)", terms.items()
            )
            self._collection.add(
                ids=[id_ for _, id_, _ in part],
                embeddings=as_matrix([blob for _, _, blob in part]),
            )
        self._words.commit()

    def search(self, terms: Sequence[str], vector: Vectors) -> int:
        """Ask both; how many were found."""
        match = " OR ".join(f'"{term}"' for term in terms)
        rows = self._words.execute(
            "SELECT rowid FROM terms WHERE terms MATCH ? ORDER BY rank LIMIT ?",
            (match, CANDIDATES),
        ).fetchall()
        near = self._collection.query(
            query_embeddings=vector.reshape(1, -1), n_results=CANDIDATES, include=["distances"]
        )
        return len(rows) + len(near["ids"][0])


def compare(folder: Path, chunks: int, questions: int) -> dict[str, float]:
    """The 95th percentiles and medians in ms, and the ratios, of both in turns."""
    made = MadeUpText(seed=7)
    catalog = Catalog(folder / "catalog.sqlite")
    fill(catalog, made, chunks)
    catalog.vacuum()
    bare = BareLibraries(folder, catalog)
    vectors = _vector_side(folder, catalog, chunks)
    retriever = Retriever(catalog, vectors)
    statistics, analyser = TermStatistics.of(catalog), Analyser()
    asked = list(zip(made.texts(questions, 7, first=30), made.vectors(questions), strict=True))
    times: dict[str, list[float]] = {"bare": [], "inglenook": []}
    for text, vector in (*asked[:3], *asked):
        terms = weigh_terms(catalog, statistics, analyser, text).driving
        found = _timed(times["bare"], lambda: bare.search(terms, vector))  # noqa: B023
        assert found, "the bare libraries found nothing"
        passages = _timed(
            times["inglenook"],
            lambda: retriever.retrieve(text, LIMIT, "hybrid", VectorTrust(vector)),  # noqa: B023
        )
        assert len(passages) == LIMIT
    vectors.close()
    catalog.close()
    report = {"chunks": float(chunks)}
    for name, share in (("p50", 50), ("p95", 95)):
        for side, taken in times.items():
            # The first three were to warm up.
            report[f"{side}_{name}_ms"] = round(float(numpy.percentile(taken[3:], share)), 2)
        report[f"ratio_{name}"] = round(
            report[f"inglenook_{name}_ms"] / report[f"bare_{name}_ms"], 2
        )
    return report


def _vector_side(folder: Path, catalog: Catalog, chunks: int) -> Projection | _Scan:
    """What an assistant of this size would search its vectors with."""
    if chunks < EXACT_SCAN_LIMIT:
        return _Scan(catalog)
    store = Host().make_vector_store("chroma", folder / "store", DIMENSION)
    store.open()
    projection = Projection(store, catalog)
    projection.sync()
    return projection


class _Scan(ExactScan):
    def close(self) -> None:
        """Nothing to close."""


def _timed(into: list[float], call: Callable[[], T]) -> T:
    started = time.perf_counter()
    result = call()
    into.append((time.perf_counter() - started) * 1000)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 chunks")
    parser.add_argument("--long", action="store_true", help="100,000 chunks")
    parser.add_argument("--chunks", type=int, default=0, help="as many as this instead")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--questions", type=int, default=60)
    given, _ = parser.parse_known_args()
    usual = 100_000 if given.long else 1_000 if given.quick else 10_000
    chunks = given.chunks or usual
    with tempfile.TemporaryDirectory() as folder:
        report = compare(Path(folder), chunks, given.questions)
    print(json.dumps(report, indent=2))
    if given.json:
        given.json.write_text(json.dumps(report), "utf-8")
    if report["ratio_p95"] > WORST_RATIO:
        print(f"missed: p95 is {report['ratio_p95']} times the bare one, not {WORST_RATIO}")
        return int(given.long)
    return 0


if __name__ == "__main__":
    sys.exit(main())
