"""One round of a benchmark: a model in a fresh process, read and written once, and timed.

A runtime is timed from this side of its process, as its users have it. What runs bare is timed on
the other side, in `BareChild`, so that nothing of this program is in the way.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from inglenook import errors
from inglenook.errors import Cancelled, InglenookError, RuntimeFailure, UserError
from inglenook.models.bench_prompt import NEUTRAL_TEXT, prompt_ids, prompt_text
from inglenook.models.bench_report import SEED, BenchSubject, Sample
from inglenook.models.memory_watch import MemoryWatch
from inglenook.models.worker import RuntimeWorker
from inglenook.processes.limits import ProcessLimits
from inglenook.processes.worker_process import WorkerGoneError, WorkerProcess
from inglenook.protocols import Runtime, RuntimeWithBareModel
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    Message,
    ModelFiles,
    RuntimeInfo,
    RuntimeOptions,
    TextDelta,
    ThinkingDelta,
    Usage,
)

__all__ = [
    "BareChild",
    "OpenFailure",
    "Round",
    "StreamTimes",
    "TextIds",
    "bare_sample",
    "runtime_sample",
]

T = TypeVar("T")

_POLL_S = 0.05
_STOP_S = 1.7
"""How long a stop may take; what is stuck after that ends with this program."""

_WARM_UP_TOKENS = 2
_WARM_UP = {"prompt_tokens": 32, "tokens": _WARM_UP_TOKENS}
"""What is read and written before anything is timed, as by any earlier question."""


class OpenFailure(Exception):
    """A runtime could not open the model; `error` says why."""

    def __init__(self, error: RuntimeFailure) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Round:
    """What one round asks for. Counts are in tokens.

    `turn` makes its prompts other ones than those of other rounds.
    """

    context_length: int
    parallel: int
    prompt_tokens: int
    tokens: int
    turn: int


@dataclass(frozen=True, slots=True)
class TextIds:
    """A model's tokens of the text that prompts are made of, and what a prompt begins with."""

    text: tuple[int, ...]
    begin: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamTimes:
    """When one request began and when each piece of its answer came, in seconds of one clock."""

    began: float
    pieces: tuple[float, ...]
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int = 0

    def tokens_between(self, begin: float, end: float) -> float:
        """How many tokens came after `begin` and not after `end`; a piece is one, or as many."""
        inside = sum(begin < piece <= end for piece in self.pieces)
        return inside * (self.completion_tokens or 0) / len(self.pieces) if self.pieces else 0.0


# --- through a runtime ----------------------------------------------------------------------------


def runtime_sample(
    subject: BenchSubject, asked: Round, log: Path, cancel: CancelToken
) -> tuple[Sample, TextIds]:
    """Measure one round as the engine uses the runtime.

    Raises `UserError` for what the runtime refuses, `OpenFailure` if it cannot open the model,
    `RuntimeFailure` if it fails or dies later, and `Cancelled` within two seconds.
    """
    started = time.perf_counter()
    options = replace(subject.options, context_length=asked.context_length, slots=asked.parallel)
    worker = RuntimeWorker(subject.load, subject.files, options, log)
    try:
        info = _opened(worker.open, worker.close, cancel)
        load_s = time.perf_counter() - started
        _check_fit(info, subject, asked)
        pid = worker.pid

        def measured() -> tuple[list[StreamTimes], TextIds, int | None]:
            ids = _text_ids(worker, info)
            _stream(worker, _request(info, ids, replace(asked, **_WARM_UP), 0), cancel)
            requests = [_request(info, ids, asked, n) for n in range(asked.parallel)]
            with MemoryWatch(pid or 0) as memory:
                times = _at_once([_streaming(worker, one, cancel) for one in requests])
            return times, ids, None if subject.is_remote else memory.peak_bytes

        times, ids, peak = _until_cancelled(measured, worker.close, cancel)
        if worker.pid != pid:
            raise RuntimeFailure(
                f"The runtime of {subject.files.reference} ended between two answers.",
                hint=f"Its last words are in {log}.",
            )
        return _sample(times, load_s, peak, info.device), ids
    finally:
        worker.close()


def _check_fit(info: RuntimeInfo, subject: BenchSubject, asked: Round) -> None:
    if info.slots < asked.parallel:
        raise UserError(
            f"The runtime '{subject.runtime}' runs {info.slots} at a time, not {asked.parallel}."
        )
    if 0 < info.context_length < asked.context_length:
        raise UserError(
            f"{subject.files.reference} opens with a context of {info.context_length} tokens, "
            f"not {asked.context_length}."
        )


