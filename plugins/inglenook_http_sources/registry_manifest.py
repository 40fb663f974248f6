"""Checks what a registry says of a model, before anything that it names is fetched."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from inglenook.errors import ModelBrokenError, PullError
from inglenook.models.manifest import (
    CONFIG,
    FILE,
    LICENCE,
    MESSAGES,
    MODEL,
    PARAMETERS,
    SYSTEM,
    TEMPLATE,
    Layer,
    Manifest,
    parse_json_object,
    parse_manifest,
)
from inglenook.types import Notice

__all__ = ["LARGEST_MANIFEST", "LARGEST_TEXT", "checked_manifest", "require_format", "unused"]

LARGEST_MANIFEST = 4 << 20
LARGEST_TEXT = 16 << 20
_LARGEST_MODEL = 1 << 44
_MOST_LAYERS = 1000
_LAYER = "application/vnd.ollama.image."
_TEXTS = (CONFIG, LICENCE, MESSAGES, PARAMETERS, SYSTEM, TEMPLATE)
_USED = (*_TEXTS, MODEL, FILE)
_MEANING = {
    f"{_LAYER}projector": "a projector: pictures cannot be read",
    f"{_LAYER}adapter": "an adapter (LoRA), which is NOT applied: answers are those of the base",
    f"{_LAYER}draft": "a draft model: answers come without speculation",
}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


def checked_manifest(data: bytes, headers: Mapping[str, str], what: str, place: str) -> Manifest:
    """The manifest of a model. Raises `PullError` for one that cannot be one."""
    stated = headers.get("docker-content-digest", "")
    if stated.startswith("sha256:") and stated[7:] != hashlib.sha256(data).hexdigest():
        raise _refused(what, place, f"it should have the digest {stated[:80]} and has another")
    try:
        content = parse_json_object(data, what)
        if "manifests" in content:
            raise _refused(what, place, "it is a list of container images, not a model")
        if content.get("schemaVersion") != 2:
            raise _refused(what, place, "its schemaVersion is not 2")
        manifest = parse_manifest(data, what)
    except ModelBrokenError as error:
        raise _refused(
            what, place, error.message.partition(" is damaged: ")[2].rstrip(".")
        ) from error
    wrong = next(_faults(manifest), "")
    if wrong:
        raise _refused(what, place, wrong)
    return manifest


def _faults(manifest: Manifest) -> Iterator[str]:
    if len(manifest.layers) > _MOST_LAYERS:
        yield f"it has {len(manifest.layers):,} layers"
    kinds = {layer.media_type for layer in manifest.layers}
    if not any(kind.startswith(("application/vnd.ollama.", FILE)) for kind in kinds):
        yield "it is a container image, not a model"
    if not kinds & {MODEL, FILE}:
        yield "it has no layer with a model in it; its weights are in a form that is not supported"
    sizes: dict[str, int] = {}
    for layer in manifest.blobs:
        if layer.size_bytes < 1 or isinstance(layer.size_bytes, bool):
            yield f"the layer {layer.sha256[:12]} has the size {layer.size_bytes}"
        if sizes.setdefault(layer.sha256, layer.size_bytes) != layer.size_bytes:
            yield f"the layer {layer.sha256[:12]} stands in it with two sizes"
        if layer.media_type in _TEXTS and layer.size_bytes > LARGEST_TEXT:
            yield f"a text of it has {layer.size_bytes:,} bytes"
        if layer.name and not (_NAME.fullmatch(layer.name) and len(layer.name) < 200):
            yield "a file in it has a name that leads out of its folder"
    if manifest.size_bytes > _LARGEST_MODEL:
        yield f"it claims to have {manifest.size_bytes:,} bytes"


def require_format(config: bytes, what: str, place: str) -> None:
    """Raise `PullError` for a model that no runtime here opens."""
    try:
        content = parse_json_object(config, what)
    except ModelBrokenError as error:
        raise _refused(what, place, "its config is not JSON") from error
    format = content.get("model_format") or "gguf"
    ours = isinstance(content.get("inglenook"), dict)
    if format != "gguf" and not ours:
        raise _refused(what, place, f"its format is {str(format)[:40]!r}; gguf is opened")


def unused(manifest: Manifest) -> Iterator[Notice]:
    """What of the model is fetched and can be used by nothing here."""
    seen: set[str] = set()
    models = sum(layer.media_type == MODEL for layer in manifest.layers)
    if models > 1:
        yield Notice("layer-not-used", f"It comes in {models} files; only the first is opened.")
    for layer in manifest.layers:
        kind = layer.media_type
        if kind in _USED or kind in seen:
            continue
        seen.add(kind)
        meaning = _MEANING.get(kind, f"a layer of the unknown kind {_shown(layer)}")
        yield Notice("layer-not-used", f"It comes with {meaning}. It is kept and not used.")


def _shown(layer: Layer) -> str:
    return "".join(c for c in layer.media_type if c.isprintable())[:80] or "''"


def _refused(what: str, place: str, why: str) -> PullError:
    return PullError(
        f"{what} at {place} cannot be used: {why}.",
        hint="Choose another tag, or another source with --source.",
    )
