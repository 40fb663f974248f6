"""The ONNX graph made from a model's weights: built once for a processor, and kept in a folder."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inglenook.errors import MissingDependencyError, ModelBrokenError
from inglenook.models.processor import processor
from inglenook.types import ModelFiles
from inglenook_onnx_embedder.bert_graph import BUILDER_VERSION
from inglenook_onnx_embedder.calibration import Choice, Encode, choose_graph
from inglenook_onnx_embedder.kept_file import replace_file, sha256_of
from inglenook_onnx_embedder.safetensors import read_safetensors

__all__ = ["derived_graph", "kept_graph"]


_LONGEST_WRITE_S = 3600


def derived_graph(
    files: ModelFiles, cache_folder: str, encode: Encode, precision: str
) -> str | bytes:
    """The path of the kept graph, or the graph itself where nothing can be kept.

    Args:
        files: Of the format sentence-safetensors.
        cache_folder: Where it is kept; "" keeps none.
        encode: The model's tokenizer, for the texts on which the graph is tuned and checked.
        precision: `auto`, `int8` or `fp32`.
    """

    def build() -> Choice:
        config = _config(files)
        weights = read_safetensors(_path(files, "model.safetensors"))
        return choose_graph(config, weights, files.reference, encode, precision)

    identity = _identity(files)
    return kept_graph(cache_folder, identity, precision, build)


def kept_graph(
    cache_folder: str, identity: str, precision: str, build: Callable[[], Choice]
) -> str | bytes:
    """What `build` makes, from the folder if it is there, and kept there if it is not.

    A kept graph is used only if its sha256 is the one written beside it. What an earlier version
    of the builder made of the same weights is removed.
    """
    if not cache_folder:
        return _built(build).graph
    folder = Path(cache_folder)
    begin = f"encoder-{BUILDER_VERSION}-"
    kept = folder / f"{begin}{precision}-{processor()}-{identity}.onnx"
    record = kept.with_suffix(".json")
    if _is_whole(kept, record):
        return str(kept)
    choice = _built(build)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(kept, choice.graph)
        replace_file(record, _record(choice))
        for old in folder.glob(f"*-{identity}.*"):
            if not old.name.startswith(begin) and not _is_being_written(old):
                old.unlink(missing_ok=True)
    except OSError:
        # A full or read-only disk costs the next start some seconds, not the user the answer.
        return choice.graph
    return str(kept)


def _built(build: Callable[[], Choice]) -> Choice:
    try:
        return build()
    except ImportError as error:
        raise MissingDependencyError(
            "A model in safetensors needs the library onnx, which is not installed.",
            hint="Install it: pip install 'inglenook[onnx-embedder]'",
        ) from error


def _record(choice: Choice) -> bytes:
    return json.dumps(
        {
            "sha256": hashlib.sha256(choice.graph).hexdigest(),
            "variant": choice.variant,
            "cosine": round(choice.cosine, 5),
            "speed_up": round(choice.speed_up, 2),
            "reason": choice.reason,
        },
        indent=1,
    ).encode()


def _identity(files: ModelFiles) -> str:
    digest = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        if name == "model.safetensors" and files.digest:
            digest.update(files.digest.encode())
        else:
            digest.update(_path(files, name).read_bytes())
    return digest.hexdigest()[:32]


def _is_whole(kept: Path, record: Path) -> bool:
    try:
        return bool(sha256_of(kept) == json.loads(record.read_bytes())["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_being_written(path: Path) -> bool:
    """Whether it may be another process's; what a crash left lies there for longer."""
    return path.name.startswith(".") and time.time() - path.stat().st_mtime < _LONGEST_WRITE_S


def _config(files: ModelFiles) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(_path(files, "config.json").read_bytes())
    except ValueError as error:
        raise ModelBrokenError(f"{files.reference}: config.json is not JSON.") from error
    return config


def _path(files: ModelFiles, name: str) -> Path:
    path = files.files.get(name)
    if path is None or not path.is_file():
        raise ModelBrokenError(
            f"{files.reference}: {name} is missing.",
            hint=f"Fetch it again: nook pull {files.reference}",
        )
    return path
