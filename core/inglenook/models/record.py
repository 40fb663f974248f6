"""What is known of a model in the library, read from its manifest and the small blobs it names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inglenook.errors import ModelBrokenError
from inglenook.models.genai_folder import FORMAT as GENAI
from inglenook.models.manifest import (
    DETAILS_KEY,
    LICENCE,
    MESSAGES,
    PARAMETERS,
    SYSTEM,
    TEMPLATE,
    Layer,
    Manifest,
    parse_json_object,
)
from inglenook.types import ModelFiles

__all__ = ["ModelFacts", "ModelRecord", "read_record", "size_label"]

_LARGEST_TEXT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is told about a model when it is added; the fields are those of `ModelRecord`."""

    family: str = ""
    parameter_size: str = ""
    quantisation: str = ""
    context_length: int = 0
    licence: str = ""
    template: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model in a library.

    Args:
        name: The shortest reference that names it.
        format: `gguf`, `sentence-onnx`, …; "" if `problem` says why it cannot be read.
        size_bytes: All of its blobs together.
        digest: The sha256 of the manifest, in hex, as `ollama list` shows it.
        modified: When it was added, in seconds since 1970.
        root: The folder of the store that holds it.
        read_only: Whether it lies in a store of another program.
        family: Such as `llama`; "" if unknown.
        parameter_size: Such as `135M`; "" if unknown.
        quantisation: Such as `Q4_K_M`; "" if unknown.
        context_length: Tokens that it was trained for; 0 if unknown.
        licence: The SPDX name if known, else the first line of the licence's text.
        licence_text: The licences in full, as far as the store holds them.
        template: A Go template that stands in for the model's own; "" for none.
        system: The system prompt that comes with it.
        parameters: The parameters that come with it, by Ollama's names.
        messages: The messages that come with it, as (role, text).
        files: File name -> path.
        details: The other facts of the manifest: pooling, query prefix, ….
        problem: What is wrong with it; "" for nothing.
    """

    name: str
    format: str
    size_bytes: int
    digest: str
    modified: float
    root: Path
    read_only: bool = False
    family: str = ""
    parameter_size: str = ""
    quantisation: str = ""
    context_length: int = 0
    licence: str = ""
    licence_text: str = ""
    template: str = ""
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[tuple[str, str], ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""

    def model_files(self) -> ModelFiles:
        """The files, for a runtime or an embedder to open."""
        main = next(iter(self.files.values()), None)
        digest = main.name.removeprefix("sha256-") if main else ""
        facts = {
            "family": self.family,
            "licence": self.licence,
            "template": self.template,
            "system": self.system,
            "parameters": dict(self.parameters),
            "messages": self.messages,
        }
        return ModelFiles(
            reference=self.name,
            format=self.format,
            files=self.files,
            # Of several files that are one model the manifest names all.
            digest=self.digest if self.format == GENAI else digest,
            details={**{key: value for key, value in facts.items() if value}, **self.details},
        )


def read_record(
    manifest: Manifest, *, name: str, digest: str, modified: float, root: Path, read_only: bool
) -> ModelRecord:
    """Read the config and the small layers. Raises `ModelBrokenError`."""
    reader = _Reader(manifest, root / "blobs", name)
    config = reader.config()
    ours = config.get(DETAILS_KEY)
    own: dict[str, Any] = dict(ours) if isinstance(ours, dict) else {}
    texts = reader.texts(LICENCE)
    licence_text = "\n\n".join(texts)
    return ModelRecord(
        name=name,
        format=_text(config.get("model_format")) or "gguf",
        size_bytes=manifest.size_bytes,
        digest=digest,
        modified=modified,
        root=root,
        read_only=read_only,
        family=_text(config.get("model_family")),
        parameter_size=_text(config.get("model_type")),
        quantisation=_text(config.get("file_type")),
        context_length=_count(own.pop("context_length", 0)),
        licence=_text(own.pop("licence", "")) or _first_line(licence_text),
        licence_text=licence_text,
        template="".join(reader.texts(TEMPLATE)[-1:]),
        system="".join(reader.texts(SYSTEM)[-1:]),
        parameters=reader.parameters(),
        messages=reader.messages(),
        files=reader.files(),
        details=own,
    )


class _Reader:
    """Reads the small blobs of one manifest."""

    def __init__(self, manifest: Manifest, blobs: Path, name: str) -> None:
        self._manifest = manifest
        self._blobs = blobs
        self._name = name

    def config(self) -> dict[str, Any]:
        layer = self._manifest.config
        if layer is None:
            return {}
        return parse_json_object(self._bytes(layer), f"The config of {self._name}")

    def texts(self, media_type: str) -> list[str]:
        return [self._bytes(layer).decode("utf-8", "replace") for layer in self._of(media_type)]

    def parameters(self) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for layer in self._of(PARAMETERS):
            where = f"The parameter list of {self._name}"
            merged.update(parse_json_object(self._bytes(layer), where))
        return merged

    def messages(self) -> tuple[tuple[str, str], ...]:
        found: list[tuple[str, str]] = []
        for layer in self._of(MESSAGES):
            try:
                entries = json.loads(self._bytes(layer))
                found += [(str(e["role"]), str(e["content"])) for e in entries]
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise ModelBrokenError(
                    f"The messages of {self._name} are damaged: {error}.",
                    hint="Remove the model with `nook rm` and pull it again.",
                ) from error
        return tuple(found)

    def files(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for layer in self._manifest.layers:
            name = layer.file_name
            if not name:
                continue
            number = 2
            while name in found:
                name, number = f"{layer.file_name}-{number}", number + 1
            found[name] = self._blobs / f"sha256-{layer.sha256}"
        return found

    def _of(self, media_type: str) -> list[Layer]:
        return [layer for layer in self._manifest.layers if layer.media_type == media_type]

    def _bytes(self, layer: Layer) -> bytes:
        path = self._blobs / f"sha256-{layer.sha256}"
        try:
            with path.open("rb") as file:
                return file.read(_LARGEST_TEXT_BYTES)
        except OSError as error:
            raise ModelBrokenError(
                f"{self._name} is incomplete: {path} cannot be read ({error.strerror}).",
                hint=f"Pull it again: nook pull {self._name}",
            ) from error


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def size_label(parameters: int) -> str:
    """A number of weights as Ollama prints it: `134.52M`, `1.5B`; "" for 0."""
    if not parameters:
        return ""
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if parameters >= unit:
            return f"{parameters / unit:.2f}".rstrip("0").rstrip(".") + name
    return str(parameters)
