"""How much sooner the first token comes after a cold start when the prompt's beginning is on disk.

    python tests/bench/cold_start.py [--quick] [--tokens N] [--json FILE]

Each start is a new process that loads the model and answers the same question after the same
system prompt: without anything kept, and with what an earlier start kept, in turn in one run. The
ratio is the median of the ratios of neighbours. The texts must be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ingestion_runs import MODELS_HOME, print_table

from inglenook.models.library import Library
from inglenook.models.worker import RuntimeWorker
from inglenook.types import (
    CancelToken,
    GenerateRequest,
    ModelFiles,
    RuntimeOptions,
    TextDelta,
    Usage,
)

RUNTIMES = {
    "xllamacpp": "inglenook_xllamacpp.runtime:XllamacppRuntime",
    "llama-cpp": "inglenook_llama_cpp.runtime:LlamaCppRuntime",
}
MODELS = ("smollm2:135m", "qwen2.5-coder:0.5b")
BAR = 4.0


def start(load: str, files: ModelFiles, folder: Path | None, tokens: int) -> tuple[float, str, int]:
    """Seconds from nothing to the first token, the text, and how many tokens were on disk."""
    options = RuntimeOptions(context_length=4096, state_folder=folder, state_bytes=10**9)
    began = time.perf_counter()
    worker = RuntimeWorker(load, files, options, Path(os.devnull))
    try:
        worker.open()
        rules = "".join(
            f"Rule {n}: cabinet {n * 7} is closed before {n} o'clock.\n" for n in range(tokens)
        )
        fixed = tuple(worker.tokenize(rules, special=True))[:tokens]
        question = tuple(worker.tokenize("\nWhat does rule 7 say?\n", special=True))
        request = GenerateRequest(
            tokens=(*fixed, *question),
            parameters={"temperature": 0.0},
            max_tokens=16,
            fixed=len(fixed),
        )
        first, text, usage = 0.0, "", Usage()
        for event in worker.generate(request, CancelToken()):
            if isinstance(event, TextDelta):
                first = first or time.perf_counter() - began
                text += event.text
            elif isinstance(event, Usage):
                usage = event
        return first, text, usage.cached_tokens or 0
    finally:
        worker.close()


def measure(load: str, files: ModelFiles, tokens: int, rounds: int) -> dict[str, Any]:
    """The median seconds of both, and the median of their ratios."""
    pairs: list[tuple[float, float]] = []
    texts: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="inglenook-cold-") as folder:
        kept = Path(folder) / "m"
        _, text, _ = start(load, files, kept, tokens)
        texts.add(text)
        for _ in range(rounds):
            fresh, text, _ = start(load, files, None, tokens)
            again, other, cached = start(load, files, kept, tokens)
            texts |= {text, other}
            pairs.append((fresh, again))
        size = sum(path.stat().st_size for path in kept.iterdir())
    return {
        "fresh_s": statistics.median(fresh for fresh, _ in pairs),
        "kept_s": statistics.median(again for _, again in pairs),
        "ratio": statistics.median(fresh / again for fresh, again in pairs),
        "same_text": len(texts) == 1,
        "cached_tokens": cached,
        "file_mb": size / 1e6,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tokens", type=int, default=1500)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    library = Library(MODELS_HOME / "data" / "models")
    found: dict[str, Any] = {}
    fine = True
    for model in MODELS[:1] if given.quick else MODELS:
        for name, load in RUNTIMES.items():
            got = measure(load, library.get(model), given.tokens, 1 if given.quick else 3)
            found[f"{model} {name}"] = got
            fine &= print_table(
                f"{name}, {model}, a system prompt of {given.tokens} tokens, cold process",
                [
                    ("first token, nothing kept", f"{got['fresh_s']:.2f} s", "", None),
                    ("first token, the beginning on disk", f"{got['kept_s']:.2f} s", "", None),
                    ("sooner", f"{got['ratio']:.1f}x", f">= {BAR}", got["ratio"] >= BAR),
                    ("the text is the same", got["same_text"], "True", bool(got["same_text"])),
                    ("tokens from disk", got["cached_tokens"], "", None),
                    ("on disk", f"{got['file_mb']:.1f} MB", "", None),
                ],
            )
    if given.json:
        given.json.write_text(json.dumps({"benchmark": "cold start", **found}, indent=2))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
