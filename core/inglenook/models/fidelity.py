"""How much of a model is left after a conversion: both are opened, read and written, and compared.

Each model runs in a process of its own, one after the other, as its runtime opens it. They read
the same texts, and where the runtime offers it (`protocols.ScoresTokens`) say how likely they find
each token. They answer the same questions, always with the likeliest token, and the new model is
led along the old one's answers to see where it would have left them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from inglenook.errors import Cancelled, RuntimeFailure
from inglenook.models.fidelity_texts import PROSE, QUESTIONS
from inglenook.models.machine import read_machine
from inglenook.processes.limits import ProcessLimits
from inglenook.processes.worker_process import WorkerGoneError, WorkerProcess
from inglenook.protocols import Runtime, ScoresTokens
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    ModelFiles,
    RuntimeInfo,
    RuntimeOptions,
    TextDelta,
    TokenScore,
    Usage,
)

__all__ = ["Compared", "ComparedModel", "Fidelity", "Reader", "compare_models"]

_CONTEXT_LENGTH = 512
_ANSWER_TOKENS = 24


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """A model to compare: what it is called, and which class opens it."""

    name: str
    runtime: str
    load: str
    files: ModelFiles

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files.files.values() if path.is_file())


@dataclass(frozen=True, slots=True)
class Written:
    """An answer: its text, and its tokens as far as the runtime tells them."""

    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one model made of the texts.

    Args:
        load_s: How long opening took.
        texts: The tokens of each text, and of each question.
        scores: Of each text, for each token but the first; None if the runtime does not tell.
        answers: To each question.
        led: Of each answer of the other model, the scores of its tokens.
        completion_tokens, completion_s: Of all answers together.
    """

    load_s: float
    texts: tuple[tuple[int, ...], ...]
    scores: tuple[tuple[TokenScore, ...], ...] | None
    answers: tuple[Written, ...]
    led: tuple[tuple[TokenScore, ...], ...]
    completion_tokens: int
    completion_s: float


@dataclass(frozen=True, slots=True)
class Compared:
    """One side of a comparison. The perplexity is that of the texts; None if it is not known."""

    name: str
    runtime: str
    size_bytes: int
    load_s: float
    tokens_per_s: float | None
    perplexity: float | None

    def form(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "runtime": self.runtime,
            "size_bytes": self.size_bytes,
            "load_s": round(self.load_s, 3),
            "tokens_per_s": _rounded(self.tokens_per_s, 2),
            "perplexity": _rounded(self.perplexity, 3),
        }


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How two models compare.

    Args:
        source, result: Both sides.
        same_tokens: Whether both cut all texts into the same tokens.
        text_places: How many places of the texts were compared.
        text_agreement: The share of them in which both find the same token likeliest; None if a
            runtime does not tell.
        answer_places: How many tokens the source's answers have.
        answer_agreement: The share of them that the result would have written too, led along the
            answer so far.
        same_beginning: The mean share of an answer before the two part, each left to itself.
        same_answers: How many answers are the same, letter for letter.
        answers: Each question with both answers.
        threads: How many each used because the machine was busy; 0 where the runtime chose.
    """

    source: Compared
    result: Compared
    same_tokens: bool
    text_places: int
    text_agreement: float | None
    answer_places: int
    answer_agreement: float | None
    same_beginning: float
    same_answers: int
    answers: tuple[tuple[str, str, str], ...] = ()
    threads: int = 0

    @property
    def perplexity_growth(self) -> float | None:
        """How much larger the result's perplexity is, as a share; None if it is not known."""
        if self.source.perplexity is None or self.result.perplexity is None:
            return None
        return self.result.perplexity / self.source.perplexity - 1

    def form(self) -> dict[str, Any]:
        """For machines."""
        return {
            "source": self.source.form(),
            "result": self.result.form(),
            "same_tokens": self.same_tokens,
            "text_places": self.text_places,
            "text_agreement": _rounded(self.text_agreement, 4),
            "perplexity_growth": _rounded(self.perplexity_growth, 4),
            "answer_places": self.answer_places,
            "answer_agreement": _rounded(self.answer_agreement, 4),
            "same_beginning": round(self.same_beginning, 4),
            "same_answers": self.same_answers,
            "threads": self.threads,
            "answers": [
                {"question": question, "source": before, "result": after}
                for question, before, after in self.answers
            ],
        }


