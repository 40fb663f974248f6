"""The torch side of the embedding benchmark; runs in the environment of the peer.

    embedding_torch.py MODEL_FOLDER TEXTS.json BATCH

For every line that it reads it embeds all texts once and prints the seconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from sentence_transformers import SentenceTransformer


def main() -> None:
    folder, file, batch = sys.argv[1:]
    texts = json.loads(Path(file).read_text(encoding="utf-8"))
    model = SentenceTransformer(folder, device="cpu")
    for _ in sys.stdin:
        started = time.perf_counter()
        model.encode(texts, batch_size=int(batch), show_progress_bar=False)
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
