"""One answer of llama.cpp: what its callback says, made into events."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from inglenook.errors import ContextOverflowError, InglenookError, RuntimeFailure, UserError
from inglenook.models.grammar_checks import unreadable_grammar
from inglenook.models.stop_strings import StopStrings
from inglenook.models.token_logprobs import HeldLogprobs
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    PromptProgress,
    RuntimeEvent,
    TextDelta,
    TokenLogprob,
    Usage,
)

__all__ = ["Answer"]

_CANCEL_POLL_S = 0.05
_CANCEL_GRACE_S = 0.6
"""How long after a cancel native code may still be heard; it looks up once per batch."""

_Chunk = Mapping[str, Any]


class Answer:
    """Bridges the library's blocking callback to an iterator."""

    def __init__(self, request: GenerateRequest, cancel: CancelToken, load_s: float) -> None:
        self._max_tokens = request.max_tokens
        self._stops = StopStrings(request.stop)
        self._logprobs = HeldLogprobs() if request.logprobs else None
        self._cancel = cancel
        self._load_s = load_s
        self._abandoned = False
        self._chunks: queue.Queue[_Chunk | None] = queue.Queue()
        self._usage = Usage(load_s=load_s)
        self._made = 0
        self._unshown: list[int] = []
        self._writing_since = 0.0

    def run(self, server: Any, body: dict[str, Any]) -> None:
        """Generate to the end; runs in a thread of its own and blocks there."""
        try:
            server.handle_completions(body, self._on_chunk)
        except Exception as error:  # noqa: BLE001 - it travels to the caller as the last chunk
            self._chunks.put({"error": {"message": str(error)}})
        self._chunks.put(None)

    def abandon(self) -> None:
        """Nobody listens any more: end at the next chance."""
        self._abandoned = True

    def events(self) -> Iterator[RuntimeEvent]:
        """The events in order. Raises before the first one if the request is refused."""
        done = Done("stop")
        started = False
        for chunk in self._until_ended():
            if "error" in chunk:
                error = _error(chunk["error"])
                if not started:
                    raise error
                yield Failed(type(error).__name__, error.message, error.hint)
                return
            self._note_usage(chunk)
            for event in self._events_of(chunk):
                started = True
                yield event
            if self._stops.found:
                self.abandon()
                done = Done("stop", stop_string=self._stops.found)
                break
            done = self._end_of(chunk) or done
        if rest := self._stops.finish():
            yield TextDelta(rest, self._given(rest), tuple(self._unshown))
        yield self._final_usage()
        yield Done("cancelled") if self._cancel.cancelled and not self._stops.found else done

    def _events_of(self, chunk: _Chunk) -> Iterator[RuntimeEvent]:
        progress = chunk.get("prompt_progress")
        if progress and progress["cache"] < progress["processed"] < progress["total"]:
            yield PromptProgress(progress["processed"], progress["total"])
        if progress:
            # It names a token too, which is none of the answer.
            return
        # Reading the prompt alone gives a token too; nobody asked for it.
        for choice in (chunk.get("choices") or ()) if self._max_tokens != 0 else ():
            told = chunk.get("__verbose") or {}
            before, self._made = self._made, int(told.get("tokens_predicted") or self._made)
            self._unshown += told.get("tokens") or ()
            self._writing_since = self._writing_since or time.monotonic()
            if self._logprobs is not None:
                _note_logprobs(choice, self._made - before, self._logprobs)
            if text := self._stops.feed(choice.get("text") or ""):
                shown, self._unshown = tuple(self._unshown), []
                yield TextDelta(text, self._given(text), shown)

    def _given(self, text: str) -> tuple[TokenLogprob, ...]:
        """The figures that come with this text."""
        return () if self._logprobs is None else self._logprobs.shown(text)

    def _end_of(self, chunk: _Chunk) -> Done | None:
        for choice in chunk.get("choices") or ():
            if choice.get("finish_reason") == "length":
                made = self._usage.completion_tokens or 0
                full = self._max_tokens is None or made < self._max_tokens
                return Done("length", context_full=full)
        return None

    def _on_chunk(self, chunk: _Chunk) -> bool:
        """Called by native code for each piece; True ends the generation."""
        self._chunks.put(chunk)
        # A program that ends must not wait for native code in this thread.
        ending = not threading.main_thread().is_alive()
        return self._abandoned or self._cancel.cancelled or ending

    def _until_ended(self) -> Iterator[_Chunk]:
        cancelled_at: float | None = None
        while True:
            try:
                chunk = self._chunks.get(timeout=_CANCEL_POLL_S)
            except queue.Empty:
                if self._cancel.cancelled:
                    now = time.monotonic()
                    cancelled_at = cancelled_at or now
                    if now - cancelled_at > _CANCEL_GRACE_S:
                        return
                continue
            if chunk is None:
                return
            yield chunk

    def _note_usage(self, chunk: _Chunk) -> None:
        if progress := chunk.get("prompt_progress"):
            self._usage = Usage(
                prompt_tokens=progress.get("total"),
                cached_tokens=progress.get("cache"),
                load_s=self._load_s,
                prompt_s=progress.get("time_ms", 0) / 1000,
            )
        if usage := chunk.get("usage"):
            timings = chunk.get("timings") or {}
            self._usage = Usage(
                prompt_tokens=usage.get("prompt_tokens"),
                cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
                completion_tokens=usage.get("completion_tokens"),
                load_s=self._load_s,
                prompt_s=timings.get("prompt_ms", 0.0) / 1000,
                completion_s=timings.get("predicted_ms", 0.0) / 1000,
            )

    def _final_usage(self) -> Usage:
        if self._usage.completion_tokens is not None:
            return self._usage
        # Cut short: the last chunk, which counts, never came.
        since = self._writing_since
        return dataclasses.replace(
            self._usage,
            completion_tokens=self._made,
            completion_s=time.monotonic() - since if since else 0.0,
        )


def _note_logprobs(choice: _Chunk, made: int, held: HeldLogprobs) -> None:
    """Note the figures of the tokens that this chunk came from, `made` of them."""
    for entry in (choice.get("logprobs") or {}).get("content") or ():
        # Of the tokens that only begin a character the library says nothing.
        for _ in range(made - 1):
            held.feed(TokenLogprob("", None))
        held.feed(_logprob(str(choice.get("text") or ""), entry))


def _logprob(text: str, entry: Mapping[str, Any]) -> TokenLogprob:
    top = (
        (bytes(other["bytes"]).decode("utf-8", "replace"), float(other["logprob"]))
        for other in entry.get("top_logprobs") or ()
    )
    return TokenLogprob(text, float(entry["logprob"]), tuple(top))


def _error(error: object) -> InglenookError:
    """The library's error as one of ours."""
    if not isinstance(error, Mapping):
        return RuntimeFailure(f"llama.cpp failed: {error}")
    message = str(error.get("message", error))
    if error.get("type") == "exceed_context_size_error":
        return ContextOverflowError(
            f"The prompt does not fit: {message}.",
            needed=int(error.get("n_prompt_tokens", 0)),
            available=int(error.get("n_ctx", 0)),
        )
    if "parse grammar" in message:
        return unreadable_grammar()
    if error.get("type") == "invalid_request_error":
        return UserError(f"llama.cpp refuses the request: {message}")
    return RuntimeFailure(f"llama.cpp failed: {message}")