def compare_models(
    source: ComparedModel, result: ComparedModel, log: Path, cancel: CancelToken
) -> Iterator[tuple[str, int, int] | Fidelity]:
    """Compare; yields (what, done, total) and at last the `Fidelity`.

    Raises `RuntimeFailure` and what the runtimes raise, and `Cancelled`.
    """
    # Where others compute too, threads that wait for each other stand still.
    threads = 1 if read_machine().is_busy else 0
    before = yield from _read(source, (), log, cancel, 0, threads)
    led = tuple(
        (question, answer.tokens)
        for question, answer in zip(before.texts[len(PROSE) :], before.answers, strict=True)
    )
    after = yield from _read(result, led, log, cancel, 1, threads)
    yield _fidelity(source, before, result, after, threads)


class Reader:
    """Runs in the child: one model and what it makes of the texts.

    Args:
        load: The runtime's class, `package.module:Class`.
        files: The model.
        threads: Of the processor; 0 leaves it to the runtime.
    """

    def __init__(self, load: str, files: ModelFiles, threads: int) -> None:
        module, _, name = load.partition(":")
        options = RuntimeOptions(context_length=_CONTEXT_LENGTH, threads=threads)
        self._runtime: Runtime = getattr(import_module(module), name)(files, options)

    def read(
        self, led: Sequence[tuple[tuple[int, ...], tuple[int, ...]]], cancel: CancelToken
    ) -> Iterator[tuple[str, int, int] | Reading]:
        """Yield (what, done, total) and at last a `Reading`.

        Args:
            led: Questions and answers of the other model, in its tokens.
            cancel: Ends it early, without a `Reading`.
        """
        runtime = self._runtime
        total = len(PROSE) + len(QUESTIONS) + len(led) + 1
        yield "opening", 0, total
        began = time.perf_counter()
        info = runtime.open()
        load_s = time.perf_counter() - began
        begin = runtime.tokenize(info.bos, special=True) if info.add_bos and info.bos else []
        texts = tuple(
            (*begin, *runtime.tokenize(text, special=False)) for text in (*PROSE, *QUESTIONS)
        )
        answers, usage = [], Usage(completion_tokens=0)
        for number, question in enumerate(texts[len(PROSE) :]):
            yield "answering", 1 + number, total
            answer, usage = _answer(runtime, info, question, usage, cancel)
            answers.append(answer)
        scores: list[tuple[TokenScore, ...]] = []
        led_scores: list[tuple[TokenScore, ...]] = []
        if isinstance(runtime, ScoresTokens):
            for number, text in enumerate(texts[: len(PROSE)]):
                yield "reading", 1 + len(QUESTIONS) + number, total
                scores.append(tuple(runtime.scores(text, cancel)))
            for number, (question, tokens) in enumerate(led):
                yield "following", 1 + len(QUESTIONS) + len(PROSE) + number, total
                found = runtime.scores((*question, *tokens), cancel) if tokens else []
                led_scores.append(tuple(found[len(question) - 1 :]))
        if not cancel.cancelled:
            yield Reading(
                load_s,
                texts,
                tuple(scores) or None,
                tuple(answers),
                tuple(led_scores),
                usage.completion_tokens or 0,
                usage.completion_s,
            )

    def close(self) -> None:
        """Free the model."""
        self._runtime.close()


