"""Where things live and what the user has set. Plain data; `configuration` reads and writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Paths", "PluginSettings", "Settings", "WarmSettings"]


@dataclass(frozen=True, slots=True)
class Paths:
    """The three folders of an installation. With `INGLENOOK_HOME` all are inside it."""

    config: Path
    data: Path
    cache: Path

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def assistants(self) -> Path:
        return self.data / "assistants"

    @property
    def knowledge(self) -> Path:
        return self.data / "knowledge"

    @property
    def embeddings_file(self) -> Path:
        return self.data / "embeddings.sqlite"

    @property
    def logs(self) -> Path:
        return self.cache / "logs"


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """Which plugins may run.

    Args:
        enabled: Nothing is on (`--no-plugins`, or an empty `INGLENOOK_PLUGINS`) when False.
        only: If not None, only these names are on (`INGLENOOK_PLUGINS`).
        disabled: Names that are off.
        policy: `open` lets every installed plugin run, `pinned` only those in `pins`.
        pins: Distribution name -> {"version", "record_sha256"}.
        strict: A broken plugin raises instead of being listed (`INGLENOOK_STRICT_PLUGINS=1`).
    """

    enabled: bool = True
    only: tuple[str, ...] | None = None
    disabled: tuple[str, ...] = ()
    policy: str = "open"
    pins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    strict: bool = False

    @property
    def why_off(self) -> tuple[str, str]:
        """What switched all plugins off, and what to do about it; for when `enabled` is False."""
        if self.only == ():
            return "INGLENOOK_PLUGINS is empty", "Unset INGLENOOK_PLUGINS, and run it again."
        return "--no-plugins", "Run it without --no-plugins."


PROMPT_CACHE_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class WarmSettings:
    """How long and how many models stay loaded, and how requests for them wait.

    Args:
        keep_alive_s: How long a model stays loaded after its last use; below 0 is for ever.
        memory_bytes: What all loaded models together may take; 0 is a share of what is free.
        max_loaded: How many models may be loaded at once.
        parallel: Requests at a time that one model answers, unless its profile says otherwise.
        max_queue: How many requests may wait for their turn.
        queue_timeout_s: How long one may wait; 0 is for ever.
    """

    keep_alive_s: float = 300.0
    memory_bytes: int = 0
    max_loaded: int = 3
    parallel: int = 1
    max_queue: int = 512
    queue_timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of an installation.

    Args:
        paths: The folders.
        plugins: Which plugins may run.
        grants: Path of a profile -> the folders and files outside the profile's own
            folder that its FILE lines may name.
        sources: The order in which model sources are tried (`pip`, `file`, …); empty is the
            catalog's own order.
        warm: How models stay loaded, and how requests for them wait.
        prompt_cache_bytes: What may be kept on disk of what models compute from the fixed
            beginnings of prompts; 0 keeps nothing.
        extra: The other tables of the file, for the parts that own them.
    """

    paths: Paths
    plugins: PluginSettings = field(default_factory=PluginSettings)
    grants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    warm: WarmSettings = field(default_factory=WarmSettings)
    prompt_cache_bytes: int = PROMPT_CACHE_BYTES
    extra: Mapping[str, Any] = field(default_factory=dict)
