"""What a plugin registers: light descriptions that say where the heavy class lives.

Entry modules of plugins import this module and `hookspecs`, nothing else, so that finding out
what is installed never imports an ML library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["API_VERSION", "KINDS", "Factory", "Option", "Register"]

API_VERSION = "1"
"""The version of the plugin contract. Optional additions keep it; a removal raises it."""

KINDS = (
    "runtime",
    "embedder",
    "loader",
    "splitter",
    "vector_store",
    "reranker",
    "filter",
    "model_source",
    "command",
)


@dataclass(frozen=True, slots=True)
class Option:
    """One `key=value` that a factory accepts.

    Args:
        name: The key.
        type: `int`, `float`, `bool`, `str` or `list` (comma-separated strings).
        default: What holds when the key is not given.
        help: One line for people.
        choices: The allowed values; empty allows any.
        minimum: The smallest number allowed.
        maximum: The largest number allowed.
        required: Whether it must be given (commands only).
    """

    name: str
    type: type = str
    default: object = None
    help: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Factory:
    """How to make one part.

    Args:
        name: What profiles and commands call it; lower case, `-` between words.
        summary: One line for people.
        load: `package.module:Class`, imported only when the part is made.
        options: The options that the part accepts; anything else is refused by name.
        capabilities: Facts about the part that need no import. Runtimes, embedders and
            rerankers state `formats`, loaders `extensions` and `media_types`, filters `stages`,
            model sources `schemes`, and `names` if they find models. An embedder that makes files
            of a model when it is first opened, and keeps them in its option `cache_folder`, states
            those formats again in `prepares`: `nook pull` opens them once.
        requires: The import names of libraries that the part needs.
        extra: The extra of this distribution that installs them.
        version: The version of the part's *behaviour*. Loaders, splitters, embedders and ingest
            filters raise it when the same input gives another output, which re-reads sources.
    """

    name: str
    summary: str
    load: str
    options: tuple[Option, ...] = ()
    capabilities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    extra: str = ""
    version: str = "1"


Register = Callable[[Factory], None]
