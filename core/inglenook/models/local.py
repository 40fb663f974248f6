"""Models that a user points at: a `.gguf` file, or the folder of an embedder."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from inglenook.errors import ModelBrokenError, UserError
from inglenook.models.gguf import read_gguf
from inglenook.models.library import NewFile
from inglenook.models.record import ModelFacts, size_label
from inglenook.models.storage import PIECE_BYTES, disk_errors, file_sha256
from inglenook.types import ModelFiles

__all__ = ["copy_hashed", "files_from_path", "local_facts"]

_ENDS_BYTES = 1024 * 1024
_LARGEST_JSON_BYTES = 64 * 1024 * 1024
_ONNX_PLACES = ("model.onnx", "onnx/model.onnx")
_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "last",
}


def files_from_path(path: Path) -> ModelFiles:
    """The model at a path, its headers checked.

    A folder holds `tokenizer.json` and `model.onnx` (or `onnx/model.onnx`) or `model.safetensors`,
    as sentence-transformers writes it. `digest` is the sha256 of an embedder's weights; of a GGUF
    file, which may be huge, it covers size, beginning and end.

    Raises:
        UserError: Nothing is there, or it is neither.
        ModelBrokenError: It is there and cannot be used.
    """
    path = path.expanduser()
    if path.is_dir():
        return _embedder(path)
    if not path.exists():
        raise UserError(f"There is no model at {path}.", hint="Check the path after FROM.")
    if not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder.", hint="Name a .gguf file.")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != b"GGUF" and path.suffix.lower() != ".gguf":
        raise UserError(
            f"{path} is not a model that can be opened.",
            hint="Name a .gguf file, or a folder with tokenizer.json and model.onnx or "
            "model.safetensors.",
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


def _embedder(folder: Path) -> ModelFiles:
    onnx = next((folder / p for p in _ONNX_PLACES if (folder / p).is_file()), None)
    weights = onnx or folder / "model.safetensors"
    missing = [p.name for p in (folder / "tokenizer.json", weights) if not p.is_file()]
    if missing:
        wanted = "model.onnx or model.safetensors" if len(missing) == 2 else missing[0]
        raise UserError(
            f"{folder} is not an embedder's folder: {wanted} is missing.",
            hint="It needs tokenizer.json and model.onnx or model.safetensors.",
        )
    tokenizer = folder / "tokenizer.json"
    _json(tokenizer)
    files = {weights.name: weights, "tokenizer.json": tokenizer}
    if onnx:
        _check_onnx(onnx)
    else:
        _check_safetensors(weights)
        config = folder / "config.json"
        if not config.is_file():
            raise UserError(f"{folder} is not an embedder's folder: config.json is missing.")
        files["config.json"] = config
    return ModelFiles(
        reference=str(folder),
        format="sentence-onnx" if onnx else "sentence-safetensors",
        files=files,
        digest=file_sha256(weights),
        details=_details(folder),
    )


def _details(folder: Path) -> dict[str, Any]:
    """Pooling, length and prefixes, as sentence-transformers keeps them beside the weights."""
    pooling = _optional(folder / "1_Pooling" / "config.json")
    sentence = _optional(folder / "sentence_bert_config.json")
    model = _optional(folder / "config.json")
    prompts = _optional(folder / "config_sentence_transformers.json").get("prompts")
    prompts = prompts if isinstance(prompts, dict) else {}
    modes = [name for key, name in _POOLINGS.items() if pooling.get(key)]
    if len(modes) > 1:
        raise ModelBrokenError(
            f"{folder} joins several poolings ({', '.join(modes)}), which is not supported.",
            hint="Use a model with one of cls, mean, max or last.",
        )
    longest = sentence.get("max_seq_length") or model.get("max_position_embeddings") or 512
    return {
        "pooling": modes[0] if modes else "mean",
        "max_tokens": longest if isinstance(longest, int) else 512,
        "query_prefix": str(prompts.get("query", "")),
        "passage_prefix": str(prompts.get("passage", prompts.get("document", ""))),
        "languages": [],
        "family": str(model.get("model_type", "")),
    }


def _optional(path: Path) -> dict[str, Any]:
    return _json(path) if path.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_LARGEST_JSON_BYTES))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise _damaged(path, "it is not a JSON object")
    return content


def _check_safetensors(path: Path) -> None:
    """Hold the header's offsets against the size (format: huggingface/safetensors README)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(size - 8, _LARGEST_JSON_BYTES):
            raise _damaged(path, "its header does not fit into it")
        try:
            tensors = json.loads(file.read(length))
            ends = [int(t["data_offsets"][1]) for n, t in tensors.items() if n != "__metadata__"]
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as e:
            raise _damaged(path, f"its header is malformed ({e})") from e
    needed = 8 + length + max(ends, default=0)
    if size < needed:
        raise _damaged(path, f"truncated: needs {needed:,} bytes, has {size:,}")


def _check_onnx(path: Path) -> None:
    """Walk the outermost fields of the protobuf message: they must end where the file does."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            while file.tell() < size:
                _skip_field(file)
            if size and file.tell() == size:
                return
    except (EOFError, ValueError):
        pass  # A field that ends badly is told of below, like one that ends too late.
    raise _damaged(path, f"it is not a whole ONNX file ({size:,} bytes)")


def _skip_field(file: BinaryIO) -> None:
    tag = _varint(file)
    kind = tag & 7
    if tag >> 3 == 0 or kind not in (0, 1, 2, 5):
        raise ValueError("not a protobuf field")
    if kind == 0:
        _varint(file)
    else:
        file.seek({1: 8, 5: 4}[kind] if kind != 2 else _varint(file), 1)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number is too long")


def _damaged(path: Path, wrong: str) -> ModelBrokenError:
    return ModelBrokenError(f"{path} cannot be used: {wrong}.", hint="Copy the file anew.")


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
