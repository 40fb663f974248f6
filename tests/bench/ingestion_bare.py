"""The bare embedding session over the chunks of a home: our embedder alone, nothing around it.

    ingestion_bare.py HOME REFERENCE

Prints one line of JSON: the seconds, and how many of the vectors equal those in the catalog.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy

from inglenook.assistants.embedder_choice import with_cache_folder
from inglenook.host import Host
from inglenook.models.library import Library
from inglenook.types import CancelToken

__all__ = ["live_chunks"]


def live_chunks(home: Path) -> list[tuple[str, bytes]]:
    """(embedded text, float32 bytes) of every visible chunk, in the order of the catalog."""
    found: list[tuple[str, bytes]] = []
    for pointer in sorted((home / "data" / "knowledge").glob("*/current")):
        catalog = pointer.with_name(pointer.read_text("utf-8").strip())
        with closing(sqlite3.connect(catalog)) as connection:
            rows = connection.execute("SELECT headings, text, embedding FROM live ORDER BY key")
            for headings, text, embedding in rows:
                # As the engine embeds it; `same_vectors` below would tell if that were wrong.
                above = " › ".join(json.loads(headings))
                found.append((f"{above}\n{text}" if above else text, embedding))
    return found


def main() -> int:
    home, reference = Path(sys.argv[1]), sys.argv[2]
    kept = dict(live_chunks(home))
    texts = list(kept)
    files = Library(home / "data" / "models").get(reference)
    host = Host()
    embedder = next(
        host.make_embedder(
            entry.factory.name, files, with_cache_folder(entry, files, {}, home / "cache")
        )
        for entry in host.registered("embedder")
        if files.format in entry.factory.capabilities.get("formats", ())
    )
    embedder.open()
    embedder.embed_documents(texts[:32], CancelToken())
    started, cpu_started = time.perf_counter(), time.process_time()
    vectors = embedder.embed_documents(texts, CancelToken())
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    embedder.close()
    theirs = numpy.frombuffer(b"".join(kept.values()), numpy.float32).reshape(len(texts), -1)
    cosines = numpy.einsum("ij,ij->i", theirs, vectors)
    report = {
        "texts": len(texts),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "same_vectors": int((cosines > 0.9999).sum()),
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
