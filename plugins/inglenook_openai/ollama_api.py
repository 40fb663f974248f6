"""Ollama's own API: unlike its OpenAI form it takes a context length, and never cuts a prompt.

Source: Ollama's `docs/api.md` and `api/types.go`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inglenook.errors import UserError
from inglenook.types import GenerateRequest, RuntimeInfo, RuntimeOptions, Usage
from inglenook_openai.openai_api import missing
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

__all__ = ["OllamaApi"]

_USUAL_CONTEXT = 4096
_NANOSECOND = 1e-9


class OllamaApi:
    """A server that speaks Ollama's API.

    Args:
        server: The server; a `/v1` at the end of its address is left away.
        model: Its name there.
        options: How the profile wants it opened.
    """

    name = "Ollama's API"
    parameters = (
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
    opening = frozenset(("num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap"))

    def __init__(self, server: Server, model: str, options: RuntimeOptions) -> None:
        self._server = server
        self._model = model
        self._options = options
        self._root = server.address.path.removesuffix("/v1")
        self._context_length = options.context_length
        self.path = f"{self._root}/api/chat"

    def open(self) -> RuntimeInfo:
        """Look for the model. Raises `ModelNotFoundError`, and `UserError` if it cannot chat."""
        told = self._server.post(f"{self._root}/api/show", {"model": self._model})
        if told is None:
            raise missing(self._server, self._model, self._names())
        told = object_of(told)
        capabilities = told.get("capabilities")
        if isinstance(capabilities, list) and "completion" not in capabilities:
            raise UserError(
                f"{self._model} on the server at {self._server.address} writes no text.",
                hint="Name a language model in FROM.",
            )
        trained = _trained(object_of(told.get("model_info")))
        usual = min(_USUAL_CONTEXT, trained) if trained else _USUAL_CONTEXT
        self._context_length = self._options.context_length or usual
        return RuntimeInfo(
            context_length=self._context_length,
            trained_context_length=trained,
            renders_chat=True,
            token_count="estimate",
            parameters=self.parameters,
            slots=self._options.slots,
            reproducible="never",
            device=f"the server at {self._server.address} ({self.name})",
            remote=", ".join(filter(None, (self._server.address.remote, self._elsewhere(told)))),
        )

    def sent_on(self) -> str:
        """Like `_elsewhere`, for a model that is asked for over another API of the same server."""
        told = self._server.post(f"{self._root}/api/show", {"model": self._model})
        return self._elsewhere(object_of(told))

    def _elsewhere(self, told: Mapping[str, Any]) -> str:
        """The host that the server itself sends prompts to. Raises `UserError`.

        Ollama lists models of its cloud like its own.
        """
        stated = text_of(told.get("remote_host"))
        if not stated and not self._model.casefold().endswith(("-cloud", ":cloud")):
            return ""
        host = shown(stated.partition("://")[2] or stated) or "Ollama's cloud"
        if not self._options.settings.get("cloud"):
            raise UserError(
                f"{self._model} does not run there: the server at "
                f"{self._server.address} sends prompts to {host}.",
                hint="Choose another model, or add cloud=true to the RUNTIME line.",
            )
        return host

    def _names(self) -> list[str]:
        told = object_of(self._server.get(f"{self._root}/api/tags"))
        return [str(object_of(model).get("name")) for model in list_of(told.get("models"))]

    def body(self, request: GenerateRequest) -> dict[str, Any]:
        """The request, in the API's terms."""
        options: dict[str, Any] = {"num_ctx": self._context_length, **request.parameters}
        options |= self._how_opened()
        if request.max_tokens is not None:
            options["num_predict"] = request.max_tokens
        if request.seed is not None:
            options["seed"] = request.seed
        return {
            "model": self._model,
            "messages": plain_messages(request.messages or ()),
            "stream": True,
            "options": options,
            # A prompt or an answer that does not fit is an error, never cut in silence.
            "truncate": False,
            "shift": False,
        }

    def _how_opened(self) -> dict[str, Any]:
        given = self._options
        stated = {
            "num_batch": given.batch or None,
            "num_gpu": given.gpu_layers if given.gpu_layers >= 0 else None,
            "main_gpu": given.main_gpu,
            "num_thread": given.threads or None,
            "use_mmap": given.mmap,
        }
        return {name: value for name, value in stated.items() if value is not None}

    def piece(self, line: str) -> Piece | None:
        """What a line says; None for an empty one."""
        if not line.strip():
            return None
        told = json_of(line)
        if told.get("error"):
            return Piece(error=told)
        message = object_of(told.get("message"))
        done = bool(told.get("done"))
        return Piece(
            text=text_of(message.get("content")),
            thinking=text_of(message.get("thinking")),
            reason=(text_of(told.get("done_reason")) or "stop") if done else "",
            usage=_usage(told) if done else None,
            ended=done,
        )


def _trained(facts: Mapping[str, Any]) -> int:
    lengths = (value for name, value in facts.items() if name.endswith(".context_length"))
    return next((found for value in lengths if (found := count_of(value))), 0)


def _usage(told: Mapping[str, Any]) -> Usage:
    return Usage(
        prompt_tokens=count_of(told.get("prompt_eval_count")),
        completion_tokens=count_of(told.get("eval_count")),
        load_s=seconds_of(told.get("load_duration"), _NANOSECOND),
        prompt_s=seconds_of(told.get("prompt_eval_duration"), _NANOSECOND),
        completion_s=seconds_of(told.get("eval_duration"), _NANOSECOND),
    )
