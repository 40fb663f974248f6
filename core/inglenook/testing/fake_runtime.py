"""A runtime without a model: deterministic, scripted, and able to be slow, fail, hang or crash.

It is told what to do through `ModelFiles.details`, so that it can be made in a worker process:

    FakeRuntime(fake_model(texts=("Fourteen characters.",), delay_s=0.05), RuntimeOptions())
"""

from __future__ import annotations

import dataclasses
import math
import os
import random
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from inglenook import errors
from inglenook.errors import ContextOverflowError, InglenookError, RuntimeFailure, UserError
from inglenook.models.token_logprobs import MOST_ALTERNATIVES
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    ModelFiles,
    RuntimeEvent,
    RuntimeInfo,
    RuntimeOptions,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallPart,
    Usage,
)

__all__ = ["FAKE_RUNTIME", "FakeRuntime", "FakeScript", "fake_model"]

FAKE_RUNTIME = "inglenook.testing.fake_runtime:FakeRuntime"
"""What a factory or a worker loads."""

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_CONTROL = MappingProxyType({"<|im_start|>": 1, "<|im_end|>": 2})
_WORDS = ("hearth", "ember", "naïve", "🙂", "שלום", "kettle", "3,14", "smoke", "chair", "warm.")
_PARAMETERS = (
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "typical_p",
    "repeat_last_n",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
    "num_keep",
)
_ANSWER_WORDS = 60


@dataclasses.dataclass(frozen=True, slots=True)
class FakeScript:
    """What the runtime does.

    Args:
        texts: Its answers, in turn, the last one for ever; () makes words up.
        delay_s: How long each piece takes.
        open_delay_s: How long opening takes.
        open_error: The name of a class in `errors` that opening raises.
        fail_after: Ends in `Failed` after so many pieces.
        crash_after: Kills its process after so many pieces; 0 crashes on opening.
        deaf: Does not hear a cancel.
        prints: What it writes to the process's standard output and error on opening.
        renders_chat: Takes messages instead of token ids.
        calls_tools: Takes tools, and calls the first one (or the one that must be called) with no
            arguments.
    """

    texts: tuple[str, ...] = ()
    delay_s: float = 0.0
    open_delay_s: float = 0.0
    open_error: str = ""
    fail_after: int | None = None
    crash_after: int | None = None
    deaf: bool = False
    prints: str = ""
    renders_chat: bool = False
    calls_tools: bool = False


def fake_model(reference: str = "fake:1b", **script: Any) -> ModelFiles:
    """A model for `FakeRuntime` to open; `script` are the fields of `FakeScript`."""
    details = dataclasses.asdict(FakeScript(**script))
    return ModelFiles(reference, "fake", {"model": Path("fake")}, "0" * 64, details)


