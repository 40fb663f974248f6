"""The catalog of known models: where each can be had, and the sha256 that it must have.

It is a TOML file in the package; nothing in it is trusted to run, and no source is trusted for
anything but bytes that have the right sha256.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files
from typing import Any

from inglenook.errors import UserError
from inglenook.models.quantised_names import same_quantisation, without_quantisation
from inglenook.models.reference import Reference, parse_reference
from inglenook.settings import Settings
from inglenook.types import FetchPart

__all__ = [
    "Catalog",
    "KnownFile",
    "KnownModel",
    "KnownSource",
    "load_catalog",
    "parse_catalog",
    "with_mirror",
]


@dataclass(frozen=True, slots=True)
class KnownSource:
    """One way to get a file: its parts, to be joined in this order.

    Args:
        scheme: `pip`, `file`, `url`, …: which model source delivers it.
        parts: What it delivers.
        downloads: For each part, what comes over the network for it, as (what, bytes); parts of
            one package name the same thing, which is fetched once.
    """

    scheme: str
    parts: tuple[FetchPart, ...]
    downloads: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file of a model, and the sources that have it, in the order in which to try them."""

    name: str
    sha256: str
    size_bytes: int
    sources: tuple[KnownSource, ...]


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be pulled by name.

    Args:
        name: Its reference, `model:tag`.
        aliases: Other references that mean it.
        format: What a runtime or an embedder knows it by.
        licence: The SPDX name of the licence of the weights.
        summary: One line for people.
        publisher: Who made the weights.
        files: Its files; the first is the main one.
        family, parameter_size, quantisation, context_length: As in `ModelRecord`.
        template: A Go template, for a model without one of its own.
        parameters: Parameters to ship with it.
        details: Facts for the part that opens it: pooling, query prefix, ….
    """

    name: str
    format: str
    licence: str
    files: tuple[KnownFile, ...]
    aliases: tuple[str, ...] = ()
    summary: str = ""
    publisher: str = ""
    family: str = ""
    parameter_size: str = ""
    quantisation: str = ""
    context_length: int = 0
    template: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def every_scheme(self) -> tuple[str, ...]:
        """The schemes that have a file of it, in the catalog's order."""
        # The file with the longest list leads: what it ranks last is last for all of them.
        leading = sorted(self.files, key=lambda file: -len(file.sources))
        return tuple(dict.fromkeys(s.scheme for file in leading for s in file.sources))


class Catalog:
    """Known models by name, without regard to case."""

    def __init__(self, models: tuple[KnownModel, ...]) -> None:
        self.models = models

    @cached_property
    def _by_key(self) -> dict[tuple[str, ...], KnownModel]:
        return {
            parse_reference(name).key: model
            for model in self.models
            for name in (model.name, *model.aliases)
        }

    def find(self, reference: Reference) -> KnownModel | None:
        """The model of that name or alias, or None; its tag may end in its quantisation."""
        found = self._by_key.get(reference.key)
        if found is not None:
            return found
        for shorter, kind in without_quantisation(reference):
            found = self._by_key.get(shorter.key)
            if found is not None and same_quantisation(found.quantisation, kind):
                return found
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """The reference of every model."""
        return tuple(model.name for model in self.models)


def load_catalog() -> Catalog:
    """The catalog that comes with the package."""
    text = files("inglenook.models").joinpath("catalog.toml").read_text(encoding="utf-8")
    return parse_catalog(text)


def parse_catalog(text: str) -> Catalog:
    """Read a catalog in the form of `catalog.toml`."""
    return Catalog(tuple(_model(table) for table in tomllib.loads(text)["model"]))


def _model(table: Mapping[str, Any]) -> KnownModel:
    rest = {k: v for k, v in table.items() if k not in ("file", "aliases")}
    return KnownModel(
        **rest,
        aliases=tuple(table.get("aliases", ())),
        files=tuple(_file(entry) for entry in table["file"]),
    )


def _file(table: Mapping[str, Any]) -> KnownFile:
    sha256, size = table["sha256"], table["size_bytes"]
    return KnownFile(
        name=table["name"],
        sha256=sha256,
        size_bytes=size,
        sources=tuple(_source(entry, sha256, size) for entry in table["source"]),
    )


def _source(table: Mapping[str, Any], sha256: str, size: int) -> KnownSource:
    # A source of a single part says its address only: the rest is that of the file.
    entries = table.get("part") or [{**table, "sha256": sha256, "size_bytes": size}]
    return KnownSource(
        scheme=table["scheme"],
        parts=tuple(FetchPart(e["address"], e["sha256"], e["size_bytes"]) for e in entries),
        downloads=tuple(_download(entry) for entry in entries),
    )


def _download(table: Mapping[str, Any]) -> tuple[str, int]:
    address: str = table["address"]
    if "download_bytes" in table:
        return address.partition("/")[0], table["download_bytes"]
    return address, table["size_bytes"]


def with_mirror(known: KnownModel, settings: Settings) -> KnownModel:
    """The model with the configured mirror as the first source of each file.

    `models.mirror` is an address under which files lie as `sha256-HEX`. Raises `UserError`.
    """
    mirror = settings.extra.get("models", {}).get("mirror")
    if mirror is None:
        return known
    if not isinstance(mirror, str) or not mirror.startswith(("https://", "http://")):
        raise UserError(
            f"{settings.paths.config_file}: 'models.mirror' must be an address.",
            hint="It looks like https://HOST/PATH; the files below it are named sha256-HEX.",
        )
    return replace(known, files=tuple(_mirrored(file, mirror.rstrip("/")) for file in known.files))


def _mirrored(file: KnownFile, mirror: str) -> KnownFile:
    address = f"{mirror}/sha256-{file.sha256}"
    part = FetchPart(address, file.sha256, file.size_bytes)
    source = KnownSource("mirror", (part,), ((address, file.size_bytes),))
    return replace(file, sources=(source, *file.sources))
