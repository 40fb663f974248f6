"""Models that a user points at: a `.gguf` file, or a folder of a language model or an embedder."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inglenook.errors import UserError
from inglenook.models.embedder_folder import DATA_OF_ONNX, embedder_from_folder
from inglenook.models.genai_folder import (
    BESIDE_TOKENIZER,
    CONFIG,
    FORMAT,
    genai_from_folder,
    is_genai_folder,
)
from inglenook.models.gguf import read_gguf
from inglenook.models.library import NewFile
from inglenook.models.record import ModelFacts, size_label
from inglenook.models.storage import PIECE_BYTES, disk_errors
from inglenook.types import ModelFiles

__all__ = [
    "copy_hashed",
    "files_from_path",
    "local_facts",
    "require_copyable",
    "with_tokenizer_files",
]

_ENDS_BYTES = 1024 * 1024


def files_from_path(path: Path) -> ModelFiles:
    """The model at a path, its headers checked.

    A folder with `genai_config.json` is a language model's (see `genai_folder`), any other one an
    embedder's (see `embedder_folder`). `digest` is the sha256 of an embedder's weights; of a GGUF
    file, which may be huge, it covers size, beginning and end.

    Raises:
        UserError: Nothing is there, or it is neither.
        ModelBrokenError: It is there and cannot be used.
    """
    path = path.expanduser()
    if path.is_dir():
        return genai_from_folder(path) if is_genai_folder(path) else embedder_from_folder(path)
    if not path.exists():
        raise UserError(f"There is no model at {path}.", hint="Check the path after FROM.")
    if not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder.", hint="Name a .gguf file.")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != b"GGUF" and path.suffix.lower() != ".gguf":
        raise UserError(
            f"{path} is not a model that can be opened.",
            hint="Name a .gguf file, the folder of a language model with genai_config.json, or that"
            " of an embedder with tokenizer.json and model.onnx or model.safetensors.",
        )
    info = read_gguf(path)
    if info.shards > 1:
        raise UserError(
            f"{path} is one of {info.shards} pieces of a model.",
            hint="Join them first, with: llama-gguf-split --merge",
        )
    return ModelFiles(str(path), "gguf", {"model": path}, digest=_quick_digest(path))


def _quick_digest(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(f"ends {size}".encode())
    with path.open("rb") as file:
        digest.update(file.read(_ENDS_BYTES))
        file.seek(max(0, size - _ENDS_BYTES))
        digest.update(file.read(_ENDS_BYTES))
    return digest.hexdigest()


def require_copyable(model: ModelFiles) -> None:
    """Raise `UserError` for an embedder in several files: they find each other by their names."""
    data = [name for name in model.files if name in DATA_OF_ONNX]
    if data and model.format != FORMAT:
        raise UserError(
            f"{model.reference} keeps its weights in {data[0]}, apart from its graph, and cannot"
            " be copied.",
            hint=f"Use it where it lies: EMBEDDER {model.reference}",
        )


def with_tokenizer_files(model: ModelFiles) -> dict[str, Path]:
    """All files of a model, those too that a language model's folder need not have."""
    files = dict(model.files)
    if model.format == FORMAT:
        folder = model.files[CONFIG].parent
        for name in BESIDE_TOKENIZER:
            if (folder / name).is_file():
                files[name] = folder / name
    return files


def local_facts(model: ModelFiles) -> ModelFacts:
    """What the files themselves say, for a manifest."""
    if model.format == "gguf":
        info = read_gguf(model.files["model"])
        return ModelFacts(
            family=info.architecture,
            parameter_size=size_label(info.parameters),
            quantisation=info.quantisation,
            context_length=info.context_length,
            licence=info.licence,
        )
    details: Mapping[str, Any] = model.details
    if model.format == FORMAT:
        return ModelFacts(family=details["family"], context_length=details["context_length"])
    return ModelFacts(
        family=details["family"],
        context_length=details["max_tokens"],
        details={k: v for k, v in details.items() if k != "family"},
    )


def copy_hashed(name: str, source: Path, scratch: Path, between: Callable[[], None]) -> NewFile:
    """Copy a file into `scratch` and find its sha256 on the way. Raises `StoreError`."""
    path = scratch / f"copy-{uuid.uuid4().hex}"
    digest = hashlib.sha256()
    with disk_errors(scratch):
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            with source.open("rb") as reader, path.open("xb") as writer:
                while piece := reader.read(PIECE_BYTES):
                    digest.update(piece)
                    writer.write(piece)
                    between()
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return NewFile(name, path, digest.hexdigest())
