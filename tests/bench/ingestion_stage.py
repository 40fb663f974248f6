"""The CPU time that the embedding stage of an ingestion takes, apart from what runs beside it.

    ingestion_stage.py HOME ASSISTANTFILE

On a machine whose cores are all busy, the stage's seconds by the clock hold the parsing and
splitting that share them. Prints one line of JSON: the seconds of the process while it embeds, by
its CPU clock, without those of the thread that splits and writes.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inglenook import Assistant
from inglenook.knowledge.embedding import EmbeddingStage

if TYPE_CHECKING:
    from inglenook.types import CancelToken


class Measured:
    """An embedder whose CPU time is added up."""

    def __init__(self, embedder: Any) -> None:
        self._embedder = embedder
        self._splitter = time.pthread_getcpuclockid(threading.get_ident())
        self.cpu_seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def embed_documents(self, texts: Any, cancel: CancelToken) -> Any:
        """The embedder's own, measured."""
        before = self._elsewhere()
        try:
            return self._embedder.embed_documents(texts, cancel)
        finally:
            self.cpu_seconds += self._elsewhere() - before

    def _elsewhere(self) -> float:
        return time.process_time() - time.clock_gettime(self._splitter)


def main() -> int:
    home, assistant = Path(sys.argv[1]), Path(sys.argv[2])
    stages: list[Measured] = []
    make = EmbeddingStage.__init__

    def measured(stage: EmbeddingStage, embedder: Any, cache: Any) -> None:
        stages.append(Measured(embedder))
        make(stage, stages[-1], cache)

    EmbeddingStage.__init__ = measured  # type: ignore[method-assign]
    with Assistant.from_file(assistant, home=home) as opened:
        report = opened.ingest()
    spent = sum(stage.cpu_seconds for stage in stages)
    print(json.dumps({"chunks": report.chunks, "embed_cpu_seconds": spent}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
