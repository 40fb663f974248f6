"""The ONNX graph made from a safetensors model, built once and kept in a cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from inglenook.errors import ModelBrokenError
from inglenook.types import ModelFiles
from inglenook_onnx_embedder.bert_graph import BUILDER_VERSION, build_bert_graph
from inglenook_onnx_embedder.safetensors import read_safetensors

__all__ = ["derived_graph"]


def derived_graph(files: ModelFiles, cache_folder: str) -> str | bytes:
    """The path of the kept graph, or the graph itself where nothing can be kept.

    A kept graph is used only if its sha256 is the one written beside it.
    """
    if not cache_folder:
        return _build(files)
    folder = Path(cache_folder)
    kept = folder / f"bert-{BUILDER_VERSION}-{_identity(files)}.onnx"
    record = kept.with_suffix(".sha256")
    if _is_whole(kept, record):
        return str(kept)
    graph = _build(files)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(kept, graph)
        _replace(record, hashlib.sha256(graph).hexdigest().encode())
    except OSError:
        # A full or read-only disk costs the next start a second, not the user the answer.
        return graph
    return str(kept)


def _identity(files: ModelFiles) -> str:
    digest = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        if name == "model.safetensors" and files.digest:
            digest.update(files.digest.encode())
        else:
            digest.update(_read(files, name))
    return digest.hexdigest()[:32]


def _is_whole(kept: Path, record: Path) -> bool:
    try:
        with kept.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return found == record.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return False


def _build(files: ModelFiles) -> bytes:
    try:
        config: dict[str, Any] = json.loads(_read(files, "config.json"))
    except ValueError as error:
        raise ModelBrokenError(f"{files.reference}: config.json is not JSON.") from error
    weights = read_safetensors(_path(files, "model.safetensors"))
    return build_bert_graph(config, weights, files.reference)


def _read(files: ModelFiles, name: str) -> bytes:
    return _path(files, name).read_bytes()


def _path(files: ModelFiles, name: str) -> Path:
    path = files.files.get(name)
    if path is None or not path.is_file():
        raise ModelBrokenError(
            f"{files.reference}: {name} is missing.",
            hint=f"Fetch it again: nook pull {files.reference}",
        )
    return path


def _replace(target: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
