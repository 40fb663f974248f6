"""Tries a store in a child process, because a damaged index kills whoever opens it.

As a program (`python -m inglenook_chroma.canary FOLDER DIMENSION`) it ends with 0 for a sound
store, and with anything else, a signal too, for a bad one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["is_sound"]

_TIMEOUT_S = 300
_SAMPLE = 500
_IDS_AT_ONCE = 5_000
_OWN_RECALL = 0.98


def is_sound(store: Path, dimension: int) -> bool:
    """Whether a child process can open the store, read all of it and find its own vectors."""
    # The child must find the same packages, however this process came to its import path.
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; from inglenook_chroma.canary import main; main()"
    )
    try:
        child = subprocess.run(
            [sys.executable, "-c", program, str(store), str(dimension)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return child.returncode == 0


def main() -> None:
    from inglenook.privacy import silence_telemetry

    silence_telemetry()
    sys.exit(0 if _examine(Path(sys.argv[1]), int(sys.argv[2])) else 1)


def _examine(store: Path, dimension: int) -> bool:
    import chromadb
    from chromadb.config import Settings

    from inglenook_chroma.store import COLLECTION

    client = chromadb.PersistentClient(str(store), settings=Settings(anonymized_telemetry=False))
    if COLLECTION not in [collection.name for collection in client.list_collections()]:
        return False
    collection = client.get_collection(COLLECTION, embedding_function=None)
    count = collection.count()
    if not count:
        return True
    return _reads_all(collection, count, dimension) and _finds_its_own(collection, count)


def _reads_all(collection: Any, count: int, dimension: int) -> bool:
    """Every row has its vector, of length 1: rows whose vectors are lost still count."""
    import numpy

    seen = 0
    for offset in range(0, count, _IDS_AT_ONCE):
        page = collection.get(limit=_IDS_AT_ONCE, offset=offset, include=["embeddings"])
        vectors = page["embeddings"]
        if len(vectors) != len(page["ids"]) or vectors.shape[1:] != (dimension,):
            return False
        if not numpy.allclose(numpy.linalg.norm(vectors, axis=1), 1.0, atol=1e-3):
            return False
        seen += len(vectors)
    return seen == count


def _finds_its_own(collection: Any, count: int) -> bool:
    """The index answers with every row, and a sample of rows is found by its own vectors."""
    every = -(-count // _SAMPLE)
    found = asked = 0
    for offset in range(0, count, every):
        row = collection.get(limit=1, offset=offset, include=["embeddings"])
        answer = collection.query(
            query_embeddings=row["embeddings"], n_results=min(count, 10), include=["distances"]
        )
        if len(answer["ids"][0]) != min(count, 10):
            return False
        asked += 1
        # Rows with equal vectors stand for each other.
        found += row["ids"][0] in answer["ids"][0] or answer["distances"][0][0] < 1e-5
    everything = collection.query(query_embeddings=row["embeddings"], n_results=count, include=[])
    return len(everything["ids"][0]) == count and found >= _OWN_RECALL * asked


if __name__ == "__main__":
    main()
