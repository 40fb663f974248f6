"""Tokens per second through our runtimes against a plain loop on the bare library, side by side.

    python tests/bench/runtimes.py [--quick] [--model FILE.gguf] [--runtime NAME] [--json FILE]

Greedy generation of the same prompt, bare and ours in turn in one run; the ratio is the median of
the ratios of neighbours, so that a machine that grows slower meanwhile slows both.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inglenook.models.local import files_from_path
from inglenook.models.worker import RuntimeWorker
from inglenook.types import (
    CancelToken,
    GenerateRequest,
    RuntimeOptions,
    TextDelta,
    Usage,
)

RUNTIMES = {
    "xllamacpp": "inglenook_xllamacpp.runtime:XllamacppRuntime",
    "llama-cpp": "inglenook_llama_cpp.runtime:LlamaCppRuntime",
    "onnx-genai": "inglenook_onnx_genai.runtime:OnnxGenaiRuntime",
}
QUESTION = (
    "<|im_start|>user\nTell me a story about a house by the sea.<|im_end|>\n<|im_start|>assistant\n"
)
CONTEXT = 1024
BAR = 0.97


@dataclass(frozen=True, slots=True)
class Run:
    """One generation: how many tokens in how many seconds, and the text."""

    tokens: int
    seconds: float
    text: str

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


Generate = Callable[[list[int], int], Run]


def bare_xllamacpp(model: Path, threads: int) -> Generate:
    """The callback of the library, and nothing else."""
    import xllamacpp

    folder = tempfile.mkdtemp()
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model)
    parameters.n_ctx = CONTEXT
    parameters.n_parallel = 1
    parameters.verbosity = -1
    parameters.cpuparams.n_threads = threads
    parameters.hostnames = [f"{folder}/bare.sock"]
    server = xllamacpp.Server(parameters)

    def generate(prompt: list[int], most: int) -> Run:
        chunks: list[dict[str, Any]] = []
        body = {"prompt": prompt, "n_predict": most, "temperature": 0.0, "stream": True}
        started = time.perf_counter()
        server.handle_completions(body, chunks.append)
        seconds = time.perf_counter() - started
        text = "".join(choice["text"] for chunk in chunks for choice in chunk["choices"])
        return Run(chunks[-1]["usage"]["completion_tokens"], seconds, text)

    return generate


def bare_llama_cpp(model: Path, threads: int) -> Generate:
    """The loop of the library's own documentation."""
    import llama_cpp
    from llama_cpp import llama_cpp as native

    if b"AMX_INT8 = 1" in native.llama_print_system_info():
        _without_amx(native, llama_cpp.llama)
    llama = llama_cpp.Llama(
        str(model), n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False
    )

    def generate(prompt: list[int], most: int) -> Run:
        pieces: list[bytes] = []
        started = time.perf_counter()
        for count, token in enumerate(llama.generate(prompt, temp=0.0, repeat_penalty=1.0)):
            if token == llama.token_eos() or count >= most:
                break
            pieces.append(llama.detokenize([token]))
        seconds = time.perf_counter() - started
        return Run(len(pieces), seconds, b"".join(pieces).decode("utf-8", "replace"))

    return generate


def _without_amx(native: Any, module: Any) -> None:
    """The bare library crashes here otherwise: our plugin makes the same choice."""
    make = native.llama_model_default_params

    def default_parameters() -> Any:
        parameters = make()
        parameters.use_extra_bufts = False
        return parameters

    native.llama_model_default_params = default_parameters
    module.llama_cpp.llama_model_default_params = default_parameters


def bare_onnx_genai(model: Path, threads: int) -> Generate:
    """The loop of the library's own documentation."""
    import numpy
    import onnxruntime_genai

    config = onnxruntime_genai.Config(str(model))
    session = {"intra_op_num_threads": threads}
    config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
    loaded = onnxruntime_genai.Model(config)
    tokenizer = onnxruntime_genai.Tokenizer(loaded)

    def generate(prompt: list[int], most: int) -> Run:
        started = time.perf_counter()
        parameters = onnxruntime_genai.GeneratorParams(loaded)
        parameters.set_search_options(max_length=CONTEXT, do_sample=False)
        generator = onnxruntime_genai.Generator(loaded, parameters)
        generator.append_tokens(numpy.array(prompt, dtype=numpy.int32))
        stream = tokenizer.create_stream()
        pieces: list[str] = []
        while not generator.is_done() and len(pieces) < most:
            generator.generate_next_token()
            pieces.append(stream.decode(generator.get_next_tokens()[0]))
        seconds = time.perf_counter() - started
        return Run(len(pieces), seconds, "".join(pieces))

    return generate


