"""OpenAI's chat API, as its own service, LM Studio, vLLM and llama.cpp's server speak it.

Source: OpenAI API reference, "Create chat completion", and the README of llama.cpp's server for
what that adds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inglenook.errors import ModelNotFoundError
from inglenook.types import GenerateRequest, RuntimeInfo, RuntimeOptions, Usage
from inglenook_openai.pieces import (
    Piece,
    count_of,
    json_of,
    list_of,
    object_of,
    plain_messages,
    seconds_of,
    text_of,
)
from inglenook_openai.refusals import shown
from inglenook_openai.server import Server

__all__ = ["LlamaServerApi", "OpenAiApi"]

_SHOWN = 8
_MOST_SLOTS = 1024


class OpenAiApi:
    """A server that is known to honour what the API's reference names, and no more.

    Args:
        server: The server; its address ends in the API's version, mostly `/v1`.
        model: What the server calls the model.
        options: How the profile wants it opened.
    """

    name = "OpenAI's API"
    parameters: tuple[str, ...] = (
        "temperature",
        "top_p",
        "presence_penalty",
        "frequency_penalty",
    )
    opening: frozenset[str] = frozenset()
    """Options of opening that can be passed on."""

    def __init__(self, server: Server, model: str, options: RuntimeOptions) -> None:
        self._server = server
        self._model = model
        self._options = options
        self.path = f"{server.address.path}/chat/completions"

    def open(self) -> RuntimeInfo:
        """Look for the model. Raises `ModelNotFoundError`, `RuntimeFailure`."""
        entry = self._listed()
        self._model = str(entry.get("id", self._model))
        return self._info(self._context_length(entry))

    def _info(self, context_length: int) -> RuntimeInfo:
        return RuntimeInfo(
            context_length=self._options.context_length or context_length,
            trained_context_length=context_length,
            renders_chat=True,
            token_count="estimate",
            parameters=self.parameters,
            slots=self._options.slots,
            reproducible="never",
            device=f"the server at {self._server.address} ({self.name})",
            remote=self._server.address.remote,
        )

    def _context_length(self, entry: Mapping[str, Any]) -> int:
        """What the server says of it; vLLM calls it `max_model_len`."""
        return count_of(entry.get("max_model_len", entry.get("context_length"))) or 0

    def _listed(self) -> Mapping[str, Any]:
        """What the server's list of models says of this one; empty if it has no list."""
        told = object_of(self._server.get(f"{self._server.address.path}/models"))
        entries = told.get("data")
        if not isinstance(entries, list):
            return {}
        known = [entry for entry in entries if isinstance(entry, Mapping)]
        wanted = self._model.casefold()
        for entry in known:
            names = [str(entry.get("id")), *map(str, list_of(entry.get("aliases")))]
            if {wanted, f"{wanted}:latest"} & {name.casefold() for name in names}:
                return dict(entry)
        raise missing(self._server, self._model, [str(entry.get("id")) for entry in known])

    def body(self, request: GenerateRequest) -> dict[str, Any]:
        """The request, in the API's terms."""
        body: dict[str, Any] = {
            "model": self._model,
            "messages": plain_messages(request.messages or ()),
            "stream": True,
            "stream_options": {"include_usage": True},
            **request.parameters,
        }
        if request.max_tokens is not None:
            body["max_tokens"] = request.max_tokens
        if request.seed is not None:
            body["seed"] = request.seed
        return body

    def piece(self, line: str) -> Piece | None:
        """What a line says; None for one without meaning."""
        kind, _, value = line.partition(":")
        value = value.strip()
        if kind == "data" and value == "[DONE]":
            return Piece(ended=True)
        if kind == "error":
            return Piece(error=json_of(value))
        if kind == "data" and value:
            return self._chunk(json_of(value))
        if line.startswith("{"):
            return self._chunk(json_of(line))
        return None

    def _chunk(self, told: Mapping[str, Any]) -> Piece:
        if told.get("error"):
            return Piece(error=told)
        choice = object_of(next(iter(list_of(told.get("choices"))), None))
        delta = object_of(choice.get("delta")) or object_of(choice.get("message"))
        return Piece(
            text=text_of(delta.get("content")),
            thinking=text_of(delta.get("reasoning_content")) or text_of(delta.get("reasoning")),
            reason=text_of(choice.get("finish_reason")),
            usage=_usage(told),
            progress=_progress(told),
        )


class LlamaServerApi(OpenAiApi):
    """llama.cpp's own server: every sampling parameter, grammars, and what it read before."""

    name = "llama.cpp's server"
    parameters = (
        *OpenAiApi.parameters,
        "top_k",
        "min_p",
        "typical_p",
        "repeat_last_n",
        "repeat_penalty",
        "num_keep",
    )

    def open(self) -> RuntimeInfo:
        """Look for the model, and ask how it was opened."""
        entry = self._listed()
        self._model = str(entry.get("id", self._model))
        root = self._server.address.path.removesuffix("/v1")
        told = object_of(self._server.get(f"{root}/props"))
        opened = object_of(told.get("default_generation_settings")).get("n_ctx")
        info = self._info(count_of(opened) or 0)
        return RuntimeInfo(
            **{
                **{name: getattr(info, name) for name in info.__slots__},
                "grammar": True,
                "slots": max(1, min(_MOST_SLOTS, count_of(told.get("total_slots")) or 1)),
                "reproducible": "same_cache",
            }
        )

    def body(self, request: GenerateRequest) -> dict[str, Any]:
        """The request, with what only this server takes."""
        body = super().body(request)
        if "num_keep" in body:
            body["n_keep"] = body.pop("num_keep")
        body["cache_prompt"] = request.reuse_prefix
        body["return_progress"] = True
        if request.json_schema is not None:
            body["json_schema"] = dict(request.json_schema)
        if request.grammar is not None:
            body["grammar"] = request.grammar
        return body


def missing(server: Server, model: str, known: list[str]) -> ModelNotFoundError:
    """The error for a model that the server does not have."""
    names = shown(", ".join(known[:_SHOWN]) + (", …" if len(known) > _SHOWN else ""))
    return ModelNotFoundError(
        f"The server at {server.address} has no model '{model}'.",
        hint=f"It has: {names}. Name one of them in FROM." if known else "It has none at all.",
    )


def _usage(told: Mapping[str, Any]) -> Usage | None:
    usage, timings = told.get("usage"), object_of(told.get("timings"))
    if not isinstance(usage, Mapping):
        return None
    return Usage(
        prompt_tokens=count_of(usage.get("prompt_tokens")),
        cached_tokens=count_of(object_of(usage.get("prompt_tokens_details")).get("cached_tokens")),
        completion_tokens=count_of(usage.get("completion_tokens")),
        prompt_s=seconds_of(timings.get("prompt_ms"), 0.001),
        completion_s=seconds_of(timings.get("predicted_ms"), 0.001),
    )


def _progress(told: Mapping[str, Any]) -> tuple[int, int] | None:
    progress = told.get("prompt_progress")
    if not isinstance(progress, Mapping):
        return None
    return count_of(progress.get("processed")) or 0, count_of(progress.get("total")) or 0
