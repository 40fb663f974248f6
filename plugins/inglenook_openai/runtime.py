"""The runtime `openai`: a server somewhere else runs the model, and renders the conversation."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from inglenook.errors import InglenookError, RuntimeFailure, UserError
from inglenook.models.stop_strings import StopStrings
from inglenook.server_address import ServerAddress
from inglenook.types import (
    CancelToken,
    Done,
    Failed,
    GenerateRequest,
    ModelFiles,
    PromptProgress,
    RuntimeEvent,
    RuntimeInfo,
    RuntimeOptions,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from inglenook_openai.api_key import find_key
from inglenook_openai.ollama_api import OllamaApi
from inglenook_openai.openai_api import LlamaServerApi, OpenAiApi
from inglenook_openai.pieces import Piece
from inglenook_openai.refusals import error_of
from inglenook_openai.server import Server

__all__ = ["ServerRuntime"]

_LETTERS_A_TOKEN = 3.5
_TOKENS_AN_OTHER = 0.8
"""Fewer letters and more tokens than most tokenizers make: what fits here fits there."""

_TURN_POLL_S = 0.05
_REASONS: Mapping[str, StopReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
}
_OPENING = {
    "num_batch": ("batch", 0),
    "num_gpu": ("gpu_layers", -1),
    "main_gpu": ("main_gpu", None),
    "num_thread": ("threads", 0),
    "use_mmap": ("mmap", None),
}
"""Parameter -> the field of `RuntimeOptions`, and its value where nothing is stated."""


class ServerRuntime:
    """Hands requests to a server; loads nothing itself.

    Args:
        files: `reference` is what the server calls the model.
        options: Its `settings` are the options that the factory declares.
    """

    def __init__(self, files: ModelFiles, options: RuntimeOptions) -> None:
        self._model = files.reference
        self._options = options
        settings = options.settings
        self._address = ServerAddress.parse(str(settings["url"]))
        self._api_name = str(settings.get("api", "auto"))
        self._timeout_s = float(settings.get("timeout_s", 300.0))
        if not self._timeout_s >= 1:
            raise UserError("timeout_s must be a number of seconds, 1 or more.")
        self._server: Server | None = None
        self._api: OpenAiApi | OllamaApi | None = None
        self._info: RuntimeInfo | None = None
        self._free = threading.Semaphore(options.slots)

    def open(self) -> RuntimeInfo:
        """Find out what the server speaks, and that it has the model; nothing is sent of yours."""
        if self._info is not None:
            return self._info
        server = Server(self._address, find_key(self._address), self._timeout_s)
        api = _API[self._api_name or "auto"](server, self._model, self._options)
        self._refuse(api)
        info = api.open()
        self._info = dataclasses.replace(info, remote=self._sent_to(api, info, server))
        self._server, self._api = server, api
        # Some servers end one answer where another is asked for: they are asked in turn.
        self._free = threading.Semaphore(self._info.slots)
        return self._info

    def _sent_to(self, api: OpenAiApi | OllamaApi, info: RuntimeInfo, server: Server) -> str:
        """The hosts that see the prompts. Raises `UserError` for one that nobody allowed.

        Ollama runs models of its cloud over its OpenAI form too, and says so only in its own.
        """
        if isinstance(api, OllamaApi):
            return info.remote
        own = OllamaApi(server, self._model, self._options)
        is_ollama = _is_ollama(server) or self._model.casefold().endswith(("-cloud", ":cloud"))
        return ", ".join(filter(None, (info.remote, own.sent_on() if is_ollama else "")))

    def _refuse(self, api: OpenAiApi | OllamaApi) -> None:
        """Raise `UserError` for what only a runtime that loads the model itself can do."""
        for name, (field, unset) in _OPENING.items():
            if getattr(self._options, field) != unset and name not in api.opening:
                raise UserError(
                    f"PARAMETER {name} says how a model is loaded, and the server at "
                    f"{self._address} has loaded it.",
                    hint="Remove the line, and set it at the server.",
                )
        given = {"DEVICE": self._options.devices, "ADAPTER": self._options.adapters}
        for name, value in given.items():
            if value:
                raise UserError(
                    f"{name} has no meaning for a model that a server runs.",
                    hint="Remove the line, and set it at the server.",
                )

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """As many zeros as the text has tokens, estimated."""
        del special
        letters = sum(character.isascii() for character in text)
        others = len(text) - letters
        return [0] * math.ceil(letters / _LETTERS_A_TOKEN + others * _TOKENS_AN_OTHER)

    def generate(self, request: GenerateRequest, cancel: CancelToken) -> Iterator[RuntimeEvent]:
        """Stream one answer."""
        server, api, info = self._server, self._api, self._info
        if server is None or api is None or info is None:
            raise RuntimeFailure(f"{self._model} is not open.")
        _check(request, info)
        free = self._free
        while not (taken := free.acquire(timeout=_TURN_POLL_S)) and not cancel.cancelled:
            pass
        try:
            if cancel.cancelled or request.max_tokens == 0:
                yield Usage()
                yield Done("cancelled" if cancel.cancelled else "length")
                return
            answer = _Answer(request, api, server.address)
            with closing(server.stream(api.path, api.body(request), cancel)) as lines:
                yield from answer.events(lines, cancel)
        finally:
            if taken:
                free.release()

    def close(self) -> None:
        """Forget the server; it goes on."""
        self._server = self._api = self._info = None


class _Answer:
    """One answer, while it comes."""

    def __init__(
        self, request: GenerateRequest, api: OpenAiApi | OllamaApi, address: ServerAddress
    ) -> None:
        self._max_tokens = request.max_tokens
        self._api = api
        self._address = address
        self._stops = StopStrings(request.stop)
        self._usage: Usage | None = None
        self._reason = ""
        self._started = False
        self._half = ""
        self._asked = time.monotonic()
        self._writing_since = 0.0

    def events(self, lines: Iterator[str], cancel: CancelToken) -> Iterator[RuntimeEvent]:
        """The events in order. Raises before the first one if the request is refused."""
        try:
            for piece in filter(None, map(self._api.piece, lines)):
                if piece.error is not None:
                    raise error_of(piece.error, self._address)
                yield from self._shown(piece)
                if piece.ended and self._started:
                    self._reason = self._reason or "stop"
                if self._stops.found or piece.ended:
                    break
            if not (self._reason or self._stops.found or cancel.cancelled):
                raise self._broken_off()
        except InglenookError as error:
            if not self._started:
                raise
            yield Failed(type(error).__name__, error.message, error.hint)
            return
        if rest := self._stops.finish():
            yield TextDelta(rest)
        yield self._cost()
        yield self._end(cancel)

    def _broken_off(self) -> RuntimeFailure:
        if self._started:
            return RuntimeFailure(
                f"The server at {self._address} broke off in the middle of the answer.",
                hint="Ask again; look at the server's own log if it happens twice.",
            )
        return RuntimeFailure(
            f"The server at {self._address} ended without an answer and does not say why.",
            hint="The prompt may not fit into its context; the server's own log may tell.",
        )

    def _shown(self, piece: Piece) -> Iterator[RuntimeEvent]:
        self._usage = piece.usage or self._usage
        self._reason = piece.reason or self._reason
        if piece.progress and 0 < piece.progress[0] < piece.progress[1]:
            yield PromptProgress(*piece.progress)
        if piece.thinking:
            self._started = True
            yield ThinkingDelta(piece.thinking)
        if whole := self._whole_characters(piece.text):
            self._writing_since = self._writing_since or time.monotonic()
            if text := self._stops.feed(whole):
                self._started = True
                yield TextDelta(text)

    def _whole_characters(self, text: str) -> str:
        """The text with halves of a surrogate pair joined; half of one waits for the other."""
        text = self._half + text
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        whole = text[: len(text) - len(self._half)]
        return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _cost(self) -> Usage:
        """What the server counted; the seconds by our own clock where it does not tell."""
        usage, now = self._usage or Usage(), time.monotonic()
        began = self._writing_since or now
        if usage.completion_s or usage.prompt_s:
            return usage
        return dataclasses.replace(usage, prompt_s=began - self._asked, completion_s=now - began)

    def _end(self, cancel: CancelToken) -> Done:
        if self._stops.found:
            return Done("stop", stop_string=self._stops.found)
        if not self._reason and cancel.cancelled:
            return Done("cancelled")
        reason = _REASONS.get(self._reason, "stop")
        made = (self._usage or Usage()).completion_tokens
        full = self._max_tokens is None or (made is not None and made < self._max_tokens)
        return Done(reason, context_full=reason == "length" and full)


def _check(request: GenerateRequest, info: RuntimeInfo) -> None:
    """Raise `UserError` for what the server is not known to honour."""
    if not request.messages:
        raise UserError("The runtime 'openai' needs a conversation of at least one message.")
    for name in request.parameters:
        if name not in info.parameters:
            raise UserError(
                f"The server is not known to honour PARAMETER {name}.",
                hint=f"It honours {', '.join(info.parameters)}. If yours does more, state "
                "api=llama-server or api=ollama in the RUNTIME line.",
            )
    given: dict[str, Any] = {"tools": request.tools, "logprobs": request.logprobs}
    if not info.grammar:
        given |= {"grammar": request.grammar, "json_schema": request.json_schema}
    for name, value in given.items():
        if value:
            raise UserError(f"The runtime 'openai' has no {name} with this server.")
    if request.json_schema is not None and request.grammar is not None:
        raise UserError("An answer can follow a JSON schema or a grammar, not both.")


def _is_ollama(server: Server) -> bool:
    told = server.get(f"{server.address.path.removesuffix('/v1')}/api/version")
    return isinstance(told, Mapping) and "version" in told


def _asked(server: Server, model: str, options: RuntimeOptions) -> OpenAiApi | OllamaApi:
    """The API that the server turns out to speak."""
    if _is_ollama(server):
        return OllamaApi(server, model, options)
    told = server.get(f"{server.address.path.removesuffix('/v1')}/props")
    if isinstance(told, Mapping) and "default_generation_settings" in told:
        return LlamaServerApi(server, model, options)
    return OpenAiApi(server, model, options)


_API: Mapping[str, Any] = {
    "auto": _asked,
    "openai": OpenAiApi,
    "ollama": OllamaApi,
    "llama-server": LlamaServerApi,
}
