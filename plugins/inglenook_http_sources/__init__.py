"""Where models come from over the network: Ollama registries, Hugging Face, plain addresses.

Nothing is contacted but the hosts that the user named, or that were printed before.
"""

from __future__ import annotations

from inglenook.factories import Factory, Option, Register
from inglenook.hookspecs import hookimpl

_SHARED = (
    Option(
        "connections",
        int,
        default=4,
        help="how many pieces of a file are fetched at a time",
        minimum=1,
        maximum=16,
    ),
    Option("insecure", bool, default=False, help="allow http:// to other machines"),
)


@hookimpl
def register_model_sources(register: Register) -> None:
    register(
        Factory(
            name="registry",
            summary="Models of an Ollama registry, by name: qwen2.5:3b.",
            load="inglenook_http_sources.registry_source:RegistrySource",
            options=(
                *_SHARED,
                Option(
                    "registry",
                    default="https://registry.ollama.ai/library",
                    help="where names without a host are looked up: HOST[:PORT][/NAMESPACE]",
                ),
            ),
            capabilities={"schemes": ("registry",), "names": ("",)},
            requires=("httpx2",),
            extra="http-sources",
        )
    )
    register(
        Factory(
            name="huggingface",
            summary="Repositories of Hugging Face or a mirror of it: hf.co/ORG/REPO[:QUANT|:FILE].",
            load="inglenook_http_sources.huggingface_source:HuggingFaceSource",
            options=(
                *_SHARED,
                Option(
                    "huggingface",
                    default="https://huggingface.co",
                    help="the address of a mirror; HF_ENDPOINT wins",
                ),
            ),
            capabilities={"schemes": ("huggingface",), "names": ("hf.co/", "huggingface.co/")},
            requires=("httpx2",),
            extra="http-sources",
        )
    )
    register(
        Factory(
            name="url",
            summary="A file at an address: https://HOST/PATH/model.gguf.",
            load="inglenook_http_sources.url_source:UrlSource",
            options=_SHARED,
            capabilities={"schemes": ("url", "mirror"), "names": ("https://", "http://")},
            requires=("httpx2",),
            extra="http-sources",
        )
    )