def _answer(
    runtime: Runtime,
    info: RuntimeInfo,
    question: tuple[int, ...],
    before: Usage,
    cancel: CancelToken,
) -> tuple[Written, Usage]:
    """An answer, and what all answers up to it cost."""
    request = GenerateRequest(
        tokens=question,
        parameters={"temperature": 0.0} if "temperature" in info.parameters else {},
        max_tokens=_ANSWER_TOKENS,
        seed=1,
        reuse_prefix=False,
    )
    text = ""
    tokens: tuple[int, ...] = ()
    for event in runtime.generate(request, cancel):
        match event:
            case TextDelta():
                text, tokens = text + event.text, (*tokens, *event.tokens)
            case Usage():
                before = Usage(
                    completion_tokens=(before.completion_tokens or 0)
                    + (event.completion_tokens or 0),
                    completion_s=before.completion_s + event.completion_s,
                )
            case Failed():
                raise RuntimeFailure(event.message, hint=event.hint)
            case Done(stop_reason="cancelled"):
                raise Cancelled
    return Written(text, tokens), before


def _read(
    model: ComparedModel,
    led: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...],
    log: Path,
    cancel: CancelToken,
    part: int,
    threads: int,
) -> Generator[tuple[str, int, int], None, Reading]:
    """Have one model read everything; returns the `Reading`."""
    child = WorkerProcess(
        f"{__name__}:{Reader.__name__}",
        (model.load, model.files, threads),
        log,
        limits=ProcessLimits(outlives_parent=False),
    )
    reading: Reading | None = None
    try:
        for event in child.stream("read", led, cancel=cancel):
            if isinstance(event, Reading):
                reading = event
            else:
                what, done, total = event
                yield f"{model.name}: {what}", done + part * total, 2 * total
    except WorkerGoneError as error:
        raise RuntimeFailure(
            f"The runtime of {model.name} ended unexpectedly: {error.reason}.",
            hint=f"Its last words are in {log}.",
        ) from error
    finally:
        child.close()
    if reading is None:
        raise Cancelled
    return reading


def _fidelity(
    source: ComparedModel,
    before: Reading,
    result: ComparedModel,
    after: Reading,
    threads: int,
) -> Fidelity:
    same_tokens = before.texts == after.texts
    text = _agreement(before.scores, after.scores) if same_tokens else None
    places = [
        (score.likeliest, token)
        for answer, scores in zip(before.answers, after.led, strict=False)
        for token, score in zip(answer.tokens, scores, strict=False)
    ]
    pairs = list(zip(before.answers, after.answers, strict=True))
    return Fidelity(
        _side(source, before),
        _side(result, after),
        same_tokens,
        sum(len(scores) for scores in before.scores or ()) if text is not None else 0,
        text,
        len(places),
        sum(one == other for one, other in places) / len(places) if places else None,
        sum(_same_share(one.tokens, other.tokens) for one, other in pairs) / len(pairs),
        sum(one.text == other.text for one, other in pairs),
        tuple(
            (question, one.text, other.text)
            for question, (one, other) in zip(QUESTIONS, pairs, strict=True)
        ),
        threads,
    )


def _side(model: ComparedModel, reading: Reading) -> Compared:
    seconds, scores = reading.completion_s, [s for text in reading.scores or () for s in text]
    return Compared(
        model.name,
        model.runtime,
        model.size_bytes,
        reading.load_s,
        reading.completion_tokens / seconds if seconds > 0 else None,
        math.exp(-sum(s.logprob for s in scores) / len(scores)) if scores else None,
    )


def _agreement(
    before: tuple[tuple[TokenScore, ...], ...] | None,
    after: tuple[tuple[TokenScore, ...], ...] | None,
) -> float | None:
    if not before or not after:
        return None
    pairs = [
        (one.likeliest, other.likeliest)
        for text, other_text in zip(before, after, strict=True)
        for one, other in zip(text, other_text, strict=True)
    ]
    return sum(one == other for one, other in pairs) / len(pairs)


def _same_share(one: Sequence[int], other: Sequence[int]) -> float:
    """How much of the first is before the place where the two part."""
    same = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        same += 1
    longest = max(len(one), len(other))
    return same / longest if longest else 1.0


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