def _text_ids(runtime: Runtime, info: RuntimeInfo) -> TextIds:
    begin = runtime.tokenize(info.bos, special=True) if info.add_bos and info.bos else []
    text = runtime.tokenize(NEUTRAL_TEXT, special=False)
    return TextIds(tuple(text) or (0,), tuple(begin))


def _request(info: RuntimeInfo, ids: TextIds, asked: Round, number: int) -> GenerateRequest:
    turn = asked.turn * asked.parallel + number
    wanted = min(asked.prompt_tokens, asked.context_length - asked.tokens)
    greedy = {"temperature": 0.0} if "temperature" in info.parameters else {}
    request = GenerateRequest(
        parameters=greedy,
        max_tokens=asked.tokens,
        seed=SEED,
        reuse_prefix=False,
        session=f"bench-{turn}",
    )
    if info.renders_chat:
        text = prompt_text(len(ids.text), wanted, turn)
        return replace(request, messages=(Message.of("user", text),))
    return replace(request, tokens=tuple(prompt_ids(ids.text, ids.begin, wanted, turn)))


def _streaming(
    runtime: Runtime, request: GenerateRequest, cancel: CancelToken
) -> Callable[[], StreamTimes]:
    return lambda: _stream(runtime, request, cancel)


def _stream(runtime: Runtime, request: GenerateRequest, cancel: CancelToken) -> StreamTimes:
    if cancel.cancelled:
        raise Cancelled
    pieces: list[float] = []
    usage = Usage()
    began = time.perf_counter()
    for event in runtime.generate(request, cancel):
        match event:
            case TextDelta() | ThinkingDelta():
                pieces.append(time.perf_counter())
            case Usage():
                usage = event
            case Failed():
                raise _error_of(event)
            case Done(stop_reason="cancelled"):
                raise Cancelled
    return StreamTimes(
        began,
        tuple(pieces),
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens or 0,
    )


def _error_of(event: Failed) -> InglenookError:
    kind = getattr(errors, event.error, None)
    if not (isinstance(kind, type) and issubclass(kind, InglenookError)):
        kind = RuntimeFailure
    return kind(event.message, hint=event.hint)


# --- bare -----------------------------------------------------------------------------------------


class BareChild:
    """Runs in the child: the library alone, timed there.

    Args:
        load: The runtime's class, which offers `bare`.
        files, options: The model and how to open it.
    """

    def __init__(self, load: str, files: ModelFiles, options: RuntimeOptions) -> None:
        module, _, name = load.partition(":")
        runtime = getattr(import_module(module), name)
        if not isinstance(runtime, RuntimeWithBareModel):
            raise UserError(
                "This runtime offers no way to run its library bare.",
                hint="Leave `--against bare` out, or compare with another runtime: "
                "--against-runtime NAME",
            )
        self._model = runtime.bare(files, options)

    def open(self) -> int:
        """Load the model; how many requests it runs at the same time."""
        return self._model.open()

    def measure(self, prompts: Sequence[Sequence[int]], tokens: int) -> list[StreamTimes]:
        """Generate from all prompts at the same time."""
        return _at_once([self._streaming(prompt, tokens) for prompt in prompts])

    def close(self) -> None:
        """Free the model."""
        self._model.close()

    def _streaming(self, prompt: Sequence[int], tokens: int) -> Callable[[], StreamTimes]:
        def stream() -> StreamTimes:
            pieces: list[float] = []

            def on_tokens(number: int) -> None:
                pieces.extend([time.perf_counter()] * number)

            began = time.perf_counter()
            self._model.generate(prompt, tokens, on_tokens)
            return StreamTimes(began, tuple(pieces), len(prompt), len(pieces))

        return stream


def bare_sample(
    subject: BenchSubject, asked: Round, ids: TextIds, log: Path, cancel: CancelToken
) -> Sample:
    """Measure one round of the library alone. Raises as `runtime_sample`."""
    started = time.perf_counter()
    options = replace(subject.options, context_length=asked.context_length, slots=asked.parallel)
    arguments = (subject.load, subject.files, options)
    child = WorkerProcess(
        f"{__name__}:{BareChild.__name__}",
        arguments,
        log,
        limits=ProcessLimits(outlives_parent=False),
    )

    def prompts(asked: Round, number: int) -> list[list[int]]:
        length = min(asked.prompt_tokens, asked.context_length - asked.tokens)
        turns = range(asked.turn * number, asked.turn * number + number)
        return [prompt_ids(ids.text, ids.begin, length, turn) for turn in turns]

    def measured() -> tuple[list[StreamTimes], int | None]:
        child.call("measure", prompts(replace(asked, **_WARM_UP), 1), _WARM_UP_TOKENS)
        with MemoryWatch(child.pid) as memory:
            times: list[StreamTimes] = child.call(
                "measure", prompts(asked, asked.parallel), asked.tokens
            )
        return times, memory.peak_bytes

    def opening() -> int:
        slots: int = child.call("open")
        return slots

    try:
        slots = _opened(opening, child.close, cancel)
        load_s = time.perf_counter() - started
        if slots < asked.parallel:
            raise UserError(
                f"The library of '{subject.runtime}' runs {slots} at a time, not {asked.parallel}."
            )
        times, peak = _until_cancelled(measured, child.close, cancel)
    except WorkerGoneError as error:
        raise _bare_gone(subject, error, log) from error
    except OpenFailure as failure:
        if isinstance(failure.error, WorkerGoneError):
            raise OpenFailure(_bare_gone(subject, failure.error, log)) from failure
        raise
    finally:
        child.close()
    return _sample(times, load_s, peak, "")


