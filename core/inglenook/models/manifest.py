"""The manifest of a model, as Ollama writes it: a JSON list of the blobs that make it up.

A blob is named by its sha256. The config blob says what kind of model it is; each layer has a
media type that says what it is for. Layers of models of several files carry a file name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inglenook.errors import ModelBrokenError

__all__ = [
    "CONFIG",
    "DETAILS_KEY",
    "FILE",
    "LICENCE",
    "MESSAGES",
    "MODEL",
    "PARAMETERS",
    "SYSTEM",
    "TEMPLATE",
    "Layer",
    "Manifest",
    "config_bytes",
    "parse_json_object",
    "parse_manifest",
]

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.ollama.image."
MODEL = f"{_LAYER}model"
TEMPLATE = f"{_LAYER}template"
SYSTEM = f"{_LAYER}system"
PARAMETERS = f"{_LAYER}params"
MESSAGES = f"{_LAYER}messages"
LICENCE = f"{_LAYER}license"
FILE = "application/vnd.inglenook.image.file"

DETAILS_KEY = "inglenook"
"""The key of the config blob that holds what Ollama has no field for."""

_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_NAMED_BY_TYPE = ("model", "projector", "adapter", "draft")
LARGEST_MANIFEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Layer:
    """A blob and what it is for. `sha256` is bare hex."""

    media_type: str
    sha256: str
    size_bytes: int
    name: str = ""

    @property
    def file_name(self) -> str:
        """What a runtime knows the file by; "" for texts such as the template."""
        if self.name:
            return self.name
        kind = self.media_type.removeprefix(_LAYER)
        return kind if kind in _NAMED_BY_TYPE else ""

    def as_json(self) -> dict[str, object]:
        entry: dict[str, object] = {
            "mediaType": self.media_type,
            "digest": f"sha256:{self.sha256}",
            "size": self.size_bytes,
        }
        return {**entry, "name": self.name} if self.name else entry


@dataclass(frozen=True, slots=True)
class Manifest:
    """The config blob and the layers."""

    config: Layer | None
    layers: tuple[Layer, ...]

    @property
    def blobs(self) -> tuple[Layer, ...]:
        return (*((self.config,) if self.config else ()), *self.layers)

    @property
    def size_bytes(self) -> int:
        """As Ollama counts it: the layers and the config."""
        return sum(blob.size_bytes for blob in self.blobs)

    def as_bytes(self) -> bytes:
        """The file, byte for byte as Go's encoder would write it."""
        if self.config is None:
            raise ValueError("a manifest needs a config")
        content = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.config.as_json(),
            "layers": [layer.as_json() for layer in self.layers],
        }
        return go_json(content)


def go_json(content: object) -> bytes:
    """JSON as Go's `encoding/json` writes it: compact, and `<`, `>`, `&` escaped."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Read a manifest; `where` names it in errors. Raises `ModelBrokenError`."""
    content = parse_json_object(data, where)
    layers = content.get("layers")
    if not isinstance(layers, list) or not layers:
        raise _broken(where, "it lists no layers")
    config = content.get("config")
    named = isinstance(config, dict) and config.get("digest")
    return Manifest(
        config=_layer(config, where) if named else None,
        layers=tuple(_layer(layer, where) for layer in layers),
    )


def _layer(entry: Any, where: str) -> Layer:
    if not isinstance(entry, dict):
        raise _broken(where, "a layer in it is not an object")
    digest = _DIGEST.fullmatch(str(entry.get("digest", "")))
    size, name = entry.get("size", 0), entry.get("name", "")
    if digest is None:
        raise _broken(where, f"a layer has the digest {entry.get('digest')!r}")
    if not isinstance(size, int) or size < 0 or not isinstance(name, str):
        raise _broken(where, "a layer has no proper size or name")
    return Layer(str(entry.get("mediaType", "")), digest[1], size, name)


def parse_json_object(data: bytes, where: str) -> dict[str, Any]:
    """Read a JSON object; `where` names it in errors. Raises `ModelBrokenError`."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _broken(where, f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _broken(where, "it is not a JSON object")
    return content


def _broken(where: str, wrong: str) -> ModelBrokenError:
    return ModelBrokenError(
        f"{where} is damaged: {wrong}.",
        hint="Remove the model with `nook rm` and pull it again.",
    )


def config_bytes(
    *,
    format: str,
    family: str,
    size_label: str,
    file_type: str,
    layers: tuple[Layer, ...],
    details: Mapping[str, Any],
) -> bytes:
    """The config blob: Ollama's own fields in its order, then ours."""
    content = {
        "model_format": format,
        "model_family": family,
        "model_families": [family] if family else [],
        "model_type": size_label,
        "file_type": file_type,
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.sha256}" for layer in layers]},
    }
    return go_json({**content, DETAILS_KEY: dict(details)} if details else content)
