"""Ollama's environment variables about how a model is opened, heeded where nothing of ours says it.

`OLLAMA_MODELS` and those of loaded models and queues are read where they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from inglenook.errors import UserError

__all__ = ["OllamaVariables", "read_ollama_variables", "variables_in_force"]

_INT_MAX = 2**31 - 1
_TRUE = ("1", "t", "true", "y", "yes", "on")
_FALSE = ("0", "f", "false", "n", "no", "off")
_CACHE_KINDS = ("f16", "q8_0", "q4_0")
_MEANINGS = MappingProxyType(
    {
        "OLLAMA_MODELS": "models of this store are used too, and never changed",
        "OLLAMA_CONTEXT_LENGTH": "tokens of context where no num_ctx is stated",
        "OLLAMA_FLASH_ATTENTION": "flash attention where no RUNTIME line states it",
        "OLLAMA_KV_CACHE_TYPE": "how keys and values are kept where no RUNTIME line states it",
        "OLLAMA_NUM_GPU": "layers on the GPU where no num_gpu is stated",
        "OLLAMA_GPU_LAYERS": "layers on the GPU where no num_gpu is stated",
        "OLLAMA_NUM_THREAD": "threads where no num_thread is stated",
        "OLLAMA_NOPRUNE": "a pull deletes nothing that no model uses",
        "OLLAMA_DEBUG": "llama.cpp writes all it does into its log",
        "OLLAMA_KEEP_ALIVE": "how long a model stays loaded",
        "OLLAMA_NUM_PARALLEL": "requests that a model answers at a time",
        "OLLAMA_MAX_LOADED_MODELS": "models that are loaded at once",
        "OLLAMA_MAX_QUEUE": "requests that may wait",
    }
)


@dataclass(frozen=True, slots=True)
class OllamaVariables:
    """What the environment says; the defaults leave everything as it is.

    Args:
        context_length: Tokens of context; 0 leaves it to us.
        flash_attention: `on` or `off`; "" for nothing.
        kv_cache: One of f16, q8_0, q4_0; "" for nothing.
        gpu_layers: Layers on the GPU, -1 for automatic; None for nothing.
        threads: CPU threads; 0 leaves it to us.
        no_prune: Whether a pull leaves what no model uses.
        debug: Whether runtimes write all they do into their logs.
    """

    context_length: int = 0
    flash_attention: str = ""
    kv_cache: str = ""
    gpu_layers: int | None = None
    threads: int = 0
    no_prune: bool = False
    debug: bool = False

    @property
    def runtime_options(self) -> dict[str, str]:
        """What a runtime that has such options is opened with, by their names."""
        options = {"flash_attention": self.flash_attention, "kv_cache": self.kv_cache}
        return {name: value for name, value in options.items() if value}


def read_ollama_variables(environment: Mapping[str, str]) -> OllamaVariables:
    """Read them; one that is empty counts as not set. Raises `UserError` that names a bad one."""
    said = {name: value.strip() for name, value in environment.items() if value.strip()}
    flash = _switch(said, "OLLAMA_FLASH_ATTENTION")
    cache = said.get("OLLAMA_KV_CACHE_TYPE", "").lower()
    if cache and cache not in _CACHE_KINDS:
        raise _bad(said, "OLLAMA_KV_CACHE_TYPE", f"one of {', '.join(_CACHE_KINDS)}")
    if cache not in ("", "f16") and flash is False:
        raise UserError(
            f"OLLAMA_KV_CACHE_TYPE={cache} needs flash attention, which OLLAMA_FLASH_ATTENTION"
            " switches off.",
            hint="Unset one of them.",
        )
    layers = [
        number
        for name in ("OLLAMA_NUM_GPU", "OLLAMA_GPU_LAYERS")
        if (number := _number(said, name, -1)) is not None
    ]
    return OllamaVariables(
        context_length=_number(said, "OLLAMA_CONTEXT_LENGTH", 0) or 0,
        flash_attention={True: "on", False: "off", None: ""}[flash],
        kv_cache=cache,
        gpu_layers=layers[0] if layers else None,
        threads=_number(said, "OLLAMA_NUM_THREAD", 0, 4096) or 0,
        no_prune=bool(_switch(said, "OLLAMA_NOPRUNE")),
        debug=_debug(said),
    )


def variables_in_force(environment: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """Each variable of Ollama's that is set and heeded: name, value, and what it does here."""
    return tuple(
        (name, environment[name].strip(), meaning)
        for name, meaning in _MEANINGS.items()
        if environment.get(name, "").strip()
    )


def _number(said: Mapping[str, str], name: str, least: int, most: int = _INT_MAX) -> int | None:
    text = said.get(name)
    if text is None:
        return None
    digits = text.removeprefix("-")
    number = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 12 else None
    if number is None or not least <= number <= most:
        raise _bad(said, name, f"a whole number from {least} to {most}")
    return number


def _switch(said: Mapping[str, str], name: str) -> bool | None:
    text = said.get(name, "").lower()
    if not text:
        return None
    if text not in (*_TRUE, *_FALSE):
        raise _bad(said, name, "1 or 0, true or false")
    return text in _TRUE


def _debug(said: Mapping[str, str]) -> bool:
    # A switch, or a level, of which each but 0 is more than the usual.
    if said.get("OLLAMA_DEBUG", "") == "2":
        return True
    return bool(_switch(said, "OLLAMA_DEBUG"))


def _bad(said: Mapping[str, str], name: str, allowed: str) -> UserError:
    return UserError(
        f"The environment variable {name} is '{said[name][:60]}'.",
        hint=f"It must be {allowed}; or unset it.",
    )