def ours(worker: RuntimeWorker, reuse_prefix: bool) -> Generate:
    """What the engine does."""

    def generate(prompt: list[int], most: int) -> Run:
        request = GenerateRequest(
            tokens=tuple(prompt),
            max_tokens=most,
            parameters={"temperature": 0.0},
            reuse_prefix=reuse_prefix,
        )
        started = time.perf_counter()
        events = list(worker.generate(request, CancelToken()))
        seconds = time.perf_counter() - started
        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        (usage,) = (event for event in events if isinstance(event, Usage))
        return Run(usage.completion_tokens or 0, seconds, text)

    return generate


def compare(name: str, model: Path, rounds: int, most: int, threads: int) -> dict[str, Any]:
    """Bare and ours in turn; the first pair warms up and does not count."""
    bare_loops = {
        "xllamacpp": bare_xllamacpp,
        "llama-cpp": bare_llama_cpp,
        "onnx-genai": bare_onnx_genai,
    }
    if name == "onnx-genai":
        model = _onnx_of(model)
    bare_loop = bare_loops[name](model, threads)
    with tempfile.TemporaryDirectory() as folder:
        files = files_from_path(model)
        options = RuntimeOptions(context_length=CONTEXT, threads=threads)
        worker = RuntimeWorker(RUNTIMES[name], files, options, Path(folder) / "log")
        prompt = worker.tokenize(QUESTION, special=True)
        # The bare loop of this library reads the whole prompt each time.
        our_loop = ours(worker, reuse_prefix=name != "onnx-genai")
        pairs = [(bare_loop(prompt, most), our_loop(prompt, most)) for _ in range(rounds + 1)]
        worker.close()
    pairs = pairs[1:]
    return {
        "runtime": name,
        "model": model.name,
        "tokens": pairs[0][1].tokens,
        "threads": threads,
        "rounds": rounds,
        "bare_tokens_per_s": round(statistics.median(bare.rate for bare, _ in pairs), 2),
        "our_tokens_per_s": round(statistics.median(our.rate for _, our in pairs), 2),
        "ratio": round(statistics.median(our.rate / bare.rate for bare, our in pairs), 4),
        "ratios": [round(our.rate / bare.rate, 3) for bare, our in pairs],
        "same_text": all(bare.text == our.text for bare, our in pairs),
        "bar": BAR,
    }


def main() -> int:
    arguments = _arguments()
    if arguments.runtime:
        print(json.dumps(_compare_as_told(arguments)))
        return 0
    results = []
    for name in RUNTIMES:
        # One process each: two builds of the same native library do not share one well.
        command = [sys.executable, __file__, "--runtime", name, *sys.argv[1:]]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            print(f"{name}: could not be measured (exit {done.returncode})", file=sys.stderr)
            continue
        results.append(json.loads(done.stdout.splitlines()[-1]))
    _print_table(results)
    report = json.dumps({"benchmark": "runtimes", "results": results}, indent=2)
    if arguments.json:
        arguments.json.write_text(report + "\n", encoding="utf-8")
    print(report)
    return 0 if len(results) == len(RUNTIMES) and all(r["ratio"] >= BAR for r in results) else 1


def _compare_as_told(arguments: argparse.Namespace) -> dict[str, Any]:
    rounds, most = (3, 48) if arguments.quick else (7, 128)
    threads = arguments.threads or len(os.sched_getaffinity(0))
    return compare(arguments.runtime, arguments.model or _test_model(), rounds, most, threads)


def _test_model() -> Path:
    from inglenook.models.library import Library

    return Library(_home() / "data" / "models").get("smollm2:135m").files["model"]


def _home() -> Path:
    folder = Path(__file__).parent.parent.parent / ".local" / "test"
    return Path(os.environ.get("INGLENOOK_TEST_MODELS", folder))


def _onnx_of(model: Path) -> Path:
    """The ONNX folder that the tests make of a GGUF file, from an earlier run if there is one."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "plugins" / "onnx_genai"))
    from gguf_to_genai import built_once

    return built_once(model, _home() / "cache" / "onnx-genai")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="48 tokens, three rounds")
    parser.add_argument("--model", type=Path, help="a GGUF file; default smollm2:135m")
    parser.add_argument("--runtime", choices=tuple(RUNTIMES), help="only this one, as JSON")
    parser.add_argument("--threads", type=int, default=0, help="default: all that it may use")
    parser.add_argument("--json", type=Path, help="also write the report here")
    return parser.parse_args()


def _print_table(results: list[dict[str, Any]]) -> None:
    print(f"{'runtime':<12}{'bare tok/s':>12}{'ours tok/s':>12}{'ratio':>8}{'bar':>7}  same text")
    for r in results:
        print(
            f"{r['runtime']:<12}{r['bare_tokens_per_s']:>12}{r['our_tokens_per_s']:>12}"
            f"{r['ratio']:>8.3f}{r['bar']:>7}  {'yes' if r['same_text'] else 'no'}"
        )


if __name__ == "__main__":
    sys.exit(main())