class FakeRuntime:
    """Implements `Runtime`. In process, `requests` holds what it was asked."""

    def __init__(self, files: ModelFiles, options: RuntimeOptions) -> None:
        self._files = files
        self._script = FakeScript(**dict(files.details))
        self._context_length = options.context_length or 4096
        self._info: RuntimeInfo | None = None
        self._evaluated: tuple[int, ...] = ()
        self.requests: list[GenerateRequest] = []

    def open(self) -> RuntimeInfo:
        """Be ready, after the scripted delay, print, error or crash."""
        script = self._script
        time.sleep(script.open_delay_s)
        for descriptor in (1, 2) if script.prints else ():
            os.write(descriptor, script.prints.encode())
        if script.crash_after == 0:
            os.abort()
        if script.open_error:
            kind: type[InglenookError] = getattr(errors, script.open_error)
            raise kind(f"{self._files.reference} cannot be opened.", hint="It was told so.")
        self._info = RuntimeInfo(
            context_length=self._context_length,
            renders_chat=script.renders_chat,
            tools=script.calls_tools,
            logprobs=True,
            chat_template=CHAT_TEMPLATE,
            eos="<|im_end|>",
            control_tokens=tuple(_CONTROL),
            parameters=_PARAMETERS,
            device="none: it only pretends",
        )
        return self._info

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """One token a character, by its code point; control tokens have ids of their own."""
        ids: list[int] = []
        at = 0
        while at < len(text):
            control = next((c for c in _CONTROL if special and text.startswith(c, at)), "")
            ids.append(_CONTROL[control] if control else ord(text[at]) + len(_CONTROL) + 1)
            at += len(control) or 1
        return ids

    def generate(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[RuntimeEvent]:
        """Stream the next scripted text, or made-up words."""
        self._check(request)
        turn = len(self.requests)
        self.requests.append(request)
        prompt = request.tokens or tuple(
            id for m in request.messages or () for id in self.tokenize(m.text, special=False)
        )
        usage = Usage(len(prompt), self._reused(prompt, request.reuse_prefix), 0)
        if request.tools and not cancel.cancelled:
            return _call(request, usage)
        return self._stream(request, cancel, self._answer(request, turn), usage)

    def close(self) -> None:
        self._info = None

    def _check(self, request: GenerateRequest) -> None:
        if self._info is None:
            raise RuntimeFailure(f"{self._files.reference} is not open.")
        for name in request.parameters:
            if name not in _PARAMETERS:
                raise UserError(f"The fake runtime cannot honour PARAMETER {name}.")
        refused = {
            "tools": request.tools and not self._script.calls_tools,
            "grammar": request.grammar is not None or request.json_schema is not None,
            "more than 100 logprobs": not 0 <= request.logprobs <= MOST_ALTERNATIVES,
        }
        for name, given in refused.items():
            if given:
                raise UserError(f"The fake runtime has no {name}.")
        needed = len(request.tokens or ())
        if needed >= self._context_length:
            raise ContextOverflowError(
                f"The prompt has {needed} tokens; the context holds {self._context_length}.",
                needed=needed,
                available=self._context_length,
            )

    def _reused(self, prompt: tuple[int, ...], reuse: bool) -> int:
        count = 0
        for old, new in zip(self._evaluated, prompt[:-1], strict=False):
            if old != new or not reuse:
                break
            count += 1
        self._evaluated = prompt
        return count

    def _answer(self, request: GenerateRequest, turn: int) -> list[str]:
        if self._script.texts:
            text = self._script.texts[min(turn, len(self._script.texts) - 1)]
            return [piece + " " for piece in text.split(" ")[:-1]] + [text.split(" ")[-1]]
        return _made_up_words(request)

    def _stream(
        self, request: GenerateRequest, cancel: CancelToken, pieces: list[str], usage: Usage
    ) -> Iterator[RuntimeEvent]:
        room = self._context_length - (usage.prompt_tokens or 0)
        limit = room if request.max_tokens is None else min(room, request.max_tokens)
        whole = "".join(pieces[:limit])
        end, stop = _first_stop(whole, request.stop)
        shown = 0
        for count, piece in enumerate(pieces[:limit], 1):
            time.sleep(self._script.delay_s)
            if cancel.cancelled and not self._script.deaf:
                yield dataclasses.replace(usage, completion_tokens=count - 1)
                yield Done("cancelled")
                return
            if self._script.crash_after == count:
                _die()
            if self._script.fail_after == count:
                yield Failed("RuntimeFailure", f"{self._files.reference} failed as it was told.")
                return
            if text := piece[: max(0, end - shown)]:
                yield TextDelta(text, _logprobs(piece, request))
            shown += len(piece)
            if shown >= end and stop:
                break
        yield dataclasses.replace(usage, completion_tokens=min(limit, len(pieces)))
        if cancel.cancelled:
            yield Done("cancelled")
        elif stop or limit >= len(pieces):
            yield Done("stop", stop_string=stop)
        else:
            yield Done("length", context_full=limit == room)


def _call(request: GenerateRequest, usage: Usage) -> Iterator[RuntimeEvent]:
    named = [tool.name for tool in request.tools if tool.name == request.tool_choice]
    yield ToolCallDelta(ToolCallPart("call00001", (named or [request.tools[0].name])[0], {}))
    yield dataclasses.replace(usage, completion_tokens=1)
    yield Done("tool_calls")


def _logprobs(piece: str, request: GenerateRequest) -> tuple[TokenLogprob, ...]:
    """Each piece counts as one token, which is twice as likely as the next likeliest."""
    if not request.logprobs:
        return ()
    others = [(word, math.log(2.0**-n)) for n, word in enumerate(_others(), 2)]
    top = [(piece, math.log(0.5)), *others][: request.logprobs]
    return (TokenLogprob(piece, math.log(0.5), tuple(top)),)


def _others() -> Iterator[str]:
    return (f"{word}{n}" for n in range(MOST_ALTERNATIVES // len(_WORDS)) for word in _WORDS)


def _made_up_words(request: GenerateRequest) -> list[str]:
    parameters: Mapping[str, Any] = request.parameters
    greedy = parameters.get("temperature") == 0 or parameters.get("top_k") == 1
    seed: object = "greedy" if greedy else request.seed
    choose = random.Random(f"{request.tokens or request.messages}{seed}" if seed else None)  # noqa: S311
    return [choose.choice(_WORDS) + " " for _ in range(_ANSWER_WORDS)]


def _first_stop(text: str, stops: tuple[str, ...]) -> tuple[int, str]:
    found = [(text.find(stop), stop) for stop in stops if stop and stop in text]
    return min(found) if found else (len(text), "")


def _die() -> None:
    sys.stderr.write("The fake runtime crashes as it was told.\n")
    sys.stderr.flush()
    os.abort()
