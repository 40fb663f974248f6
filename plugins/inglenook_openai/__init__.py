"""Lets a server that is already there run the model: Ollama, llama-server, LM Studio, vLLM, ….

It speaks OpenAI's chat API and Ollama's own. The server is on this machine unless the profile
names another; nothing is sent anywhere else.
"""

from __future__ import annotations

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl


@hookimpl
def register_runtimes(register: Register) -> None:
    register(
        Factory(
            name="openai",
            summary="models of a server that speaks OpenAI's or Ollama's API",
            load="inglenook_openai.runtime:ServerRuntime",
            options=(
                Option(
                    "url",
                    default="http://127.0.0.1:11434/v1",
                    help="where the server is; the default is Ollama on this machine",
                ),
                Option(
                    "api",
                    default="auto",
                    help="what it speaks; auto asks it",
                    choices=("auto", "openai", "ollama", "llama-server"),
                ),
                Option(
                    "cloud",
                    bool,
                    default=False,
                    help="allow models that a server on this machine runs elsewhere",
                ),
                Option(
                    "timeout_s",
                    float,
                    default=300.0,
                    help="how long the server may be silent",
                    minimum=1,
                    maximum=86_400,
                ),
            ),
            capabilities={"formats": ("remote",)},
            requires=("httpx2",),
            extra="openai",
        )
    )