def _bare_gone(subject: BenchSubject, error: WorkerGoneError, log: Path) -> RuntimeFailure:
    return RuntimeFailure(
        f"The library of '{subject.runtime}' ended its process: {error.reason}.",
        hint=f"Its last words are in {log}.",
    )


# --- both -----------------------------------------------------------------------------------------


def _opened(work: Callable[[], T], stop: Callable[[], None], cancel: CancelToken) -> T:
    """As `_until_cancelled`; a `RuntimeFailure` is told apart from later ones."""
    try:
        return _until_cancelled(work, stop, cancel)
    except RuntimeFailure as error:
        raise OpenFailure(error) from error


def _until_cancelled(work: Callable[[], T], stop: Callable[[], None], cancel: CancelToken) -> T:
    """What `work` returns or raises; after a cancel `stop` ends it and `Cancelled` is raised."""
    values: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            values.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            failures.append(error)

    thread = threading.Thread(target=run, name="inglenook-bench", daemon=True)
    thread.start()
    while thread.is_alive() and not cancel.cancelled:
        thread.join(_POLL_S)
    if cancel.cancelled:
        until = time.monotonic() + _STOP_S
        while thread.is_alive() and time.monotonic() < until:
            # Again, if a child was just being started.
            stop()
            thread.join(_POLL_S)
        raise Cancelled
    if failures:
        raise failures[0]
    return values[0]


def _at_once(streams: Sequence[Callable[[], StreamTimes]]) -> list[StreamTimes]:
    """Run them at the same time. Raises the first error."""
    with ThreadPoolExecutor(len(streams), thread_name_prefix="inglenook-stream") as pool:
        return [future.result() for future in [pool.submit(stream) for stream in streams]]


def _sample(
    times: Sequence[StreamTimes], load_s: float, peak_bytes: int | None, device: str
) -> Sample:
    waits = [one.pieces[0] - one.began for one in times if one.pieces]
    rates = [rate for one in times if (rate := _writing_rate([one])) is not None]
    values: dict[str, float | None] = {
        "load_s": load_s,
        "first_token_s": statistics.median(waits) if waits else None,
        "prompt_tokens_per_s": _reading_rate(times),
        "stream_tokens_per_s": statistics.median(rates) if rates else None,
        "total_tokens_per_s": _writing_rate(times),
        "peak_memory_bytes": peak_bytes,
    }
    return Sample(
        values,
        _median_of([one.prompt_tokens for one in times]),
        _median_of([one.completion_tokens for one in times]),
        device,
    )


def _reading_rate(times: Sequence[StreamTimes]) -> float | None:
    """Prompt tokens a second, of all requests, until the last of them begins to write."""
    read = [t.prompt_tokens - t.cached_tokens for t in times if t.prompt_tokens is not None]
    firsts = [one.pieces[0] for one in times if one.pieces]
    if not len(read) == len(firsts) == len(times):
        return None
    seconds = max(firsts) - min(one.began for one in times)
    return sum(read) / seconds if seconds > 0 else None


def _writing_rate(times: Sequence[StreamTimes]) -> float | None:
    """Tokens a second, of all requests, while every one of them writes.

    Where they write one after another it is from the first token to the last. The first token of
    each comes from reading the prompt, and does not count.
    """
    if not all(one.pieces and one.completion_tokens for one in times):
        return None
    begin, end = max(one.pieces[0] for one in times), min(one.pieces[-1] for one in times)
    if begin >= end:
        begin, end = min(one.pieces[0] for one in times), max(one.pieces[-1] for one in times)
    tokens = sum(one.tokens_between(begin, end) for one in times)
    return tokens / (end - begin) if tokens and end > begin else None


def _median_of(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return int(statistics.median(known)) if known else None
