"""Texts per second of our embedder against the packaged ONNX file and against torch, side by side.

    python tests/bench/embedding.py [--quick] [--no-torch] [--json FILE]

All compute the same weights of all-MiniLM-L6-v2 over the same texts of 186 tokens, in turn in one
run. The packaged file runs on bare ONNX Runtime in two ways (one session over all cores, one text
a core), torch through sentence-transformers in batches of 32 and of 1; the faster way counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
from ingestion_peer import make_model_folder, make_peer
from ingestion_runs import MODELS_HOME, ROOT, print_table

from inglenook.models.library import Library
from inglenook.types import CancelToken
from inglenook_onnx_embedder.embedder import OnnxEmbedder

TOKENS = 186
BAR_PACKAGED = 2.5
BAR_TORCH = 5.0
BAR_COSINE = 0.99
_HERE = Path(__file__).resolve().parent

Encode = Callable[[Sequence[str]], Any]


def texts_of(tokenizer: Any, count: int) -> list[str]:
    """Prose of the project's own manual, cut so that each text has `TOKENS` tokens."""
    found = []
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        offsets = tokenizer.encode(text, add_special_tokens=False).offsets
        room = TOKENS - 2
        for first in range(0, len(offsets) - room, room):
            part = text[offsets[first][0] : offsets[first + room - 1][1]]
            if len(tokenizer.encode(part).ids) == TOKENS:
                found.append(part)
    if len(found) < count:
        raise SystemExit(f"The manual gives {len(found)} texts; {count} are needed.")
    return found[:count]


def ours(precision: str) -> OnnxEmbedder:
    """Our embedder, open; its graph is kept between runs."""
    library = Library(MODELS_HOME / "data" / "models")
    embedder = OnnxEmbedder(library.get("minilm:fp32"), {"precision": precision})
    embedder.open()
    return embedder


def packaged(tokenizer: Any) -> dict[str, Encode]:
    """The packaged file on bare ONNX Runtime."""
    import onnxruntime

    path = str(Library(MODELS_HOME / "data" / "models").get("minilm:int8").files["model.onnx"])

    def session(threads: int) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def vector(opened: Any, ids: list[int]) -> Any:
        tokens = numpy.array([ids], dtype=numpy.int64)
        feed = {"input_ids": tokens, "attention_mask": numpy.ones_like(tokens)}
        if "token_type_ids" in {entry.name for entry in opened.get_inputs()}:
            feed["token_type_ids"] = numpy.zeros_like(tokens)
        mean = opened.run(None, feed)[0][0].mean(axis=0)
        return mean / numpy.linalg.norm(mean)

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    whole, single = session(cores or 1), session(1)
    pool = ThreadPoolExecutor(cores)

    def one_after_the_other(texts: Sequence[str]) -> Any:
        return [vector(whole, entry.ids) for entry in tokenizer.encode_batch(list(texts))]

    def one_a_core(texts: Sequence[str]) -> Any:
        ids = [entry.ids for entry in tokenizer.encode_batch(list(texts))]
        return list(pool.map(lambda entry: vector(single, entry), ids))

    return {
        "packaged, all cores a text": one_after_the_other,
        "packaged, a text a core": one_a_core,
    }


class Torch:
    """sentence-transformers in the peer's environment, as a process that answers with seconds."""

    def __init__(self, texts: Sequence[str], batch: int) -> None:
        self._file = tempfile.NamedTemporaryFile("w", suffix=".json", delete=False)  # noqa: SIM115
        json.dump(list(texts), self._file)
        self._file.close()
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
        command = [str(make_peer()), str(_HERE / "embedding_torch.py"), str(make_model_folder())]
        self._process = subprocess.Popen(
            [*command, self._file.name, str(batch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def seconds(self) -> float:
        """Embed all texts once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("sentence-transformers ended; try it by hand: embedding_torch.py")
        return float(line)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        Path(self._file.name).unlink()


def timed(encode: Encode, texts: Sequence[str]) -> float:
    started = time.perf_counter()
    encode(texts)
    return time.perf_counter() - started


def main() -> int:
    """Run all of them in turn and print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer texts and rounds")
    parser.add_argument("--no-torch", dest="torch", action="store_false", help="without torch")
    parser.add_argument("--json", type=Path, help="also write the report here")
    arguments = parser.parse_args()
    count, rounds = (32, 3) if arguments.quick else (96, 7)
    exact, chosen = ours("fp32"), ours("auto")
    tokenizer = chosen._opened_tokenizer()
    texts = texts_of(tokenizer, count)
    ways: dict[str, Callable[[], float]] = {}
    for name, embedder in (("ours", chosen), ("ours, float32", exact)):
        ways[name] = lambda e=embedder: timed(lambda t: e.embed_documents(t, CancelToken()), texts)
    for name, encode in packaged(tokenizer).items():
        ways[name] = lambda e=encode: timed(e, texts)
    peers = {f"torch, batches of {b}": Torch(texts, b) for b in (32, 1) if arguments.torch}
    ways |= {name: peer.seconds for name, peer in peers.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(way())
    for peer in peers.values():
        peer.close()
    cosines = (
        exact.embed_documents(texts, CancelToken()) * chosen.embed_documents(texts, CancelToken())
    ).sum(axis=1)
    result = {
        "texts": count,
        "tokens": TOKENS,
        "rates": {name: round(count / statistics.median(t), 1) for name, t in times.items()},
        "smallest_cosine_with_float32": round(float(cosines.min()), 4),
        "ratio_to_packaged": _ratio(times, "packaged"),
        "ratio_to_torch": _ratio(times, "torch"),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0 if _print(result) else 1


def _ratio(times: dict[str, list[float]], peer: str) -> float | None:
    """How many times faster than the peer's faster way: the median over the rounds."""
    found = [values for name, values in times.items() if name.startswith(peer)]
    if not found:
        return None
    fastest = min(found, key=statistics.median)
    return round(statistics.median(a / b for a, b in zip(fastest, times["ours"], strict=True)), 2)


def _print(result: dict[str, Any]) -> bool:
    packaged_ratio, torch_ratio = result["ratio_to_packaged"], result["ratio_to_torch"]
    cosine = result["smallest_cosine_with_float32"]
    rows: list[tuple[str, object, str, bool | None]] = [
        *((f"{name}, texts a second", rate, "", None) for name, rate in result["rates"].items()),
        ("ours / packaged", packaged_ratio, f">= {BAR_PACKAGED}", packaged_ratio >= BAR_PACKAGED),
        ("smallest cosine with float32", cosine, f">= {BAR_COSINE}", cosine >= BAR_COSINE),
    ]
    if torch_ratio is not None:
        rows.append(("ours / torch", torch_ratio, f">= {BAR_TORCH}", torch_ratio >= BAR_TORCH))
    return print_table(f"{result['texts']} texts of {result['tokens']} tokens", rows)


if __name__ == "__main__":
    sys.exit(main())
